"""Disks that are away, and folders that were emptied: nothing is lost without a word."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sdindex import ArchiveUnavailableError, Index, Summary
from sdindex.archive.roots import LocalRoot, made_by
from sdindex.archive.scan import ALL_PATHS, Found, Links, Mounted, Span
from tests.conftest import make_image
from tests.indexing.test_unplugged import Unplugging
from tests.support.counting import counts, rows


@pytest.fixture
def update(index: Index, archive: Path, threads: Executor) -> Callable[..., Summary]:
    def run(*paths: Path, accept_loss: bool = False) -> Summary:
        return index.update(*(paths or (archive,)), executor=threads, accept_loss=accept_loss)

    return run


Update = Callable[..., Summary]


def emptied(disk: Path, stray: bool) -> Path:
    """Take what is in a folder away, and return where it is; the folder stays."""
    away = disk.parent.parent / "away"
    disk.rename(away)
    disk.mkdir()
    if stray:
        make_image(disk / "stray.jpg", 99)
    return away


def missing(db: Path) -> list[tuple[str]]:
    found: list[tuple[str]] = rows(db, "SELECT path FROM image WHERE missing_since IS NOT NULL")
    return found


@pytest.mark.parametrize("stray", [False, True])
def test_a_folder_that_lost_all_is_kept_as_it_was(
    update: Update, index: Index, disk: Path, db: Path, stray: bool
) -> None:
    update()
    before = rows(db)
    away = emptied(disk, stray)
    for _ in range(2):
        summary = update()
        assert counts(summary) == {"unchanged": 12}
        assert summary.unlooked_line() == (
            f"{disk}{os.sep}: 12 of 12 known images are gone; what was known there is kept: if its "
            f"disk is away, mount it; if they were deleted, confirm it: sdindex index "
            f"--accept-loss {disk}"
        )
        assert rows(db) == before
        assert index.prune() == 0
        assert len(index.select(99)) == 24
    shutil.rmtree(disk)
    away.rename(disk)
    summary = update()
    assert counts(summary) == {"unchanged": 24}
    assert not summary.unlooked


def test_it_is_confirmed_by_the_user(update: Update, archive: Path, disk: Path, db: Path) -> None:
    update()
    emptied(disk, stray=True)
    with pytest.raises(ArchiveUnavailableError, match=r"12 of 12 .*--accept-loss \S*disk$"):
        update(disk)
    assert missing(db) == []
    assert counts(update(disk, accept_loss=True)) == {"new": 1, "missing": 12, "read": 1}
    summary = update()
    assert counts(summary) == {"unchanged": 13}
    assert not summary.unlooked


def test_an_archive_of_which_most_is_gone_changes_nothing(
    update: Update, archive: Path, db: Path
) -> None:
    update()
    before = db.read_bytes()
    shutil.move(archive, archive.parent / "away")
    make_image(archive / "stray.jpg", 99)
    with pytest.raises(ArchiveUnavailableError, match="12 of 12 known images are gone"):
        update()
    assert db.read_bytes() == before
    assert counts(update(accept_loss=True)) == {"new": 1, "missing": 12, "read": 1}


def test_a_folder_that_was_tidied_up_is_told_only_where_it_lost_much(
    update: Update, archive: Path, db: Path
) -> None:
    for number in range(30):
        make_image(archive / f"many/{number:02}.png", number, (9, 8))
    update()
    for number in range(9):
        (archive / f"many/{number:02}.png").unlink()
    assert counts(update()) == {"unchanged": 33, "missing": 9}
    for number in range(9, 20):
        (archive / f"many/{number:02}.png").unlink()
    summary = update()
    assert counts(summary) == {"unchanged": 22}
    assert [one.reason for one in summary.unlooked] == ["11 of 21 known images are gone"]
    assert len(missing(db)) == 9
    assert counts(update(archive / "many", accept_loss=True)) == {"unchanged": 10, "missing": 11}


def test_a_folder_that_was_deleted_is_deleted(update: Update, disk: Path, db: Path) -> None:
    update()
    shutil.rmtree(disk / "cam0")
    summary = update()
    assert counts(summary) == {"unchanged": 18, "missing": 6}
    assert not summary.unlooked


@pytest.mark.parametrize("copies", [False, True])
def test_folders_that_were_renamed_are_no_loss(update: Update, archive: Path, copies: bool) -> None:
    if copies:  # then which of them is which cannot be told, and they are read
        for folder in ("cam0", "cam1"):
            shutil.copytree(archive / folder, archive / f"{folder} copy")
    update()
    for path in list(archive.iterdir()):
        (archive / "sub").mkdir(exist_ok=True)
        path.rename(archive / "sub" / path.name)
    summary = update()
    assert not summary.unlooked
    if copies:
        assert counts(summary) == {"new": 24, "missing": 24, "read": 24}
    else:
        assert counts(summary) == {"moved": 12}


def test_images_sorted_into_folders_are_no_loss(update: Update, archive: Path) -> None:
    update()
    for file in list((archive / "cam0").iterdir()):
        (archive / "cam0/foxes").mkdir(exist_ok=True)
        file.rename(archive / "cam0/foxes" / file.name)
    summary = update()
    assert counts(summary) == {"unchanged": 6, "moved": 6}
    assert not summary.unlooked


class MountedRoot(LocalRoot):
    """A folder in which another folder is a disk of its own."""

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        yield Mounted("disk/", 7)
        yield from LocalRoot.scan(self, under, span=span, links=links, excluded=excluded)


def test_a_disk_that_is_away_with_its_folder_is_no_deletion(
    update: Update, archive: Path, disk: Path, db: Path
) -> None:
    with made_by(MountedRoot):
        update()
    assert rows(db, "SELECT path, device FROM device") == [("disk/", 7)]
    away = archive.parent / "away"
    disk.rename(away)
    for _ in range(2):
        summary = update()
        assert counts(summary) == {"unchanged": 12}
        assert summary.unlooked_line() == (
            f"{disk}{os.sep}: the disk that was mounted there is away: 12 of 12 known images are "
            "gone; what was known there is kept: mount it, or, if it is gone, confirm it: sdindex "
            f"index --accept-loss {disk}"
        )
    assert update(accept_loss=True).unlooked, "the whole archive's name says nothing of it"
    disk.mkdir()
    assert counts(update(disk, accept_loss=True)) == {"missing": 12}
    assert rows(db, "SELECT path, device FROM device") == []


@pytest.mark.parametrize("mounted", [True, False])
def test_a_folder_that_is_gone_itself_is_confirmed_by_its_name(
    update: Update, index: Index, archive: Path, disk: Path, db: Path, mounted: bool
) -> None:
    with made_by(MountedRoot if mounted else LocalRoot):
        update()
    shutil.rmtree(disk)
    with pytest.raises(ArchiveUnavailableError, match="there is no folder"):
        update(disk)
    assert counts(update(disk, accept_loss=True)) == {"missing": 12}
    assert rows(db, "SELECT path, device FROM device") == []
    assert len(index.select(99)) == 12
    summary = update()
    assert counts(summary) == {"unchanged": 12}
    assert not summary.unlooked


def test_only_a_folder_of_a_known_archive_that_is_there_is_confirmed(
    update: Update, archive: Path, disk: Path, db: Path
) -> None:
    with pytest.raises(ArchiveUnavailableError, match="there is no folder"):
        update(archive / "nothing", accept_loss=True)
    assert not db.exists()
    update()
    with pytest.raises(ArchiveUnavailableError, match="there is no folder"):
        update(archive / "nothing", accept_loss=True)
    archive.rename(archive.parent / "away")
    for path in (archive, disk):
        with pytest.raises(ArchiveUnavailableError, match="is its disk mounted"):
            update(path, accept_loss=True)
    assert missing(db) == []


def test_what_was_on_a_disk_is_in_a_folder_now(
    update: Update, archive: Path, disk: Path, db: Path
) -> None:
    with made_by(MountedRoot):
        update()
    (disk / "cam0/0.jpg").unlink()
    summary = update()
    assert counts(summary) == {"unchanged": 23, "missing": 1}
    assert not summary.unlooked
    assert rows(db, "SELECT path, device FROM device") == []


SCRIPT = """
cd {folder} || exit 9
mkdir archive/disk && mount -t tmpfs none archive/disk || exit 9
cp -a disk/. archive/disk
index() {{ {program} index --workers 1 "$@" archive 2>&1; echo "exit $?"; }}
index
umount archive/disk
index
cp -a stray.jpg archive/disk
index
{program} prune 2>&1
rm archive/disk/stray.jpg
rmdir archive/disk
index
mkdir archive/disk
mount -t tmpfs none archive/disk && cp -a disk/. archive/disk
index
"""


def retouched(folder: Path) -> None:
    """Have all files of a folder be read again."""
    for file in folder.rglob("*.jpg"):
        os.utime(file, (5, 5))


def test_a_folder_that_is_emptied_while_it_is_read_is_kept_as_it_was(
    update: Update, index: Index, archive: Path, disk: Path, db: Path
) -> None:
    update()
    before = rows(db)
    retouched(disk)
    summary = index.update(archive, executor=Unplugging(5, lambda: emptied(disk, stray=True)))
    assert counts(summary) == {"unchanged": 12, "changed": 5, "skipped": 7, "read": 5}
    assert summary.unlooked_line() == (
        f"{disk}{os.sep}: 11 of 12 images went away while they were read; what was known there is "
        "kept: if its disk is away, mount it; if they were deleted, confirm it: sdindex index "
        f"--accept-loss {disk}"
    )
    assert missing(db) == []
    assert len(rows(db)) == len(before)


class PulledRoot(MountedRoot):
    """A folder of which a disk is away as soon as files are read."""

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        scanned = MountedRoot.scan if os.path.exists(self.location("disk/cam0")) else LocalRoot.scan
        yield from scanned(self, under, span=span, links=links, excluded=excluded)


@pytest.mark.parametrize("away", [emptied, None])
def test_a_disk_that_goes_while_it_is_read_is_kept_as_it_was(
    update: Update, index: Index, archive: Path, disk: Path, db: Path, away: Any
) -> None:
    pull = partial(emptied, disk, stray=True) if away else partial(disk.rename, archive / "../gone")
    with made_by(PulledRoot):
        update()
        changed = disk / "cam1/1.jpg"
        os.utime(changed, (5, 5))
        summary = index.update(archive, executor=Unplugging(0, pull))
        assert counts(summary) == {"unchanged": 23, "skipped": 1}
        assert summary.unlooked_line() == (
            f"{disk}{os.sep}: the disk that was mounted there went away while it was read; what "
            "was known there is kept: mount it and index again"
        )
        assert missing(db) == []
        assert index.prune() == 0


def test_a_folder_that_is_deleted_while_it_is_read_is_deleted(
    update: Update, index: Index, archive: Path, disk: Path, db: Path
) -> None:
    update()
    retouched(disk)
    summary = index.update(archive, executor=Unplugging(0, lambda: shutil.rmtree(disk)))
    assert not summary.unlooked
    assert len(missing(db)) == 12
