"""Times that are all shifted alike, and times that a disk cuts."""

import os
from concurrent.futures import Executor
from pathlib import Path

import pytest

from sdindex import Index, UsageError
from tests.conftest import LONG_AGO, make_image
from tests.indexing.conftest import Update
from tests.support.counting import counts, rows


def shift_times(archive: Path, seconds: int) -> None:
    for file in archive.rglob("*.*"):
        stamp = file.stat().st_mtime_ns + seconds * 1_000_000_000
        os.utime(file, ns=(stamp, stamp))


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_all_times_shifted_by_an_hour_are_said_once_and_accepted(
    update: Update,
    index: Index,
    archive: Path,
    db: Path,
    opened: list[str],
    caplog: pytest.LogCaptureFixture,
    seconds: int,
) -> None:
    (archive / "cam0/broken.jpg").write_bytes(b"")
    os.utime(archive / "cam0/broken.jpg", (LONG_AGO, LONG_AGO))
    update()
    missing, away = archive / "cam1/IMG_2.JPG", archive.parent / "away.jpg"
    missing.rename(away)
    update()
    before = rows(db, "SELECT id, path, size, mtime_ns, dhash FROM image ORDER BY id")
    away.rename(missing)
    shift_times(archive, seconds)
    make_image(archive / "new.jpg", 77)
    (archive / "cam0/IMG_1.JPG").unlink()
    opened.clear()
    assert update(accept_shift=True) == {
        "new": 1, "unchanged": 11, "missing": 1, "unreadable": 1, "read": 1,
    }  # fmt: skip
    assert opened == [str(archive / "new.jpg")]
    assert caplog.records == []
    after = rows(db, "SELECT id, path, size, mtime_ns, dhash FROM image ORDER BY id")
    by = seconds * 1_000_000_000
    assert after[:-1] == [
        (*row[:3], row[3] + (0 if row[1] == "cam0/IMG_1.JPG" else by), row[4]) for row in before
    ]
    assert len(index.select(100)) == 12, "what came back is drawn again"
    assert update() == {"unchanged": 12, "unreadable": 1}
    shift_times(archive, -seconds)
    assert update()["read"] == 13
    assert [record.message for record in caplog.records] == [
        f"{archive}: mtime an hour {'earlier' if seconds > 0 else 'later'} for all 13 known files, "
        "as when daylight saving time changes on exFAT; they are read, and with --accept-shift "
        "would count as unchanged"
    ]
    assert update() == {"unchanged": 12, "unreadable": 1}


def test_a_shift_of_some_files_is_a_change(
    update: Update, archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    update()
    shift_times(archive / "cam0", 3600)
    assert update(accept_shift=True) == {"changed": 6, "unchanged": 6, "read": 6}
    shift_times(archive / "cam0", 3600)
    assert update(archive / "cam0", accept_shift=True) == {"unchanged": 6}, "all of this part"
    shift_times(archive, 3600)
    shift_times(archive / "cam1", -7200)
    assert update(accept_shift=True) == {"changed": 12, "read": 12}
    assert caplog.records == []


def test_what_is_to_be_read_whatever_its_time_is_not_accepted(
    update: Update, archive: Path
) -> None:
    os.utime(archive / "cam0/IMG_1.JPG")  # just now: not settled
    update()
    shift_times(archive, 3600)
    assert update(accept_shift=True) == {"unchanged": 12, "read": 1}
    shift_times(archive, 3600)
    assert update(method="exact", accept_shift=True) == {"changed": 12, "read": 12}


def test_single_files_say_nothing_of_a_shift(
    index: Index, archive: Path, threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    files = sorted(archive.rglob("*.JPG"))
    index.update_files(files, executor=threads)
    shift_times(archive, 3600)
    assert counts(index.update_files(files, executor=threads)) == {"changed": 12, "read": 12}
    assert caplog.records == []


def test_a_shift_cannot_be_accepted_strictly(index: Index, archive: Path) -> None:
    with pytest.raises(UsageError, match="not with accept_shift"):
        index.update(archive, strict=True, accept_shift=True)


def test_times_cut_to_two_seconds_are_read_once(update: Update, archive: Path) -> None:
    for file in archive.rglob("*.JPG"):
        os.utime(file, ns=(0, LONG_AGO * 1_000_000_000 + 1_234_567_800))
    update()
    for file in archive.rglob("*.JPG"):  # what exFAT gives back after it was mounted again
        os.utime(file, (0, file.stat().st_mtime // 2 * 2))
    assert update() == {"changed": 12, "read": 12}
    assert update() == {"unchanged": 12}
