"""What the tests of updates share."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

from sdindex import Index
from tests.conftest import make_image
from tests.support.counting import counts

Update = Callable[..., dict[str, int]]
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
