"""A large archive is compared in sections, in processes of their own: as if it were in one."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sdindex import Index, Summary, workers
from sdindex.archive.roots import made_by
from sdindex.errors import ArchiveUnavailableError
from sdindex.indexing import sections
from tests.conftest import LONG_AGO, make_image
from tests.support.examples import examples
from tests.support.roots import FailingRoot

_bytes = BytesIO()
Image.new("L", (16, 16)).save(_bytes, "JPEG")
TINY = _bytes.getvalue()


@pytest.fixture(autouse=True)
def small_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "SECTION_IMAGES", 5)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, db_in: Callable[..., Path]) -> tuple[Path, Path]:
    """Return the names of two indexes: of what is compared in one, and in sections."""
    folder = tmp_path_factory.mktemp("both")
    return db_in(folder, "one.db"), db_in(folder, "many.db")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Forty images of eight cameras, and a disk that a link leads to, with ten more."""
    for seed in range(40):
        make_image(tmp_path / "large" / f"cam{seed % 8}" / f"IMG_{seed + 1}.JPG", seed)
    for seed in range(10):
        make_image(tmp_path / "disk" / f"cam{seed % 3}" / f"IMG_{seed + 1}.JPG", 100 + seed)
    (tmp_path / "large" / "cam3x").symlink_to(tmp_path / "disk")
    return tmp_path / "large"


def counted(summary: Summary) -> Summary:
    return replace(summary, seconds=0)


def rows(index: Index) -> list[tuple[object, ...]]:
    with index.sql(
        "SELECT path, size, mtime_ns, dhash, error, missing_since IS NULL FROM image ORDER BY path"
    ) as answer:
        return [tuple(row) for row in answer.rows]


def change_everything(large: Path) -> None:
    (large / "cam1" / "IMG_2.JPG").unlink()
    os.utime(large / "cam2" / "IMG_3.JPG", ns=(1, (LONG_AGO + 2) * 10**9 - 1))
    (large / "cam4").rename(large / "cam4 moved")
    shutil.rmtree(large / "cam6")
    make_image(large / "cam3x" / "cam1" / "new.jpg", 200)
    make_image(large / "a new one" / "new.jpg", 201)
    make_image(large / "new at the end.jpg", 202)
    (large / "cam7" / "IMG_8.JPG").write_bytes(b"broken")


def test_sections_are_compared_as_the_whole_is(both: tuple[Path, Path], large: Path) -> None:
    with Index(both[0]) as one, Index(both[1]) as many:
        assert counted(one.update(large, workers=1)) == counted(many.update(large, workers=2))
        assert many.update(large, workers=2).unchanged == 50
        change_everything(large)
        in_one, in_many = one.update(large, workers=1), many.update(large, workers=2)
        assert counted(in_one) == counted(in_many)
        assert (in_one.missing, in_one.moved, in_one.changed, in_one.new) == (6, 5, 1, 3)
        assert rows(one) == rows(many)


def test_a_link_over_several_sections_whose_disk_is_away(
    index: Index, tmp_path: Path, large: Path
) -> None:
    index.update(large)
    before = rows(index)
    (large / "cam3x").unlink()
    (large / "cam3x").symlink_to(tmp_path / "not mounted")
    summary = index.update(large, workers=2)
    assert [place.path for place in summary.unlooked] == [str(large / "cam3x") + "/"]
    assert rows(index) == before


def test_workers_look_through_the_same_root(index: Index, large: Path) -> None:
    index.update(large)
    before = rows(index)
    refused = ["cam0/", "cam5/IMG_6.JPG"]
    make_image(large / "cam5/IMG_6.JPG", 300)  # changed, and refused
    with made_by(partial(FailingRoot, refused=frozenset(refused))):
        summary = index.update(large, workers=2)
    assert [os.path.relpath(one.path, large) for one in summary.unlooked] == [
        "cam0", "cam5/IMG_6.JPG",
    ]  # fmt: skip
    assert (summary.unchanged, summary.read) == (44, 0)
    assert rows(index) == before


def test_an_archive_that_is_not_there_changes_nothing(index: Index, large: Path) -> None:
    index.update(large)
    before = rows(index)
    shutil.rmtree(large)
    large.mkdir()
    with pytest.raises(ArchiveUnavailableError, match="no image files any more"):
        index.update(large, workers=2)
    assert rows(index) == before


class InThisProcess:
    """Does at once what workers do in processes of their own."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> "InThisProcess":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(function(*args, **kwargs))
        return done


name = st.sampled_from(["a", "a-1", "a!", "z.jpg", "b"])
places = st.lists(st.lists(name, min_size=1, max_size=3).map("/".join), max_size=8)


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places, places, places, st.integers(0, 3))
def test_any_tree_with_links_is_compared_as_the_whole_is(
    monkeypatch: pytest.MonkeyPatch,
    both: tuple[Path, Path],
    before: list[str],
    after: list[str],
    linked: list[str],
    gone: int,
) -> None:
    monkeypatch.setattr(sections, "SECTION_IMAGES", 1)
    monkeypatch.setattr(workers, "Workers", InThisProcess)
    with TemporaryDirectory() as folder:
        root, disk = Path(folder, "archive"), Path(folder, "disk")
        with Index(both[0]) as one, Index(both[1]) as many:
            tiny(root / "first.jpg")
            for step, paths in enumerate([before, after]):
                for number, path in enumerate(paths):
                    with suppress(FileExistsError, NotADirectoryError):
                        tiny(root / path / f"{number}.jpg")
                for number, path in enumerate(linked[step::2]):
                    tiny(disk / str(number) / f"linked{number}.jpg")
                    with suppress(FileExistsError, NotADirectoryError):
                        (root / path).parent.mkdir(parents=True, exist_ok=True)
                        (root / path).symlink_to(disk / str(number))
                if step:
                    shutil.rmtree(disk / str(gone), ignore_errors=True)
                    shutil.rmtree(root / "a-1", ignore_errors=True)
                summary = counted(one.update(root, workers=1))
                assert counted(many.update(root, workers=2)) == summary
                assert rows(many) == rows(one)
            for index in (one, many):
                index.prune(root)


def tiny(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TINY)
    os.utime(path, (LONG_AGO, LONG_AGO))
