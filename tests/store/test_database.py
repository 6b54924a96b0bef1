"""The file of an index: who may make, read and change it, and what a killed program leaves."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from sdindex import ArchiveError, Index, IndexMissingError, IndexUnusableError, UsageError
from sdindex.store import sqlite
from sdindex.store.database import Store
from sdindex.store.schema import migrations_folder
from sdindex.store.tables import SCHEMA_REVISION, metadata
from tests.support.straight import connected


def make_index(db: Path) -> None:
    with Store(db).writing(create=True):
        pass


def change(db: Path, statement: str) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(statement)
        connection.commit()


@pytest.mark.usefixtures("by_revisions")
def test_the_models_and_the_revisions_agree(db: Path) -> None:
    with Store(db).writing(create=True) as session:
        context = MigrationContext.configure(session.connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_revision_is_the_one_the_program_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_REVISION


def test_nothing_makes_the_schema_but_the_revisions() -> None:
    package = Path(__file__).parents[2] / "sdindex"
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


@pytest.mark.sqlite_file
def test_a_sqlalchemy_url_names_the_same_index(db: Path) -> None:
    make_index(db)
    with Index(f"sqlite:///{db.as_posix()}") as index:
        assert index.status().schema == SCHEMA_REVISION


@pytest.mark.sqlite_file
def test_only_an_update_makes_an_index(db: Path) -> None:
    with pytest.raises(IndexMissingError, match="sdindex index FOLDER"):
        Index(db).select(5)
    assert not db.exists()
    with pytest.raises(IndexMissingError, match="folder does not exist"):
        make_index(db.parent / "nowhere" / "sdindex.db")


@pytest.mark.sqlite_file
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
@pytest.mark.sqlite_file
def test_what_is_no_index_is_refused_unchanged(db: Path, archive: Path, content: bytes) -> None:
    db.write_bytes(content)
    with Index(db) as index:
        for ask in (index.status, lambda: index.select(5), lambda: index.update(archive)):
            with pytest.raises(IndexUnusableError):
                ask()
    assert db.read_bytes() == content


@pytest.mark.sqlite_file
def test_another_programs_database_is_refused_unchanged(db: Path, archive: Path) -> None:
    change(db, "CREATE TABLE image (id INTEGER)")
    before = db.read_bytes()
    with Index(db) as index:
        for ask in (index.status, lambda: index.update(archive)):
            with pytest.raises(IndexUnusableError, match="not an sdindex index"):
                ask()
    assert db.read_bytes() == before


@pytest.mark.parametrize(
    "url",
    ["mysql://me:secret@host/db?password=secret", "nosuchthing://host/db", "s3://bucket/index.db"],
)
def test_a_database_of_another_kind_is_one_line(url: str) -> None:
    with pytest.raises(IndexUnusableError, match="an index is an SQLite file, named") as caught:
        Index(url)
    assert "secret" not in str(caught.value)


@pytest.mark.sqlite_file
@pytest.mark.usefixtures("by_revisions")
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
    with closing(connected(db)) as connection:
        assert dict(connection.execute("SELECT bucket, images FROM bucket").fetchall()) == sizes
        assert dict(connection.execute("SELECT bucket, first_path FROM bucket")) == first
        assert set(connection.execute("SELECT path, hash, bucket FROM image_hash")) == hashes


@pytest.mark.sqlite_file
def test_a_reader_cannot_write(db: Path) -> None:
    make_index(db)
    with (
        pytest.raises(IndexUnusableError, match="readonly"),
        Store(db).reading() as connection,
    ):
        connection.execute(sa.text("DELETE FROM image"))


@pytest.mark.sqlite_file
def test_what_a_killed_program_left_of_a_new_index_is_no_hindrance(db: Path) -> None:
    for left in (".part", ".part-journal"):
        Path(f"{db}{left}").write_bytes(b"half")
    make_index(db)
    assert {file.name for file in db.parent.iterdir()} == {"sdindex.db", "sdindex.db.lock"}


@contextmanager
def without_rights() -> Iterator[None]:
    """Be a user who may not write, also where the tests run as one who may do anything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def read_only(archive: Path, threads: Executor) -> Iterator[Path]:
    """Return an index in a folder that everybody may enter, and nobody may write to."""
    with tempfile.TemporaryDirectory() as folder:
        with Index(f"{folder}/sdindex.db") as index:
            index.update(archive, executor=threads)
        db = Path(folder, "sdindex.db")
        db.chmod(0o444)
        db.parent.chmod(0o555)
        yield db
        db.parent.chmod(0o755)


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights and signals")

# What is killed between the first byte that it writes into the index and its commit.
KILLED = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE image SET dhash = 1, sort_key = zeroblob(1000), missing_since = 1")
connection.execute("DELETE FROM frame_bucket")
os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_in_mid_commit(db: Path) -> None:
    before = db.read_bytes()
    subprocess.run([sys.executable, "-c", KILLED, db], check=False)
    assert db.read_bytes() != before, "it is half-written"
    assert Path(f"{db}-journal").stat().st_size > 0


@posix
@pytest.mark.sqlite_file
def test_a_reader_takes_back_what_a_killed_program_left(
    index: Index, db: Path, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    questions: list[Callable[[], object]] = [
        lambda: index.select(5), index.status, index.errors, lambda: index.buckets(5), asked(index),
    ]  # fmt: skip
    for question in questions:
        before = question()
        kill_in_mid_commit(db)
        assert question() == before
        assert not Path(f"{db}-journal").exists()


def asked(index: Index) -> Callable[[], object]:
    def ask() -> list[object]:
        with index.sql("SELECT dhash, sort_key FROM image ORDER BY id") as answer:
            return list(answer.rows)

    return ask


@posix
def test_an_index_in_a_read_only_folder(read_only: Path) -> None:
    with without_rights(), Index(read_only) as index:
        assert len(index.select(5)) == 5
        assert index.status().archives[0].images == 12
        with pytest.raises(IndexUnusableError, match="cannot be opened or written here"):
            index.prune()


@posix
def test_a_half_written_index_in_a_read_only_folder_names_the_way_out(read_only: Path) -> None:
    read_only.parent.chmod(0o755)
    read_only.chmod(0o644)
    kill_in_mid_commit(read_only)
    read_only.chmod(0o444)
    read_only.parent.chmod(0o555)
    with (
        without_rights(),
        Index(read_only) as index,
        pytest.raises(IndexUnusableError, match=r"half-written.*use it once from where"),
    ):
        index.select(5)


@pytest.mark.sqlite_file
def test_readers_are_not_kept_waiting_by_a_large_change(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_index(db)
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0)
    with Store(db).writing() as connection:
        # Far more than SQLite's cache holds, which would go to the disk before the commit.
        connection.execute(sa.text("CREATE TABLE large AS SELECT zeroblob(9000000) AS some"))
        connection.execute(sa.text("UPDATE large SET some = zeroblob(9000001)"))
        with Index(db) as index:
            assert index.status().archives == []
        connection.commit()


@pytest.mark.sqlite_file
def test_a_write_ahead_log_is_ended_with_a_word(
    index: Index, db: Path, archive: Path, threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    index.update(archive, executor=threads)
    sample = index.select(5)
    change(db, "PRAGMA journal_mode = WAL")
    assert index.select(5) == sample
    index.update(archive, executor=threads)
    assert [record.message for record in caplog.records] == [
        f"{db} had a write-ahead log, which fails on network disks and in read-only folders: "
        "it is an ordinary file again"
    ]
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert index.select(5) == sample


@pytest.mark.sqlite_file
def test_a_write_ahead_log_that_is_in_use_is_one_line(
    index: Index, db: Path, archive: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update(archive, executor=threads)
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0)
    with closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM image").fetchone()
        with pytest.raises(IndexUnusableError, match="another program keeps the index busy"):
            index.update(archive, executor=threads)
        assert len(index.select(100)) == 12


def test_what_indexed_nothing_leaves_no_index(
    index: Index, db: Path, tmp_path: Path, threads: Executor
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match="no image files"):
        index.update(tmp_path / "empty", executor=threads)
    assert not db.exists()


def test_no_zero_byte_is_in_the_name_of_an_index() -> None:
    with pytest.raises(IndexUnusableError, match="is no name of a file"):
        Store("a\0b")
    with pytest.raises(UsageError, match="db must be a path that a file can have"):
        Index("a\0b")


def test_opening_an_index_needs_no_alembic(
    index: Index, db: Path, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    script = (
        "import sys; from sdindex import Index; i = Index(sys.argv[1]); i.select(3); i.prune(); "
        "i.select(3, save='x'); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, db], check=True)
