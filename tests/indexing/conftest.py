"""What the tests of updates share."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

from sdindex import Index
from sdindex.archive import object_stores
from tests.conftest import make_image
from tests.support.bucket import Bucket, serving, spoken_to
from tests.support.counting import counts

Update = Callable[..., dict[str, int]]
URL = "s3://bucket/season 1"
DISK_IMAGES = 12  # images of the disk; those of the archive beside it are 12, too


@pytest.fixture
def update(index: Index, archive: Path, threads: Executor) -> Update:
    def run(*paths: Path, **options: Any) -> dict[str, int]:
        return counts(index.update(*(paths or (archive,)), executor=threads, **options))

    return run


@pytest.fixture
def disk(archive: Path) -> Path:
    """Return a folder of the archive with two folders of images."""
    for number in range(DISK_IMAGES):
        make_image(archive / f"disk/cam{number % 2}/{number}.jpg", 50 + number)
    return archive / "disk"


@pytest.fixture
def bucket(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Yield a bucket with the twelve images of two cameras."""
    monkeypatch.setattr(object_stores, "FIRST_PAUSE", 0.001)
    bucket = Bucket()
    for path in archive.rglob("*.JPG"):
        bucket.put(f"season 1/{path.relative_to(archive).as_posix()}", path.read_bytes())
    with serving(bucket) as address, spoken_to(address):
        yield bucket
