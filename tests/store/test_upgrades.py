"""Indexes of old versions, as these wrote them, brought up to the newest schema.

`frozen` has one of each revision as SQL text, made by the last version with that revision: 27
images of five cameras, one of them missing, one unreadable, some alike; since 0002 with labels
and two saved samples.
"""

import ast
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from sdindex import Index, IndexUnusableError
from sdindex.archive.cameras import camera_of
from sdindex.store import frames
from sdindex.store.database import Store
from sdindex.store.loading import load
from sdindex.store.schema import known_revisions, migrations_folder
from sdindex.store.tables import SCHEMA_REVISION

pytestmark = pytest.mark.sqlite_file

FROZEN = sorted((Path(__file__).parent / "frozen").glob("*.sql"))
# Whoever releases one freezes it.
UNRELEASED = {"0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011"}
OLD = [file.stem for file in FROZEN]

Rows = dict[str, list[dict[str, object]]]


def thawed(revision: str, db: Path) -> Path:
    """Write the index of an old revision."""
    text = (Path(__file__).parent / "frozen" / f"{revision}.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(db)) as connection:
        connection.executescript(text)
    return db


def schema(db: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(db)) as connection:
        return sorted(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def rows(db: Path, tables: set[str]) -> Rows:
    with closing(sqlite3.connect(db)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table: list(map(dict, connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")))
            for table in tables
        }


def own_tables(db: Path) -> set[str]:
    """Return the tables of what people put in: not the sampling frame's, which are made anew."""
    with closing(sqlite3.connect(db)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = {name for (name,) in found}
    return names & {"archive", "image", "sample", "sample_image", "label"}


def fresh(db: Path) -> Path:
    with Store(db).writing(create=True):
        return db


def upgraded(revision: str, db: Path) -> Path:
    refused = pytest.raises(IndexUnusableError, match=f"older sdindex .schema {revision}")
    with Index(thawed(revision, db)) as index, refused:
        index.status()
    with Store(db).writing():  # whatever writes upgrades
        return db


def test_each_released_revision_has_a_frozen_index() -> None:
    assert {*OLD} == known_revisions() - UNRELEASED
    assert max(known_revisions()) == SCHEMA_REVISION


@pytest.mark.usefixtures("by_revisions")
@pytest.mark.parametrize("revision", OLD)
def test_an_old_index_is_upgraded_to_what_a_fresh_one_is(
    revision: str, tmp_path: Path, db: Path
) -> None:
    thawed(revision, tmp_path / "old.db")
    before = rows(tmp_path / "old.db", own_tables(tmp_path / "old.db"))
    upgraded(revision, db)
    assert schema(db) == schema(fresh(tmp_path / "fresh.db"))
    after = rows(db, set(before))
    for table, old in before.items():
        columns = old[0].keys()
        assert [{name: row[name] for name in columns} for row in after[table]] == old
    assert [row["camera"] for row in after["image"]] == [
        camera_of(str(row["path"])) for row in after["image"]
    ]


@pytest.mark.parametrize(("root", "listed"), [("/", 1), ("C:/", 1), ("E:/", 0), ("/data", 0)])
def test_an_archive_whose_root_is_the_systems_disk_is_one_of_single_files(
    root: str, listed: int, db: Path
) -> None:
    thawed(OLD[0], db)
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("UPDATE archive SET root = ?", [root])
        connection.commit()
    with Store(db).writing():
        pass
    assert {row["listed"] for row in rows(db, {"archive"})["archive"]} == {listed}


@pytest.mark.parametrize("revision", OLD)
def test_an_old_index_is_upgraded_with_its_frame(revision: str, db: Path) -> None:
    with Store(upgraded(revision, db)).reading() as session:
        assert frames.is_current(session)
        available = session.scalar(sa.select(sa.func.count()).where(frames.available()))
        assert len(load(session)) == (available or 0) > 0


@pytest.mark.parametrize("revision", OLD)
def test_an_upgraded_index_answers_as_a_fresh_one_with_the_same_rows(
    revision: str, tmp_path: Path, db: Path
) -> None:
    upgraded(revision, db)
    other = fresh(tmp_path / "fresh.db")
    with closing(sqlite3.connect(other)) as connection:
        for table, content in rows(db, own_tables(db)).items():
            for row in content:
                row.pop("frame_version", None)  # its frame is still to be made
                marks = ", ".join("?" * len(row))
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})",
                    list(row.values()),
                )
        connection.commit()
    with Index(db) as old, Index(other) as new:
        for count in (1, 5, 10, 100):
            assert old.select(count) == new.select(count)
            assert old.select(count, unit="burst", balance="camera") == new.select(
                count, unit="burst", balance="camera"
            )
            assert old.buckets(count) == new.buckets(count)
        for ask in ("cameras", "labels", "samples", "errors"):
            assert getattr(old, ask)() == getattr(new, ask)()
        assert old.status().archives == new.status().archives
        for saved in old.samples():
            assert old.sample(saved.name) == new.sample(saved.name)


def test_a_revision_imports_nothing_of_the_program() -> None:
    files = [migrations_folder() / "env.py", *(migrations_folder() / "versions").glob("*.py")]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.partition(".")[0] == "sdindex"], file
