import logging
import os
import shutil
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
from filelock import FileLock

from sdindex import ArchiveError, Index, IndexMissingError, IndexUnusableError, UsageError
from sdindex.store import damage, database, locks, schema, sqlite
from sdindex.store.database import Store
from sdindex.store.schema import migrations_folder
from sdindex.store.tables import SCHEMA_REVISION, metadata


def make_index(db: Path) -> None:
    with Store(db).writing(create=True):
        pass


def change(db: Path, statement: str) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(statement)
        connection.commit()


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


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@host/db", "nosuchthing://host/db", "s3://bucket/index.db"]
)
def test_a_database_that_is_no_sqlite_file_is_one_line(url: str) -> None:
    with pytest.raises(IndexUnusableError, match="an index is an SQLite file for now") as caught:
        Index(url)
    assert "secret" not in str(caught.value)


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


NEXT = f"{int(SCHEMA_REVISION) + 1:04}"
NEXT_REVISION = f"""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{SCHEMA_REVISION}"


def upgrade() -> None:
    op.add_column("image", sa.Column("label", sa.Text))
"""


@contextmanager
def next_program(folder: Path) -> Iterator[None]:
    """Make this program its next version, with one revision more."""
    shutil.copytree(migrations_folder(), folder / "migrations")
    revision = folder / "migrations" / "versions" / f"{NEXT}_note.py"
    revision.write_text(NEXT_REVISION, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "migrations_folder", lambda: folder / "migrations")
        patch.setattr(database, "SCHEMA_REVISION", NEXT)
        patch.setattr(sqlite, "SCHEMA_REVISION", NEXT)
        yield


def columns(db: Path) -> set[str]:
    with closing(sqlite3.connect(db)) as connection:
        return {row[1] for row in connection.execute("PRAGMA table_info(image)")}


def test_before_an_upgrade_the_old_index_is_kept_aside(
    index: Index,
    db: Path,
    archive: Path,
    threads: Executor,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    index.update(archive, executor=threads)
    sample = index.select(5)
    aside = Path(f"{db}.schema-{SCHEMA_REVISION}")
    aside.write_text("something of worth")
    with next_program(tmp_path):
        with pytest.raises(IndexUnusableError, match=r"older sdindex.*`sdindex index`"):
            index.select(5)
        index.update(archive, executor=threads)
        index.update(archive, executor=threads)
        assert index.select(5) == sample
    assert [record.message for record in caplog.records] == [
        f"{db}: schema {SCHEMA_REVISION} is upgraded to {NEXT}; the index as it was is kept as "
        f"{aside}.2"
    ]
    assert aside.read_text() == "something of worth"
    assert columns(db) - columns(Path(f"{aside}.2")) == {"label"}
    with Index(f"{aside}.2") as kept:
        assert kept.select(5) == sample
    assert not list(tmp_path.glob("*.part"))


@posix
def test_without_room_for_the_copy_nothing_is_upgraded(
    index: Index, db: Path, archive: Path, threads: Executor, tmp_path: Path
) -> None:
    import resource

    index.update(archive, executor=threads)
    before = db.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with next_program(tmp_path):
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
        try:
            with pytest.raises(IndexUnusableError, match="cannot be copied before it is upgraded"):
                index.update(archive, executor=threads)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert db.read_bytes() == before
    assert not list(tmp_path.glob("*schema*"))
    assert len(index.select(100)) == 12


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


class WaitedError(Exception):
    """Raised where a program would begin to wait."""


@contextmanager
def instead_of_waiting(act: Callable[[], object]) -> Iterator[None]:
    def noted(_: logging.LogRecord) -> bool:
        act()
        return True

    locks.log.addFilter(noted)
    try:
        yield
    finally:
        locks.log.removeFilter(noted)


def refuse_to_wait() -> None:
    raise WaitedError


def test_two_names_of_one_index_have_one_lock(db: Path, tmp_path: Path) -> None:
    make_index(db)
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(db)
    url = f"sqlite:///{link.as_posix()}"
    for name in (db, link, url):
        with FileLock(f"{db}.lock"), instead_of_waiting(refuse_to_wait), pytest.raises(WaitedError):
            Index(name).prune()
    assert list(link.parent.iterdir()) == [link]


def test_a_link_to_an_index_that_is_still_to_be_made_stays(
    db: Path, archive: Path, threads: Executor, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(db)
    with Index(link) as index:
        index.update(archive, executor=threads)
    assert link.is_symlink()
    assert len(Index(db).select(100)) == 12


def test_a_second_name_that_is_no_link_is_refused(
    index: Index, db: Path, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    os.link(db, db.parent / "other.db")
    before = db.read_bytes()
    with pytest.raises(IndexUnusableError, match=r"second name.*copy it, and move the copy here"):
        index.update(archive, executor=threads)
    assert db.read_bytes() == before
    assert len(index.select(100)) == 12


def test_what_indexed_nothing_leaves_no_index(
    index: Index, db: Path, tmp_path: Path, threads: Executor
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match="no image files"):
        index.update(tmp_path / "empty", executor=threads)
    assert not db.exists()


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


@posix
def test_the_lock_is_for_all_who_may_write_to_the_index(db: Path) -> None:
    make_index(db)
    db.chmod(0o664)
    Path(f"{db}.lock").unlink()
    with Store(db).writing():
        pass
    assert Path(f"{db}.lock").stat().st_mode & 0o777 == 0o664


@posix
def test_a_lock_of_another_user_is_one_line(db: Path) -> None:
    make_index(db)
    db.chmod(0o666)
    db.parent.chmod(0o777)
    Path(f"{db}.lock").chmod(0o400)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        for name in (db.name, f"{db.name}.lock"):
            shutil.copy2(db.parent / name, folder)
        here = Path(folder, db.name)
        with without_rights(), pytest.raises(IndexUnusableError, match=r"made by another user"):
            Index(here).prune()


@pytest.mark.parametrize("make", [lambda lock: lock.mkdir(), lambda lock: lock.symlink_to("/a/b")])
def test_a_lock_that_is_no_file_is_one_line(db: Path, make: Callable[[Path], None]) -> None:
    make_index(db)
    lock = Path(f"{db}.lock")
    lock.unlink()
    make(lock)
    with pytest.raises(IndexUnusableError, match="is no file; delete it"):
        Index(db).prune()


def test_who_waits_for_a_folder_that_is_gone_ends(tmp_path: Path) -> None:
    db = tmp_path / "disk" / "sdindex.db"
    db.parent.mkdir()
    make_index(db)

    with (
        FileLock(f"{db}.lock"),
        instead_of_waiting(lambda: db.parent.rename(tmp_path / "pulled")),
        pytest.raises(IndexUnusableError, match="folder is no longer there"),
    ):
        Index(db).prune()
    assert not db.parent.exists()


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
