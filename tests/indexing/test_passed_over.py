"""What an index holds of files that are passed over now is forgotten, and no loss."""

import os
from concurrent.futures import Executor
from pathlib import Path

import pytest

from sdindex import ArchiveError, Index, Summary, UsageError
from tests.conftest import make_image
from tests.support.commands import run
from tests.support.counting import counts, rows
from tests.support.straight import connected


@pytest.fixture
def littered(archive: Path, index: Index, threads: Executor) -> Path:
    """Return an archive whose index, from before, holds what is litter now."""
    for seed in range(20, 34):
        make_image(archive / "cam0" / "eaDir" / f"IMG_{seed}.JPG" / "thumb.jpg", seed)
    make_image(archive / "cam1" / "shadow.jpg", 40)
    index.update(archive, executor=threads)
    (archive / "cam0" / "eaDir").rename(archive / "cam0" / "@eaDir")
    (archive / "cam1" / "shadow.jpg").rename(archive / "cam1" / "._shadow.jpg")
    return archive


def older(db: Path) -> None:
    """Give the rows of litter the names that an older program stored."""
    with connected(db) as connection:
        connection.execute("UPDATE image SET path = replace(path, '/eaDir/', '/@eaDir/')")
        connection.execute("UPDATE image SET path = replace(path, '/shadow', '/._shadow')")
    connection.close()


def test_litter_of_an_old_index_is_forgotten_and_no_loss(
    littered: Path, index: Index, db: Path, threads: Executor
) -> None:
    older(db)
    summary = index.update(littered, executor=threads)
    assert counts(summary) == {"unchanged": 12}
    assert (summary.forgotten, summary.kept, summary.unlooked) == (15, 0, [])
    assert "15 passed over from now on, and forgotten" in str(summary)
    assert str(summary).endswith("\nalso there, not indexed: 14 files in @eaDir; 1 ._*")
    assert len(rows(db)) == len(index.select(100)) == 12
    assert index.update(littered, executor=threads).forgotten == 0


def test_what_a_saved_sample_has_is_kept_as_missing_and_told_once(
    littered: Path, index: Index, db: Path, threads: Executor
) -> None:
    index.select(100, save="all")
    older(db)
    summary = index.update(littered, executor=threads)
    assert (summary.forgotten, summary.kept) == (0, 15)
    assert "15 passed over from now on, and kept for saved samples as missing" in str(summary)
    assert len(index.select(100)) == 12
    again = index.update(littered, executor=threads)
    assert (again.forgotten, again.kept) == (0, 0)
    index.drop_sample("all")
    assert index.update(littered, executor=threads).forgotten == 15


def test_a_large_archive_forgets_in_sections_too(
    littered: Path, index: Index, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older(db)
    monkeypatch.setattr("sdindex.indexing.sections.SECTION_IMAGES", 4)
    summary: Summary = index.update(littered, workers=2)
    assert counts(summary) == {"unchanged": 12}
    assert summary.forgotten == 15
    assert str(summary.beside) == "14 files in @eaDir; 1 ._*"


def test_a_folder_of_an_archive_that_holds_nothing_but_litter(
    archive: Path, index: Index, threads: Executor
) -> None:
    os.makedirs(archive / "cam2")
    (archive / "cam2" / "._1.jpg").write_bytes(b"x")
    assert counts(index.update(archive, executor=threads)) == {"new": 12, "read": 12}


def test_what_is_excluded_is_kept_with_the_archive_changed_and_cleared(
    archive: Path, index: Index, threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    index.update(archive, executor=threads)
    summary = index.update(archive, executor=threads, exclude="cam0/")
    assert (counts(summary), summary.forgotten) == ({"unchanged": 6}, 6)
    assert str(summary).endswith("not indexed: 1 folder excluded")
    assert index.status().archives[0].excluded == ("cam0/",)
    assert len(index.select(100)) == 6
    assert counts(index.update(archive, executor=threads)) == {"unchanged": 6}
    assert not caplog.messages
    # Others take their place, and that is said.
    summary = index.update(archive, executor=threads, exclude=["IMG_1*", "IMG_2.JPG"])
    assert "no longer excluded: cam0/" in caplog.text
    assert (counts(summary), summary.forgotten) == ({"new": 4, "unchanged": 3, "read": 4}, 3)
    assert counts(index.update(archive, executor=threads, exclude="")) == {
        "new": 5, "unchanged": 7, "read": 5
    }  # fmt: skip
    assert index.status().archives[0].excluded == ()


def test_what_is_excluded_stays_in_a_saved_sample_and_comes_back(
    archive: Path, index: Index, threads: Executor, opened: list[str]
) -> None:
    index.update(archive, executor=threads)
    index.select(100, save="all")
    summary = index.update(archive, executor=threads, exclude="cam1")
    assert (summary.forgotten, summary.kept, summary.missing) == (0, 6, 0)
    assert len(index.select(100)) == 6
    opened.clear()
    assert counts(index.update(archive, executor=threads, exclude="")) == {"unchanged": 12}
    assert opened == []
    assert len(index.select(100)) == 12


def test_globs_that_cannot_be_meant_change_nothing(
    archive: Path, index: Index, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    with pytest.raises(UsageError, match="is kept with a whole archive"):
        index.update(archive / "cam0", executor=threads, exclude="x")
    with pytest.raises(UsageError, match=r"relative to the archive: '/cam0'"):
        index.update(archive, executor=threads, exclude=str(archive / "cam0"))
    with pytest.raises(ArchiveError, match="no image files beside those that are excluded"):
        index.update(archive, executor=threads, exclude="*")
    with pytest.raises(UsageError, match="leaves nothing out"):
        index.update(archive, executor=threads, exclude="[")
    assert index.status().archives[0].excluded == ()
    assert len(index.select(100)) == 12


def test_a_folder_that_is_passed_over_is_not_indexed_by_its_name(
    archive: Path, index: Index, threads: Executor
) -> None:
    index.update(archive, executor=threads, exclude="cam1")
    make_image(archive / "lost+found" / "a" / "1.jpg", 77)
    with pytest.raises(ArchiveError, match="is excluded from"):
        index.update(archive / "cam1", executor=threads)
    with pytest.raises(ArchiveError, match="systems and programs leave"):
        index.update(archive / "lost+found" / "a", executor=threads)
    assert len(index.select(100)) == 6


def test_the_command_line_excludes_and_status_shows_it(archive: Path, db: Path) -> None:
    run("index", archive, "--exclude", "cam0/", "--exclude", "*_thumb x.jpg", db=db)
    shown = run("status", db=db).stdout
    assert f"excluded from {archive}: cam0/ '*_thumb x.jpg'" in shown
    assert "1 folder excluded" in run("index", archive, db=db).stderr
    run("index", archive, "--exclude", "", db=db)
    assert "excluded" not in run("status", db=db).stdout
