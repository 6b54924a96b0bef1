"""What is damaged is told as such, in one line, and never answered from."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path

import pytest

from sdindex import Index, IndexUnusableError
from sdindex.store import sqlite
from sdindex.store import sqlite_damage as damage
from sdindex.store.database import Store
from tests.store.test_database import change, make_index

pytestmark = pytest.mark.sqlite_file


def questions(index: Index) -> list[Callable[[], object]]:
    samples = [lambda: index.select(5), lambda: index.select(10**6)]
    return [index.status, index.errors, index.buckets, *samples]


def refusal(question: Callable[[], object]) -> str:
    try:
        question()
    except IndexUnusableError as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE image SET path = CAST(x'c1' AS TEXT) WHERE id = 3",
        "UPDATE image SET path = x'41' WHERE id = 3",
        "UPDATE frame_column SET data = 'a text' WHERE name = 'hash'",
        "UPDATE frame_column SET data = x'00' WHERE name = 'hash'",
        "UPDATE frame_column SET data = CAST(x'01' || substr(data, 2) AS BLOB)",
        "DELETE FROM frame_column WHERE name = 'hash'",
        "UPDATE image SET taken_at = 'never' WHERE id = 3",
        "UPDATE image SET dhash = 'a text' WHERE id = 3",
        "UPDATE frame_bucket SET images = 'a text'",
        "UPDATE archive SET root = x'ff'",
    ],
)
def test_values_that_nobody_wrote_are_damage(
    index: Index, archive: Path, db: Path, statement: str
) -> None:
    index.update(archive)
    change(db, statement)
    before = db.read_bytes()
    refusals = [problem for problem in map(refusal, questions(index)) if problem]
    assert refusals
    assert all("damaged" in problem and "\n" not in problem for problem in refusals)
    assert db.read_bytes() == before


def test_a_fault_of_the_program_is_not_taken_for_damage(db: Path) -> None:
    make_index(db)
    with pytest.raises(ZeroDivisionError), Store(db).reading():
        1 / 0  # noqa: B018


@pytest.mark.parametrize("content", [b"x", b"\n", b"S" * 511, b"\0" * 4096])
def test_a_short_file_is_not_written_over(
    index: Index, db: Path, archive: Path, threads: Executor, content: bytes
) -> None:
    db.write_bytes(content)
    with pytest.raises(IndexUnusableError):
        index.update(archive, executor=threads)
    assert db.read_bytes() == content


@pytest.mark.parametrize("revision", ["0000", "", "abc", "00021", "9999x"])
def test_a_schema_that_nobody_made_is_one_line(
    index: Index, db: Path, archive: Path, threads: Executor, revision: str
) -> None:
    index.update(archive, executor=threads)
    change(db, f"UPDATE alembic_version SET version_num = '{revision}'")
    for ask in (index.status, index.prune):
        with pytest.raises(IndexUnusableError, match="damaged, or not an sdindex index"):
            ask()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO alembic_version VALUES ('0001')",
        "DELETE FROM alembic_version",
        "UPDATE alembic_version SET version_num = x'ff'",
        "ALTER TABLE image DROP COLUMN error",
        "DROP TABLE label",
        "UPDATE sample SET options = '{'",
        "UPDATE sqlite_master SET sql = CAST(x'4352459b' AS TEXT) WHERE name = 'image'",
        "DELETE FROM sqlite_master WHERE name = 'ix_label_image_id'",
        "UPDATE sample SET options = '[]'",
        "UPDATE frame_block SET methods = '(['",
    ],
)
def test_every_kind_of_damage_is_one_line(
    index: Index, db: Path, archive: Path, threads: Executor, statement: str
) -> None:
    index.update(archive, executor=threads, camera_pattern=r"(cam\d)")
    index.select(3, save="some")
    change(db, statement)
    refusals = []
    for ask in (*questions(index), index.samples, lambda: index.sample("some"), index.prune,
                lambda: index.update(archive, executor=threads)):  # fmt: skip
        refusals += [problem for problem in [refusal(ask)] if problem]
    assert refusals
    assert all("damaged" in problem and "\n" not in problem for problem in refusals), refusals


def spoil(db: Path) -> None:
    """Make a page of the table of images one that SQLite's own check refuses."""
    with closing(sqlite3.connect(db)) as connection:
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'image'"
        ).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with db.open("r+b") as file:
        file.seek((page - 1) * size + 8)
        file.write(b"\xff" * 40)


def test_who_writes_looks_for_damage_first(
    index: Index, db: Path, archive: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update(archive, executor=threads)
    spoil(db)
    before = db.read_bytes()
    monkeypatch.setattr(sqlite, "_CHEAP_BYTES", 0)
    writers: list[Callable[[], object]] = [
        lambda: index.update(archive, executor=threads),
        lambda: index.drop_labels("x"),
        index.prune,
    ]
    for write in writers:
        with pytest.raises(IndexUnusableError, match="damaged"):
            write()
    assert db.read_bytes() == before


def test_readers_of_a_small_index_look_for_damage_too(
    index: Index, db: Path, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    spoil(db)
    for ask in (index.labels, index.samples):  # which do not come to the damaged page
        with pytest.raises(IndexUnusableError, match="damaged"):
            ask()


def test_of_damage_sqlites_own_words_are_told(
    index: Index, db: Path, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    spoil(db)
    with pytest.raises(IndexUnusableError, match=r"sdindex index \([^*]*page \d+") as caught:
        index.labels()
    assert "***" not in str(caught.value)


def test_lost_images_are_told_by_readers_of_a_large_index(
    index: Index, db: Path, archive: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update(archive, executor=threads)
    cameras = index.cameras()
    monkeypatch.setattr(sqlite, "_CHEAP_BYTES", 0)
    change(db, "DELETE FROM image WHERE id = 3")
    assert index.cameras() == cameras
    with pytest.raises(IndexUnusableError, match="damaged"):
        index.status()


@pytest.mark.parametrize("table", ["archive", "frame_block", "frame_bucket"])
def test_tables_that_all_depends_on_are_always_checked(
    index: Index, db: Path, archive: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch,
    table: str,
) -> None:  # fmt: skip
    index.update(archive, executor=threads)
    monkeypatch.setattr(sqlite, "_CHEAP_BYTES", 0)
    with closing(sqlite3.connect(db)) as connection:
        query = f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'"
        page = connection.execute(query).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with db.open("r+b") as file:
        file.seek((page - 1) * size + 3)
        file.write(b"\0\0")  # it has no rows
    for ask in (index.cameras, index.buckets, index.status, lambda: index.select(3)):
        with pytest.raises(IndexUnusableError, match="damaged"):
            ask()


def test_an_image_of_no_archive_is_damage(
    index: Index, db: Path, archive: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update(archive, executor=threads)
    monkeypatch.setattr(sqlite, "_CHEAP_BYTES", 0)
    change(db, "UPDATE image SET archive_id = 23")
    with pytest.raises(IndexUnusableError, match="damaged"):
        index.buckets()


@pytest.mark.parametrize("fault", [TypeError, ValueError, KeyError, AttributeError])
def test_for_a_fault_of_the_program_no_damage_is_looked_for(
    index: Index, db: Path, archive: Path, threads: Executor, fault: type[Exception]
) -> None:
    index.update(archive, executor=threads)
    change(db, "UPDATE image SET dhash = 'a text' WHERE id = 3")  # which it did not come to
    with pytest.raises(fault, match="of the program"), Store(db).reading():
        raise fault("of the program")


def test_a_fault_of_the_program_reads_no_rows(
    index: Index, db: Path, archive: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update(archive, executor=threads)
    monkeypatch.setattr(damage, "_SECONDS", -1.0)  # as where the index is large
    with pytest.raises(TypeError, match="a fault"), Store(db).reading():
        raise TypeError("a fault")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE image SET path = 'cam0/another.jpg' WHERE id = 3",
        "UPDATE image SET sort_key = (SELECT sort_key FROM image WHERE id = 4) WHERE id = 3",
    ],
)
def test_a_sample_of_a_large_index_has_its_own_images(
    index: Index, db: Path, archive: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch,
    statement: str,
) -> None:  # fmt: skip
    index.update(archive, executor=threads)
    change(db, statement)
    monkeypatch.setattr(sqlite, "_CHEAP_BYTES", 0)
    assert "damaged" in refusal(lambda: index.select(10**6))
    assert "damaged" in refusal(lambda: index.select(10**6, balance="camera"))


@pytest.mark.parametrize("table", ["frame_block", "frame_bucket", "archive", "image"])
def test_a_table_in_whose_place_an_empty_one_is_read_is_told(
    index: Index, db: Path, archive: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch,
    table: str,
) -> None:  # fmt: skip
    index.update(archive, executor=threads)
    with closing(sqlite3.connect(db)) as connection:
        connection.executescript(
            f"""PRAGMA writable_schema = ON;
                UPDATE sqlite_master SET rootpage = (
                    SELECT rootpage FROM sqlite_master WHERE name = 'result'
                ) WHERE name = '{table}';"""
        )
    monkeypatch.setattr(sqlite, "_CHEAP_BYTES", 0)
    for ask in (*questions(index)[2:], lambda: index.select(5, bits=7)):
        assert "damaged" in refusal(ask)


def test_a_row_under_the_id_of_another_image_is_not_drawn(
    index: Index, db: Path, archive: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update(archive, executor=threads)
    index.select(12, save="some")
    with closing(sqlite3.connect(db)) as connection:
        connection.executescript(
            """CREATE TABLE other AS SELECT * FROM image
                   ORDER BY CASE id WHEN 3 THEN 4 WHEN 4 THEN 3 ELSE id END;
               PRAGMA writable_schema = ON;
               UPDATE sqlite_master SET rootpage = (
                   SELECT rootpage FROM sqlite_master WHERE name = 'other'
               ) WHERE name = 'image';
               DELETE FROM sqlite_master WHERE name = 'other'"""
        )
    monkeypatch.setattr(sqlite, "_CHEAP_BYTES", 0)
    assert "damaged" in refusal(lambda: index.select(10**6))
    assert "damaged" in refusal(lambda: index.select(10**6, balance="camera"))
    assert "damaged" in refusal(lambda: list(index.paths(10**6)))
    assert "damaged" in refusal(lambda: index.buckets(bits=20))
    assert "damaged" in refusal(lambda: index.sample("some"))
