"""What an index holds of files that are passed over now is forgotten, and no loss."""

import os
import sqlite3
from concurrent.futures import Executor
from pathlib import Path

import pytest

from sdindex import Index, Summary
from tests.conftest import make_image
from tests.support.counting import counts, rows


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
    with sqlite3.connect(db) as connection:
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
