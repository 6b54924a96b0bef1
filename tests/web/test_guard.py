"""Who is refused: other pages, other names, whoever has no token; and what is never served."""

import asyncio
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from starlette.testclient import TestClient

from sdindex import Index, UsageError
from sdindex.web.app import FILES
from sdindex.web.serving import serving
from tests.web.conftest import ORIGIN, PORT, TOKEN, Asking

ASKED = ["start", "sample", "images", "around", "similar", "decide", "note", "undo", "save", "put"]
PLACES = [*FILES, "/picture/360/1", *(f"/api/{name}" for name in ASKED), "/export/csv", "/nothing"]
OTHERS = {
    "another host": {"Host": "evil.example"},
    "a name that leads here": {"Host": f"rebound.example:{PORT}"},
    "another port": {"Host": "127.0.0.1:1"},
    "no port": {"Host": "127.0.0.1"},
    "another origin": {"Origin": "http://evil.example"},
    "no origin at all": {"Origin": "null"},
    "another port's origin": {"Origin": "http://127.0.0.1:1"},
    "https": {"Origin": ORIGIN.replace("http", "https")},
    "another site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "a neighbour": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    "no token": {"Cookie": ""},
    "another token": {"Cookie": f"sdindex-{PORT}=another"},
    "another port's token": {"Cookie": f"sdindex-1={TOKEN}"},
    "a token that is no text": {"Cookie": f"sdindex-{PORT}=\xff"},
}


@pytest.mark.parametrize("who", OTHERS)
def test_others_are_refused_wherever_they_ask(ask: Asking, who: str) -> None:
    for place in PLACES:
        method = "POST" if place.startswith(("/api", "/export")) else "GET"
        headers = {name: value.encode("latin-1") for name, value in OTHERS[who].items()}
        answer = ask.client.request(method, place, json={}, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 403, place
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "set-cookie" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers


def test_what_changes_something_is_asked_as_the_page_asks(ask: Asking) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}):
        assert ask.client.post("/api/undo", content=b"{}", headers=headers).status_code == 403
    del ask.client.headers["Origin"]
    assert ask.client.post("/api/undo", json={}).status_code == 403


def test_the_address_with_the_token_gives_the_page_and_its_cookie(ask: Asking) -> None:
    del ask.client.headers["Cookie"], ask.client.headers["Origin"]
    assert ask.client.get("/").status_code == 403
    assert ask.client.get("/?token=wrong").status_code == 403
    assert ask.client.get(f"/review.js?token={TOKEN}").status_code == 403
    page = ask.client.get(f"/?token={TOKEN}")
    assert page.status_code == 200
    cookie = page.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert "onclick" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    # A link in a mail leads to the page, too: the cookie is then new.
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask.client.get(f"/?token={TOKEN}", headers=headers).status_code == 200
    for place in FILES:
        assert ask.client.get(place).status_code == 200  # with the cookie that it has now


@pytest.mark.parametrize(
    "place",
    [
        "/picture/360/999999", "/picture/360/-1", "/picture/361/1", "/picture/360/x",
        "/picture/360/..%2f..%2fetc%2fpasswd", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
        "/static/review.js", "/etc/passwd", "//etc/passwd", "/picture/360/1/../../../etc/passwd",
    ],
)  # fmt: skip
def test_what_is_no_image_of_the_index_is_not_served(ask: Asking, place: str) -> None:
    answer = ask.client.get(place)
    assert answer.status_code == 404
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "options",
    [
        {"files": "/etc/passwd"}, {"include": "/etc/passwd"}, {"exclude": ["/etc/passwd"]},
        {"review": "other"}, {"unknown": 1}, {"bits": "x"}, {"where": "1); DELETE FROM image; --"},
        {"where": "load_extension('x')"}, [],
    ],
)  # fmt: skip
def test_a_page_names_no_file_and_runs_nothing(ask: Asking, options: object) -> None:
    question = {"count": 3, "options": options, "by": "camera"}
    answer = ask.client.post("/api/sample", json=question)
    assert answer.status_code == 400
    assert "root:" not in answer.text
    assert ask.ids()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"count": 1}', b" " * 2_000_000])
def test_what_is_no_question_is_an_error_and_nothing_else(ask: Asking, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = ask.client.post("/api/sample", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_nothing_is_decided_where_the_page_is_only_to_be_looked_at(
    look: Asking, tmp_path: Path
) -> None:
    image = look.ids()[0]
    put = {"form": "copy", "folder": str(tmp_path / "put")}
    for name in ("decide", "note", "undo", "save", "put"):
        question = {"count": 3, "options": {}, "image": image, "what": "kept", "name": "x", **put}
        assert look.client.post(f"/api/{name}", json=question).status_code == 403
    assert not (tmp_path / "put").exists()
    assert look("start")["readOnly"]
    assert look("sample")["decisions"] == {}


def test_it_listens_to_this_machine_alone_and_says_which_port_is_taken(
    shared: Path, tmp_path: Path
) -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        raise NotImplementedError

    with serving(app) as address:
        port = int(address.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            assert b" 403 " in connection.recv(100)
        with pytest.raises(UsageError, match=f"port {port} cannot be had"), serving(app, port):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with Index(shared) as index:
        assert index.status().archives


def test_the_client_itself_is_let_through(ask: Asking) -> None:
    assert isinstance(ask.client, TestClient)
    assert ask("start")["observer"] == "ann"


def test_a_server_that_ends_amid_a_request_logs_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    asked = threading.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        await asyncio.sleep(60)

    with ThreadPoolExecutor(1) as threads:
        with serving(slow) as address:
            answer = threads.submit(urllib.request.urlopen, address)
            assert asked.wait(10)
        with pytest.raises(HTTPError, match="503") as refused:
            answer.result(10)
    refused.value.close()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
