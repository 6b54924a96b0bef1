import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from sdindex import Index, IndexMissingError, IndexUnusableError
from sdindex.database import Store, migrations_folder
from sdindex.models import SCHEMA_REVISION, metadata


def make_index(db: Path) -> None:
    with Store(db).writing(create=True):
        pass


def change(db: Path, statement: str) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(statement)
        connection.commit()


def test_the_models_and_the_revisions_agree(db: Path) -> None:
    with Store(db).writing(create=True) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_revision_is_the_one_the_program_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_REVISION


def test_nothing_makes_the_schema_but_the_revisions() -> None:
    package = Path(__file__).parent.parent / "sdindex"
    text = "".join(file.read_text(encoding="utf-8") for file in package.glob("*.py"))
    assert "metadata.create_all" not in text.replace("_to_read.metadata.create_all", "")


@pytest.mark.parametrize("name", ["plain.db", "100%.db", "%(here)s.db", "a b?c#d.db", "ü.db"])
def test_an_index_may_have_any_name(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32" and "?" in name:
        pytest.skip("Windows allows no such name")
    make_index(tmp_path / name)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, f"{name}.lock"])
    with Index(tmp_path / name) as index:
        assert index.status().archives == []


def test_a_sqlalchemy_url_names_the_same_index(db: Path) -> None:
    make_index(db)
    with Index(f"sqlite:///{db.as_posix()}") as index:
        assert index.status().schema == SCHEMA_REVISION


def test_only_an_update_makes_an_index(db: Path) -> None:
    with pytest.raises(IndexMissingError, match="sdindex index FOLDER"):
        Index(db).select(5)
    assert not db.exists()
    with pytest.raises(IndexMissingError, match="folder does not exist"):
        make_index(db.parent / "nowhere" / "sdindex.db")


def test_an_index_of_a_newer_version_is_refused_unchanged(db: Path, archive: Path) -> None:
    make_index(db)
    change(db, "UPDATE alembic_version SET version_num = '9999'")
    before = db.read_bytes()
    with Index(db) as index:
        for ask in (index.status, lambda: index.select(5), lambda: index.update(archive)):
            with pytest.raises(IndexUnusableError, match=r"made by a newer sdindex.*pip install"):
                ask()
    assert db.read_bytes() == before
    assert {file.name for file in db.parent.iterdir()} == {
        "archive", "sdindex.db", "sdindex.db.lock",
    }  # fmt: skip


@pytest.mark.parametrize(
    "content", [b"", b"notes", b"SQLite format 3\0" + bytes(84), b"SQLite format 3\0" * 500]
)
def test_what_is_no_index_is_refused_unchanged(db: Path, archive: Path, content: bytes) -> None:
    db.write_bytes(content)
    with Index(db) as index:
        for ask in (index.status, lambda: index.select(5), lambda: index.update(archive)):
            with pytest.raises(IndexUnusableError):
                ask()
    assert db.read_bytes() == content


def test_another_programs_database_is_refused_unchanged(db: Path, archive: Path) -> None:
    change(db, "CREATE TABLE image (id INTEGER)")
    before = db.read_bytes()
    with Index(db) as index:
        for ask in (index.status, lambda: index.update(archive)):
            with pytest.raises(IndexUnusableError, match="not an sdindex index"):
                ask()
    assert db.read_bytes() == before


def test_a_database_without_a_driver_is_one_line() -> None:
    for url in ("nosuchthing://host/db", "oracle://host/db"):
        with pytest.raises(IndexUnusableError, match="no driver"):
            Index(url).status()


def test_a_failing_revision_leaves_nothing(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    def failing(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(op, "execute", failing)
    with pytest.raises(RuntimeError):
        make_index(db)
    assert [file.name for file in db.parent.iterdir()] == ["sdindex.db.lock"]


def test_the_views_need_no_function_of_ours(db: Path, archive: Path) -> None:
    with Index(db) as index:
        index.update(archive)
        sizes = {one.bucket: 0 for one in index.select(100)}
        for one in index.select(100):
            sizes[one.bucket] += 1
        hashes = {(one.relative_path, one.dhash, one.bucket) for one in index.select(100)}
        first: dict[int, str] = {}
        for one in index.select(100):
            first.setdefault(one.bucket, one.relative_path)
    with closing(sqlite3.connect(db)) as connection:
        assert dict(connection.execute("SELECT bucket, images FROM bucket").fetchall()) == sizes
        assert dict(connection.execute("SELECT bucket, first_path FROM bucket")) == first
        assert set(connection.execute("SELECT path, hash, bucket FROM image_hash")) == hashes


def test_a_reader_cannot_write(db: Path) -> None:
    make_index(db)
    with (
        pytest.raises(IndexUnusableError, match="readonly"),
        Store(db).reading() as connection,
    ):
        connection.execute(sa.text("DELETE FROM image"))


def questions(index: Index) -> list[Callable[[], object]]:
    return [index.status, index.errors, index.buckets, lambda: index.select(10**6)]


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
        "UPDATE image SET sort_key = 'a text' WHERE id = 3",
        "UPDATE image SET taken_at = 'never' WHERE id = 3",
        "UPDATE image SET dhash = 'a text' WHERE id = 3",
        "UPDATE sampling_bucket SET images = 'a text'",
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
