"""A review's server, asked by hand and shown in a browser; one for the tests of a file."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sdindex import Index
from sdindex.reviewing import Review
from sdindex.web.app import Page
from sdindex.web.cache import Cache
from sdindex.web.guard import Guard
from sdindex.web.pictures import making
from tests.conftest import make_image
from tests.support.chromium import chromium

PORT, TOKEN = 4321, "a-token"
ORIGIN = f"http://127.0.0.1:{PORT}"


@dataclass
class Asking:
    """A review, its page asked as a browser asks, and its index."""

    index: Index
    review: Review
    client: TestClient

    def __call__(self, name: str, /, **question: Any) -> Any:
        asked = {"count": 6, "options": {}, "by": "camera", **question}
        answer = self.client.post(f"/api/{name}", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(self, **question: Any) -> list[int]:
        found = self("sample", **question)
        return [row for _, _, ids in found["groups"] for row in ids]


def asking(index: Index, review: Review, cache: Path, *, read_only: bool) -> Iterator[Asking]:
    archives = {archive.root for archive in index.status().archives}
    with making(archives, 2, Cache(cache)) as pictures:
        page = Page(index, review, pictures, read_only=read_only)
        client = TestClient(
            Guard(page.app(), TOKEN, PORT),
            base_url=ORIGIN,
            headers={"Origin": ORIGIN, "Cookie": f"sdindex-{PORT}={TOKEN}"},
        )
        yield Asking(index, review, client)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, db_in: Callable[[Path], Path]) -> Path:
    """Make an archive of three cameras in bursts, with labels, and its index."""
    folder = tmp_path_factory.mktemp("web")
    db = db_in(folder)
    for seed in range(36):
        size = (240, 320) if seed == 5 else (320, 180)
        make_image(folder / "archive" / f"cam{seed // 12}" / f"IMG_{seed + 1}.JPG", seed // 3, size)
    rows = [f"cam{seed // 12}/IMG_{seed + 1}.JPG,{'fox' if seed % 2 else 'deer'}"
            for seed in range(24)]  # fmt: skip
    (folder / "labels.csv").write_text("\n".join(["path,label", *rows]))
    with Index(db) as index, ThreadPoolExecutor(2) as executor:
        index.update(folder / "archive", executor=executor)
        index.import_labels(folder / "labels.csv")
    return db


@pytest.fixture
def ask(shared: Path, tmp_path: Path) -> Iterator[Asking]:
    with Index(shared) as index:
        yield from asking(index, index.review(observer="ann"), tmp_path, read_only=False)


@pytest.fixture
def look(shared: Path, tmp_path: Path) -> Iterator[Asking]:
    """As those are shown who may decide nothing."""
    with Index(shared) as index:
        yield from asking(index, index.review(observer="bob"), tmp_path, read_only=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened
