"""A person's hour with a review: 200 real images; and a server that is killed in the middle."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner

from sdindex import Index
from sdindex.cli.main import cli
from tests.web.shown import showing

REVIEWED = 200
COUNT = 134  # kept, while 66 are rejected
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")


def test_200_real_images_by_the_keys(
    browser: Any, real_archive: Path, index: Index, threads: Executor, tmp_path: Path
) -> None:
    index.update(real_archive, executor=threads)
    review = index.review(count=COUNT, observer="ann", unit="burst", balance="camera")
    faults: list[str] = []
    rejected = set()
    with showing(browser, index, review, tmp_path / "cache", faults=faults) as shown:
        for number in range(REVIEWED):
            if number % 3 == 2:
                rejected.add(shown.current)
                shown.press("r", changes=True)
            else:
                shown.press("k", changes=True)
        assert shown.progress.endswith(f"{COUNT} kept, 66 rejected")
        ids, command = shown.ids, shown.page.locator("#command").inner_text()
    assert faults == []
    assert len(ids) == COUNT
    assert rejected.isdisjoint(ids)
    assert review.name is not None
    kept = [one for one in index.decisions(review.name) if one.what == "kept"]
    assert sorted(one.path for one in kept) == sorted(
        image.path for image in review.images(ids).values()
    )
    # From the index alone, by the command that the page shows.
    words = command.split()[1:]
    again = CliRunner().invoke(cli, words).stdout.splitlines()
    assert sorted(again) == sorted(one.path for one in kept)


@contextmanager
def running(db: Path, *words: str) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """Run the command, and give its process and the address that it prints."""
    program = [sys.executable, "-m", "sdindex", "--db", str(db), "review", "--no-browser", *words]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        try:
            out: IO[str] | None = run.stdout
            assert out is not None
            yield run, out.readline().strip()
        finally:
            run.kill()


class Client:
    """Who has the address asks without a browser."""

    def __init__(self, address: str) -> None:
        self.origin = address.split("/?")[0]
        answer = urllib.request.urlopen(address)  # noqa: S310  (it is this machine's)
        self.cookie = answer.headers["Set-Cookie"].split(";")[0]

    def __call__(self, name: str, **question: Any) -> Any:
        request = urllib.request.Request(  # noqa: S310
            f"{self.origin}/api/{name}",
            json.dumps({"count": 5, "options": {}, "by": "camera", **question}).encode(),
            {"Content-Type": "application/json", "Origin": self.origin, "Cookie": self.cookie},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.loads(answer.read())


@posix
def test_what_was_decided_before_a_crash_is_kept(shared: Path) -> None:
    with running(shared, "-n", "5", "--observer", "eve") as (run, address):
        ask = Client(address)
        ids = [row for _, _, some in ask("sample")["groups"] for row in some]
        ask("decide", image=ids[0], what="rejected", why="blurred")
        found = ask("decide", image=ids[1], what="kept")
        run.send_signal(signal.SIGKILL)
        run.wait()
    name = found["review"]
    with Index(shared) as index:
        assert [one.what for one in index.decisions(name)] == ["rejected", "kept"]
    with running(shared, name, "--observer", "eve") as (run, address):
        again = Client(address)("sample", count=5)
        assert again["groups"] == found["groups"]
        assert again["decisions"] == found["decisions"]
        before = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 0
        assert time.monotonic() - before < 15  # it waits for nobody, such as a browser that asks
        assert run.stderr is not None
        assert f"go on with: sdindex --db {shared} review {name}\n" in run.stderr.read()


@posix
def test_it_decides_while_index_runs(shared: Path, archive: Path) -> None:
    with running(shared, "-n", "5") as (_, address):
        ask = Client(address)
        image = ask("sample")["groups"][0][2][0]
        update = [sys.executable, "-m", "sdindex", "--db", str(shared), "index", str(archive)]
        with subprocess.Popen(
            update, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as other:
            decided = 0
            while other.poll() is None:
                ask("decide", image=image, what="kept")
                ask("undo")
                decided += 1
            assert other.returncode == 0
        assert ask("sample", count=100)["images"] == 48
    with Index(shared) as index:
        index.prune(archive=str(archive))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["none"], "there is neither a review nor a sample 'none'"),
        (["none", "-n", "3"], "a review with a name keeps its count and options"),
        (["--label", "dragon"], "no image has the label 'dragon'"),
    ],
)
def test_what_cannot_be_reviewed_is_said_in_a_line(
    shared: Path, words: list[str], line: str
) -> None:
    program = ["--db", str(shared), "review", "--no-browser", *words]
    done = CliRunner().invoke(cli, program)
    assert done.exit_code == 1
    assert re.search(line, done.stderr)
    assert done.stderr.count("\n") == 1


def test_without_its_packages_it_names_what_installs_them(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdindex.web.find_spec", lambda name: None)
    done = CliRunner().invoke(cli, ["--db", str(shared), "review"])
    assert done.exit_code == 1
    assert "pip install 'sdindex[review]'" in done.stderr
    assert os.linesep not in done.stderr.strip()
