"""Cards that count from 1: two with the same names are two, and one that moved is itself."""

import os
import shutil
from concurrent.futures import Executor
from pathlib import Path

import pytest
import sqlalchemy as sa

from sdindex import ArchiveError, Index
from sdindex.store import frames
from tests.conftest import LONG_AGO, make_image
from tests.support.counting import counts, rows

COUNT = 12
LABEL_FILE = "path,label\n"


def card(folder: Path, first_seed: int) -> Path:
    """Return a card's folder: names from IMG_0001 on, whatever card it is."""
    for number in range(COUNT):
        make_image(folder / "DCIM/100RECNX" / f"IMG_{number + 1:04}.JPG", first_seed + number)
    return folder


@pytest.fixture
def first(index: Index, tmp_path: Path, threads: Executor) -> Path:
    """Return a card that was indexed, and is labelled."""
    folder = card(tmp_path / "first", 0)
    index.update(folder, executor=threads)
    names = [f"DCIM/100RECNX/IMG_{number + 1:04}.JPG,fox\n" for number in range(COUNT)]
    (tmp_path / "labels.csv").write_text(LABEL_FILE + "".join(names))
    index.import_labels(tmp_path / "labels.csv")
    return folder


def test_another_card_is_indexed_as_another_one(
    index: Index, first: Path, tmp_path: Path, threads: Executor, db: Path
) -> None:
    first.rename(tmp_path / "away")
    second = card(tmp_path / "second", 100)
    assert counts(index.update(second, executor=threads)) == {"new": COUNT, "read": COUNT}
    assert len(rows(db, "SELECT * FROM archive")) == 2
    assert len(index.select(99)) == 2 * COUNT
    assert len(index.select(99, labels=["fox"])) == COUNT


def test_another_card_gets_none_of_the_firsts_labels(
    index: Index, first: Path, tmp_path: Path, db: Path
) -> None:
    first.rename(tmp_path / "away")
    second = card(tmp_path / "second", 100)
    before = rows(db, "SELECT * FROM archive")
    with pytest.raises(ArchiveError, match=r"0 of 12 .* size and time .* archive of its own"):
        index.relocate(first, second)
    assert rows(db, "SELECT * FROM archive") == before
    index.relocate(first, tmp_path / "away")
    assert all(image.path.startswith(str(tmp_path / "away")) for image in index.select(99))


@pytest.mark.parametrize("seconds", [0, 2, -2])
def test_a_card_that_moved_is_known_to_two_seconds(
    index: Index, first: Path, tmp_path: Path, threads: Executor, seconds: int
) -> None:
    moved = tmp_path / "moved"
    shutil.move(first, moved)
    for number, file in enumerate(sorted(moved.rglob("*.JPG"))):
        stamp = file.stat().st_mtime_ns + seconds * 1_000_000_000
        if number < COUNT // 2 - 1:  # most is enough: these were changed meanwhile
            stamp += 60_000_000_000
        os.utime(file, ns=(stamp, stamp))
    with pytest.raises(ArchiveError, match=r"say that it moved: sdindex relocate"):
        index.update(moved, executor=threads)
    index.relocate(first, moved)
    assert len(index.select(99, labels=["fox"])) == COUNT


def test_half_of_the_files_is_another_card(
    index: Index, first: Path, tmp_path: Path, threads: Executor
) -> None:
    second = tmp_path / "second"
    shutil.move(first, second)
    for number, file in enumerate(sorted(second.rglob("*.JPG"))):
        if number % 2:
            os.utime(file, (LONG_AGO, LONG_AGO + number + 3))  # three seconds later
    with pytest.raises(ArchiveError, match="6 of 12"):
        index.relocate(first, second)
    assert counts(index.update(second, executor=threads)) == {"new": COUNT, "read": COUNT}


@pytest.mark.sqlite_file
def test_a_new_card_takes_no_longer_in_a_larger_archive(
    index: Index, first: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_MOST_CHANGED", 0)  # though its images are few
    away = (first / "DCIM/100RECNX/IMG_0001.JPG").rename(first.parent / "away.JPG")
    index.update(first, executor=threads)
    plans: list[str] = []

    def explain(connection: sa.Connection, _: object, statement: str, values: object,
                *rest: object) -> None:  # fmt: skip
        if " image" in statement and statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
            one = values[0] if isinstance(values, list) else values
            driver = connection.connection.driver_connection
            assert driver
            found = driver.execute(f"EXPLAIN QUERY PLAN {statement}", one).fetchall()
            plans.extend(f"{detail} in {statement}" for *_, detail in found)

    card(first / "newer", 200)
    away.rename(first / "newer/IMG_0001.JPG")
    sa.event.listen(sa.Engine, "before_cursor_execute", explain)
    try:
        summary = index.update(first / "newer", executor=threads)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", explain)
    assert (summary.new, summary.moved) == (COUNT, 1)
    assert any(plan.startswith("SEARCH image USING INTEGER PRIMARY KEY") for plan in plans)
    for plan in plans:
        assert not plan.startswith("SCAN image"), plan
        by_archive = "(archive_id=?)" in plan and "SEARCH image" in plan
        assert not by_archive or "ix_image_missing" in plan, plan
