"""Files and disks that fail, vanish or have impossible names while they are read."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from errno import EACCES, EIO
from functools import partial
from pathlib import Path

import pytest

from sdindex import ArchiveUnavailableError, Index
from sdindex.archive.roots import made_by
from sdindex.indexing import sections
from tests.conftest import CHECKOUT, make_image
from tests.indexing.test_losses import SCRIPT, emptied
from tests.indexing.test_unplugged import Unplugging
from tests.support.counting import counts, rows
from tests.support.roots import FailingRoot


@pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does")
def test_a_real_disk_in_the_archive(tmp_path: Path, archive: Path, disk: Path) -> None:
    disk.rename(tmp_path / "disk")
    make_image(tmp_path / "stray.jpg", 99)
    script = SCRIPT.format(folder=tmp_path, program=f"{sys.executable} -m sdindex")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 9 or "unshare" in done.stderr:
        pytest.skip("this user may not mount a disk")
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("exit")] == [
        "exit 0", "exit 1", "exit 1", "exit 1", "exit 0",
    ]  # fmt: skip
    away = "the disk that was mounted there is away: 12 of 12 known images are gone"
    assert sum(away in line for line in lines) == 3
    assert "24 files: 0 new, 0 changed, 0 moved, 24 unchanged" in lines[-2]
    assert "removed 0 images from the index" in lines


def test_a_disk_that_fails_for_one_file_after_another_ends_the_run(
    index: Index, archive: Path, threads: Executor, db: Path
) -> None:
    for number in range(120):
        make_image(archive / f"many/{number:03}.png", number, (9, 8))
    index.update(archive, executor=threads)
    before = rows(db)
    failing = frozenset(f"many/{number:03}.png" for number in range(110))
    with (
        made_by(partial(FailingRoot, refused=failing, number=EIO)),
        pytest.raises(ArchiveUnavailableError, match="one file after another: Input/output error"),
    ):
        index.update(archive, executor=threads)
    assert rows(db) == before
    with made_by(partial(FailingRoot, refused=failing, number=EACCES)):
        summary = index.update(archive, executor=threads)
    assert counts(summary) == {"unchanged": 22}
    assert len(summary.unlooked) == 110
    assert rows(db) == before


def test_a_changed_file_that_is_gone_before_it_is_read_is_not_drawn(
    index: Index, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    changed = make_image(archive / "cam0/IMG_1.JPG", 60)

    summary = index.update(archive, executor=Unplugging(0, changed.unlink))
    assert counts(summary) == {"unchanged": 11, "skipped": 1}
    assert str(changed) not in [image.path for image in index.select(99)]
    make_image(changed, 61)
    assert counts(index.update(archive, executor=threads)) == {
        "changed": 1, "unchanged": 11, "read": 1,
    }  # fmt: skip


def test_new_files_that_vanish_in_number_are_told(index: Index, archive: Path, disk: Path) -> None:
    summary = index.update(archive, executor=Unplugging(20, lambda: emptied(disk, stray=False)))
    assert [one.path for one in summary.unlooked] == [f"{disk}{os.sep}"]


@contextmanager
def below_long_names(folder: Path) -> Iterator[None]:
    """Be in a folder whose absolute name no system opens, and take it away again."""
    here = Path.cwd()
    os.chdir(folder)
    deep = ["d" * 200] * 25
    for name in deep:
        Path(name).mkdir(exist_ok=True)
        os.chdir(name)
    try:
        yield
    finally:
        os.chdir(here)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses to make them")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_name_that_no_system_opens_is_told_and_no_error(
    index: Index,
    archive: Path,
    threads: Executor,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    monkeypatch.setattr(sections, "SECTION_IMAGES", 4)
    with below_long_names(archive):
        make_image(Path("a.jpg"), 70)
    try:
        for _ in range(2):
            caplog.clear()
            summary = index.update(
                archive, workers=workers, executor=threads if workers == 1 else None
            )
            assert summary.found == 12
            assert not summary.unlooked
            (record,) = caplog.records
            assert "passed over, as the whole name is longer than this system" in record.message
            assert record.message.endswith("shorten the names of its folders")
    finally:
        with below_long_names(archive):
            Path("a.jpg").unlink()
