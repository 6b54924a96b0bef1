"""What an update reads, keeps and forgets, and what it says of it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from sdindex import ArchiveError, Index
from sdindex.indexing.ingest import BATCH_FILES
from tests.conftest import LONG_AGO, make_image
from tests.indexing.conftest import Update
from tests.indexing.test_unplugged import Unplugging
from tests.support.counting import counts, rows
from tests.support.straight import connected


def test_each_file_is_read_once_and_never_again(update: Update, opened: list[str]) -> None:
    assert update() == {"new": 12, "read": 12}
    assert len(opened) == len(set(opened)) == 12
    opened.clear()
    assert update() == {"unchanged": 12}
    assert opened == []


def test_only_what_changed_is_read(update: Update, archive: Path, opened: list[str]) -> None:
    update()
    touched, replaced, deleted = (archive / f"cam0/IMG_{n}.JPG" for n in (1, 3, 5))
    os.utime(touched, (LONG_AGO - 1, LONG_AGO - 1))  # older is a change, too
    size = replaced.stat().st_size
    make_image(replaced, seed=99)
    with replaced.open("ab") as file:
        file.truncate(size)
    os.utime(replaced, ns=(1, 1))
    deleted.unlink()
    added = make_image(archive / "cam1/IMG_99.JPG", 98)
    (archive / "cam1").rename(archive / "renamed")
    opened.clear()
    summary = update()
    assert summary == {
        "new": 1, "changed": 2, "moved": 6, "unchanged": 3, "missing": 1, "read": 3,
    }  # fmt: skip
    assert sorted(opened) == sorted(map(str, [touched, replaced, archive / "renamed" / added.name]))


def test_one_nanosecond_is_a_change(update: Update, archive: Path) -> None:
    update()
    file = archive / "cam0/IMG_1.JPG"
    stamp = file.stat().st_mtime_ns
    os.utime(file, ns=(stamp, stamp + 100))  # Windows counts in hundreds
    assert update() == {"changed": 1, "unchanged": 11, "read": 1}


def test_times_before_1970_and_after_2038(update: Update, archive: Path) -> None:
    os.utime(archive / "cam0/IMG_1.JPG", (5_000_000_000, 5_000_000_000))
    if sys.platform != "win32":
        os.utime(archive / "cam0/IMG_3.JPG", (-1000, -1000))
    update()
    assert update() == {"unchanged": 12}


def test_a_file_written_just_now_is_read_again(update: Update, archive: Path) -> None:
    os.utime(archive / "cam0/IMG_1.JPG")
    update()
    assert update() == {"unchanged": 12, "read": 1}


def test_a_changed_method_reads_everything(update: Update, db: Path) -> None:
    update()
    assert update(method="exact") == {"changed": 12, "read": 12}
    assert rows(db, "SELECT DISTINCT method FROM image") == [("exact-1",)]
    assert update() == {"unchanged": 12}, "without a method, the archive keeps its own"


def test_a_part_cannot_have_a_method_of_its_own(update: Update, archive: Path) -> None:
    update()
    with pytest.raises(ArchiveError, match="two methods do not mix"):
        update(archive / "cam0", method="exact")


def test_a_hash_of_an_older_version_of_the_method_is_made_again(update: Update, db: Path) -> None:
    update()
    connection = connected(db)
    connection.execute("UPDATE image SET method = 'scaled-0' WHERE id = 1")
    connection.commit()
    connection.close()
    assert update() == {"changed": 1, "unchanged": 11, "read": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="there, ctime is the time of creation")
def test_strict_sees_a_rewrite_that_keeps_size_and_mtime(update: Update, archive: Path) -> None:
    update()
    file = archive / "cam0/IMG_1.JPG"
    content, status = file.read_bytes(), file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert update() == {"unchanged": 12}
    assert update(strict=True) == {"changed": 1, "unchanged": 11, "read": 1}
    assert update(strict=True) == {"unchanged": 12}


def test_a_broken_image_costs_nothing_but_itself(update: Update, archive: Path, db: Path) -> None:
    (archive / "cam0/broken.jpg").write_bytes(b"no image")
    os.utime(archive / "cam0/broken.jpg", (LONG_AGO, LONG_AGO))
    assert update() == {"new": 12, "unreadable": 1, "read": 13}
    assert update() == {"unchanged": 12, "unreadable": 1}, "it is not tried again"
    make_image(archive / "cam0/broken.jpg", 50)
    assert update() == {"changed": 1, "unchanged": 12, "read": 1}
    assert rows(db, "SELECT count(*) FROM image WHERE error IS NOT NULL") == [(0,)]


def test_a_missing_file_keeps_its_hash_and_comes_back_for_nothing(
    update: Update, archive: Path, db: Path, opened: list[str]
) -> None:
    update()
    before = rows(db)
    away = archive.parent / "away.jpg"
    (archive / "cam0/IMG_1.JPG").rename(away)
    assert update() == {"unchanged": 11, "missing": 1}
    assert update() == {"unchanged": 11}, "it is told once"
    assert [path for path, _, since in rows(db) if since] == ["cam0/IMG_1.JPG"]
    opened.clear()
    away.rename(archive / "cam0/IMG_1.JPG")
    assert update() == {"unchanged": 12}
    assert opened == []
    assert rows(db) == before


def test_a_file_gone_earlier_turns_up_elsewhere(update: Update, archive: Path) -> None:
    update()
    away = archive.parent / "IMG_1.JPG"
    (archive / "cam0/IMG_1.JPG").rename(away)
    assert update() == {"unchanged": 11, "missing": 1}
    (archive / "later").mkdir()
    away.rename(archive / "later/IMG_1.JPG")
    assert update() == {"moved": 1, "unchanged": 11}


def test_two_candidates_are_no_move(update: Update, archive: Path) -> None:
    for folder in ("a", "b"):
        shutil.copytree(archive / "cam0", archive / folder)
    update()
    shutil.rmtree(archive / "a")
    (archive / "b").rename(archive / "c")
    assert update() == {"new": 6, "unchanged": 12, "missing": 12, "read": 6}


def test_a_copy_is_no_move(update: Update, archive: Path, opened: list[str]) -> None:
    update()
    shutil.copytree(archive / "cam0", archive / "copy")
    opened.clear()
    assert update() == {"new": 6, "unchanged": 12, "read": 6}
    assert all("copy" in path for path in opened)


def test_a_part_of_an_archive(update: Update, archive: Path, db: Path) -> None:
    update()
    (archive / "cam0/IMG_1.JPG").unlink()
    (archive / "cam1/IMG_2.JPG").unlink()
    assert update(archive / "cam0") == {"unchanged": 5, "missing": 1}
    assert len(rows(db, "SELECT * FROM archive")) == 1
    assert update() == {"unchanged": 10, "missing": 1}


def test_the_same_archive_by_another_name(update: Update, archive: Path) -> None:
    update()
    link = archive.parent / "link"
    try:
        link.symlink_to(archive)
    except OSError:
        pytest.skip("this user may not make links")
    assert update(link) == {"unchanged": 12}
    assert update(link / "cam0") == {"unchanged": 6}


def test_archives_may_not_overlap(update: Update, archive: Path) -> None:
    update(archive / "cam0")
    with pytest.raises(ArchiveError, match="overlap"):
        update(archive)


def test_a_file_gone_before_it_was_read_is_skipped(index: Index, archive: Path) -> None:
    def remove() -> None:
        (archive / "cam1/IMG_12.JPG").unlink(missing_ok=True)

    summary = index.update(archive, executor=Unplugging(5, remove))
    assert counts(summary) == {"new": 11, "skipped": 1, "read": 11}


def test_an_interruption_loses_at_most_a_batch(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    for seed in range(2 * BATCH_FILES):
        make_image(archive / "many" / f"{seed}.png", seed, size=(9, 8))

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(archive, executor=Unplugging(2 * BATCH_FILES - 10, interrupt))
    (kept,) = rows(db, "SELECT count(*) FROM image")[0]
    assert kept >= BATCH_FILES
    summary = index.update(archive, executor=threads)
    assert (summary.unchanged, summary.new) == (kept, 12 + 2 * BATCH_FILES - kept)


def test_what_the_system_refuses_is_tried_again(index: Index, archive: Path) -> None:
    class Refusing(Unplugging):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
            future: Future[Any] = Future()
            future.set_exception(PermissionError(13, "Permission denied"))
            return future

    assert counts(index.update(archive, executor=Refusing(0, int))) == {
        "unreadable": 12,
        "read": 12,
    }
    assert index.errors()[0].reason == "cannot be read: Permission denied"
    assert counts(index.update(archive, executor=Unplugging(-1, int))) == {
        "changed": 12,
        "read": 12,
    }


def test_relocate_reads_nothing(
    update: Update, index: Index, archive: Path, opened: list[str]
) -> None:
    update()
    opened.clear()
    elsewhere = archive.parent / "elsewhere"
    archive.rename(elsewhere)
    with pytest.raises(ArchiveError, match=r"sdindex relocate .*archive .*elsewhere"):
        update(elsewhere)
    index.relocate(archive, elsewhere)
    assert update(elsewhere) == {"unchanged": 12}
    assert opened == []
    assert all(one.path.startswith(str(elsewhere)) for one in index.select(5))


def test_relocate_refuses_what_is_not_the_archive(
    update: Update, index: Index, archive: Path, tmp_path: Path
) -> None:
    update()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match="0 of 12 that were looked for"):
        index.relocate(archive, tmp_path / "empty")
    with pytest.raises(ArchiveError, match="there is no folder"):
        index.relocate(archive, tmp_path / "nowhere")
    with pytest.raises(ArchiveError, match="not an archive of this index; it holds"):
        index.relocate(tmp_path / "nowhere", archive)


def test_prune_forgets_what_is_missing_and_nothing_else(
    update: Update, index: Index, archive: Path, db: Path
) -> None:
    update()
    (archive / "cam0/IMG_1.JPG").unlink()
    update()
    assert index.prune() == 1
    assert len(rows(db)) == 11
    assert index.prune() == 0
    assert index.prune(archive) == 11
    assert index.status().archives == []


def test_worker_processes_give_what_this_process_gives(
    index: Index, archive: Path, db: Path, tmp_path: Path, threads: Executor
) -> None:
    index.update(archive)
    with Index(tmp_path / "other.db") as other:
        other.update(archive, executor=threads)
    query = "SELECT path, size, mtime_ns, dhash, error, method, sort_key, brightness FROM image"
    assert sorted(rows(db, query)) == sorted(rows(tmp_path / "other.db", query))


@pytest.mark.skipif(sys.platform != "linux", reason="such times are Linux's")
def test_a_time_beyond_2262_stops_nothing(update: Update, archive: Path) -> None:
    os.utime(archive / "cam0/IMG_1.JPG", (13_569_465_600, 13_569_465_600))
    assert update() == {"new": 12, "read": 12}
    assert update() == {"unchanged": 12}


def test_a_new_folder_without_images_is_no_archive(update: Update, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match=r"holds no image files \(.jpg"):
        update(tmp_path / "empty")
    (tmp_path / "file.jpg").write_bytes(b"")
    with pytest.raises(ArchiveError, match="is a file; name its folder"):
        update(tmp_path / "file.jpg")


def test_folders_that_are_named_twice_count_once(update: Update, archive: Path) -> None:
    assert update(archive, archive / "cam0", archive) == {"new": 12, "read": 12}


def test_two_archives_are_hashed_alike(
    index: Index, archive: Path, tmp_path: Path, threads: Executor
) -> None:
    other = make_image(tmp_path / "other" / "a.jpg").parent
    index.update(archive, executor=threads, method="exact")
    index.update(other, executor=threads)
    assert {one.method for one in index.status().archives} == {"exact"}
    assert len(index.select(100)) == 13


def test_two_first_runs_at_once_both_do_their_work(archive: Path, db: Path) -> None:
    command = [sys.executable, "-m", "sdindex", "--db", str(db), "index", str(archive)]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    shown = [run.communicate(timeout=60)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert sum("12 new" in text for text in shown) == 1
    assert sum("12 unchanged" in text for text in shown) == 2
    waited = r"another sdindex( of .*)? (is writing|makes) .*: waiting for it"
    assert any(re.search(waited, text) for text in shown), shown
    assert rows(db, "SELECT count(*) FROM image") == [(12,)]


def test_many_moves_and_losses(index: Index, archive: Path, threads: Executor) -> None:
    for seed in range(2500):
        make_image(archive / "many" / f"{seed}.png", seed, size=(9, 8))
    index.update(archive, executor=threads)
    (archive / "many").rename(archive / "renamed")
    shutil.rmtree(archive / "cam0")
    summary = index.update(archive, executor=threads)
    assert counts(summary) == {"moved": 2500, "unchanged": 6, "missing": 6}
    assert len(index.select(9999)) == 2506


def test_every_file_counts_once_whatever_became_of_it(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    for name in ("broken", "broken too"):
        (archive / f"cam0/{name}.jpg").write_bytes(b"no image")
        os.utime(archive / f"cam0/{name}.jpg", (LONG_AGO, LONG_AGO))
    index.update(archive, executor=threads)
    make_image(archive / "cam0/IMG_1.JPG", 60)
    (archive / "cam0/IMG_3.JPG").write_bytes(b"now broken")
    (archive / "cam0/broken too.jpg").rename(archive / "cam1/broken too.jpg")
    (archive / "cam0/IMG_5.JPG").rename(archive / "cam1/IMG_5.JPG")
    (archive / "cam0/IMG_7.JPG").unlink()
    make_image(archive / "cam1/new.jpg", 61)
    (archive / "cam1/new and broken.jpg").write_bytes(b"")
    make_image(archive / "zz/vanishing.jpg", 62)
    summary = index.update(archive, executor=Unplugging(3, (archive / "zz/vanishing.jpg").unlink))
    assert counts(summary) == {
        "new": 1, "changed": 1, "moved": 2, "unchanged": 8, "unreadable": 3, "skipped": 1,
        "missing": 1, "read": 4,
    }  # fmt: skip
    assert (
        summary.found
        == 16
        == sum(
            getattr(summary, name)
            for name in ("new", "changed", "moved", "unchanged", "unreadable", "skipped")
        )
    )
