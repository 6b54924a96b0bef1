"""A large archive is compared in sections, in processes of their own: as if it were in one."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sdindex import Index, Summary, sections
from sdindex.errors import ArchiveUnavailableError
from tests.conftest import LONG_AGO, make_image


@pytest.fixture(autouse=True)
def small_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "SECTION_IMAGES", 5)


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


def test_sections_are_compared_as_the_whole_is(tmp_path: Path, large: Path) -> None:
    with Index(tmp_path / "one.db") as one, Index(tmp_path / "many.db") as many:
        assert counted(one.update(large, workers=1)) == counted(many.update(large, workers=2))
        assert many.update(large, workers=2).unchanged == 50
        change_everything(large)
        in_one, in_many = one.update(large, workers=1), many.update(large, workers=2)
        assert counted(in_one) == counted(in_many)
        assert (in_one.missing, in_one.moved, in_one.changed, in_one.new) == (6, 5, 1, 3)
        assert rows(one) == rows(many)


def test_a_link_over_several_sections_whose_disk_is_away(tmp_path: Path, large: Path) -> None:
    with Index(tmp_path / "sdindex.db") as index:
        index.update(large)
        before = rows(index)
        (large / "cam3x").unlink()
        (large / "cam3x").symlink_to(tmp_path / "not mounted")
        summary = index.update(large, workers=2)
        assert [place.path for place in summary.unlooked] == [str(large / "cam3x") + "/"]
        assert rows(index) == before


def test_an_archive_that_is_not_there_changes_nothing(tmp_path: Path, large: Path) -> None:
    with Index(tmp_path / "sdindex.db") as index:
        index.update(large)
        before = rows(index)
        shutil.rmtree(large)
        large.mkdir()
        with pytest.raises(ArchiveUnavailableError, match="no image files any more"):
            index.update(large, workers=2)
        assert rows(index) == before
