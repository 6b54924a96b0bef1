"""Archives, folders and disks that are not there: nothing that is known of them is lost."""

import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sdindex import ArchiveUnavailableError, Index
from sdindex.archive.roots import made_by
from sdindex.indexing.executors import FileByFile
from tests.conftest import make_image
from tests.indexing.conftest import Update
from tests.support.counting import counts, rows
from tests.support.roots import FailingRoot, UnpluggedRoot


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "other files"])
def test_an_archive_that_is_not_there_changes_nothing(
    update: Update, archive: Path, db: Path, left: str
) -> None:
    update()
    before = db.read_bytes()
    archive.rename(archive.parent / "unplugged")
    if left != "nothing":
        archive.mkdir()
    if left == "other files":
        (archive / "notes.txt").write_text("mount point")
    with pytest.raises(ArchiveUnavailableError, match="is its disk mounted"):
        update()
    assert db.read_bytes() == before


def test_an_unreadable_folder_keeps_what_is_known_below_it(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    (archive / "cam1/IMG_2.JPG").unlink()
    with made_by(partial(FailingRoot, refused=frozenset(["cam0/"]))):
        summary = index.update(archive, executor=threads)
    assert counts(summary) == {"unchanged": 5, "missing": 1}
    folder = os.path.join(archive, "cam0", "")
    assert [refused[:2] for refused in summary.unlooked] == [(folder, "Input/output error")]
    assert [path for path, _, since in rows(db) if since] == ["cam1/IMG_2.JPG"]


def test_a_disk_unplugged_during_the_scan_changes_nothing(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    before = rows(db)
    with made_by(UnpluggedRoot), pytest.raises(ArchiveUnavailableError):
        index.update(archive, executor=threads)
    assert not archive.exists()
    assert rows(db) == before


class Unplugging(FileByFile):
    """Runs at once, and after some files takes the disk away, or the user presses Ctrl-C."""

    def __init__(self, after: int, then: Callable[[], object]) -> None:
        self._left, self._then = after, then

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        if self._left == 0:
            self._then()
        self._left -= 1
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except OSError as problem:
            future.set_exception(problem)
        return future


def test_a_disk_unplugged_while_images_are_read_leaves_no_errors(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    away = archive.parent / "unplugged"
    with pytest.raises(ArchiveUnavailableError):
        index.update(archive, executor=Unplugging(5, lambda: archive.rename(away)))
    assert rows(db, "SELECT count(*) FROM image WHERE error IS NOT NULL") == [(0,)]
    assert rows(db, "SELECT count(*) FROM image") == [(5,)], "what was read is kept"
    away.rename(archive)
    index.update(archive, executor=threads)
    assert rows(db, "SELECT count(*) FROM image WHERE dhash IS NOT NULL") == [(12,)]


def test_an_emptied_folder_of_an_archive_names_the_way_out(update: Update, archive: Path) -> None:
    update()
    shutil.rmtree(archive / "cam0")
    (archive / "cam0").mkdir()
    with pytest.raises(ArchiveUnavailableError, match=r"--accept-loss .*archive.cam0$"):
        update(archive / "cam0")
    assert update(archive / "cam0", accept_loss=True) == {"missing": 6}
    assert update() == {"unchanged": 6}


@pytest.mark.skipif(sys.platform == "win32", reason="this user may not make links")
def test_a_link_to_a_disk_that_is_not_mounted(
    index: Index, archive: Path, tmp_path: Path, threads: Executor
) -> None:
    disk = make_image(tmp_path / "disk" / "a.jpg", 50).parent
    (archive / "linked").symlink_to(disk)
    (archive / "litter").symlink_to(tmp_path / "nothing")
    assert counts(index.update(archive, executor=threads)) == {"new": 13, "read": 13}
    disk.rename(tmp_path / "unmounted")
    summary = index.update(archive, executor=threads)
    assert counts(summary) == {"unchanged": 12}
    assert [place.reason for place in summary.unlooked] == ["its target is not there"]
    (tmp_path / "unmounted").rename(disk)
    assert counts(index.update(archive, executor=threads)) == {"unchanged": 13}


@pytest.mark.skipif(sys.platform == "win32", reason="this user may not make links")
def test_a_link_to_an_image_on_a_disk_that_is_not_mounted(
    index: Index, archive: Path, tmp_path: Path, threads: Executor, db: Path
) -> None:
    image = make_image(tmp_path / "disk" / "a.jpg", 50)
    (archive / "linked.jpg").symlink_to(image)
    (archive / "litter.jpg").symlink_to(tmp_path / "nothing")
    assert counts(index.update(archive, executor=threads)) == {"new": 13, "read": 13}
    image.parent.rename(tmp_path / "unmounted")
    for _ in range(2):
        summary = index.update(archive, executor=threads)
        assert counts(summary) == {"unchanged": 12}
        assert [place[:2] for place in summary.unlooked] == [
            (str(archive / "linked.jpg"), "its target is not there")
        ]
    assert len(index.select(100)) == 13
    (archive / "linked.jpg").unlink()
    assert counts(index.update(archive, executor=threads)) == {"unchanged": 12, "missing": 1}
    (archive / "linked.jpg").symlink_to(image)
    assert not index.update(archive, executor=threads).unlooked, "it is missing already"
