"""What a server can do to a program: each is one line, and what was committed is there."""

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command as alembic
from alembic.config import Config
from click.testing import CliRunner

from sdindex import ArchiveError, Index, IndexUnusableError
from sdindex.archive.roots import made_by
from sdindex.cli.main import cli
from sdindex.store.database import Store
from sdindex.store.postgresql import PostgresqlBackend
from sdindex.store.postgresql_errors import explain_refusal
from sdindex.store.schema import migrations_folder
from sdindex.store.tables import image
from tests.conftest import make_image
from tests.store.test_locks import instead_of_waiting, refuse_to_wait
from tests.store.test_postgresql import until
from tests.support.roots import LookingRoot
from tests.support.servers import ASKED, Server, owner


@pytest.fixture
def url(server: Server) -> str:
    return server.database()


@pytest.fixture
def filled(url: str, archive: Path, threads: Executor) -> Iterator[Index]:
    with Index(url) as index:
        index.update(archive, executor=threads)
        yield index


# Depending on the driver's version the server's last words are read, or not.
LOST = "(closed the connection|connection was lost) .*run it again"


@contextmanager
def one_line(words: str) -> Iterator[None]:
    with pytest.raises(IndexUnusableError, match=words) as caught:
        yield
    assert "\n" not in str(caught.value)


def test_a_connection_that_is_lost_in_a_select_is_one_line(
    server: Server, url: str, filled: Index
) -> None:
    with one_line(LOST), Store(url).reading() as few:
        rows = few.rows(sa.select(image.c.id), chunk=1)
        next(rows)
        server.close_all(url)
        list(rows)
    with one_line("run it again"):
        filled.select(5, when_drawn=lambda _: server.close_all(url))
    assert len(filled.select(99)) == 12


@pytest.fixture
def old(url: str) -> str:
    """Return an index of the schema before the newest."""
    backend = PostgresqlBackend(sa.make_url(url))
    with backend.connecting("define") as connection, connection.begin():
        connection.execute(sa.schema.CreateSchema("sdindex"))
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(migrations_folder()))
        alembic.upgrade(config, "0008")
    return url


def test_a_connection_that_is_lost_in_an_upgrade_is_one_line_and_takes_all_back(
    server: Server, old: str, archive: Path, threads: Executor
) -> None:
    import psycopg

    waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
    failed: list[str] = []

    def upgrade() -> None:
        with one_line(LOST):
            Index(old).update(archive, executor=threads)
        failed.append("as it should")

    upgrading = threading.Thread(target=upgrade)
    with psycopg.connect(old) as other:
        other.execute("LOCK TABLE sdindex.archive IN ACCESS SHARE MODE")
        upgrading.start()
        until(lambda: server.run(waiting, old))
        server.run(f"SELECT pg_terminate_backend(({waiting}))", old)
        upgrading.join()
    assert failed
    assert server.run("SELECT version_num FROM alembic_version", old) == [("0008",)]
    with Index(old) as index:
        index.update(archive, executor=threads)
        assert len(index.select(99)) == 12


def test_a_password_that_is_wrong_or_missing_is_one_line(
    server: Server, url: str, filled: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.run(f"CREATE ROLE {ASKED} LOGIN PASSWORD 'r1ght' SUPERUSER")
    try:
        for given in (ASKED, f"{ASKED}:wr0ng"):
            done = CliRunner().invoke(cli, ["--db", url.replace("sdindex@", f"{given}@"), "status"])
            assert done.exit_code == 1
            assert done.output.count("\n") == 1
            assert "PGPASSWORD or ~/.pgpass" in done.output
            assert "wr0ng" not in done.output
        monkeypatch.setenv("PGPASSWORD", "r1ght")
        assert len(Index(url.replace("sdindex@", f"{ASKED}@")).select(99)) == 12
    finally:
        server.run(f"DROP ROLE {ASKED}")


@pytest.fixture
def small_disk(server: Server) -> Iterator[str]:
    """Return an empty database on a disk of 24 MB."""
    folder = Path(tempfile.mkdtemp(prefix="sdindex-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=777", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        folder.rmdir()
        pytest.skip("only root may mount a small disk, and not everywhere")
    try:
        (folder / "tables").mkdir()
        subprocess.run(["chown", str(owner()), str(folder / "tables")], check=True)
        server.run(f"CREATE TABLESPACE small LOCATION '{folder}/tables'")
        url = server.database(on="small")
        yield url
        server.drop(url)
        server.run("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def test_a_disk_that_is_full_is_one_line_and_the_next_run_reads_the_rest(
    small_disk: str, archive: Path, threads: Executor
) -> None:
    import psycopg

    with Index(small_disk) as index:
        index.update(archive, executor=threads)
        for seed in range(200):
            make_image(archive / f"more/{seed}.jpg", 100 + seed, (64, 48))
        # Kept open: on a full disk the server may let nobody else in.
        with psycopg.connect(small_disk, autocommit=True) as connection:
            connection.execute("CREATE TABLE public.filler (data bytea)")
            connection.execute("ALTER TABLE public.filler ALTER data SET STORAGE EXTERNAL")
            for size in (1 << 20, 1 << 13, 100):
                with suppress(psycopg.errors.DiskFull):
                    while True:
                        connection.execute(
                            "INSERT INTO public.filler SELECT repeat('x', %s)::bytea", (size,)
                        )
            with one_line("no space left on the server's disk; what was stored before is kept"):
                index.update(archive, executor=threads)
            connection.execute("DROP TABLE public.filler")
        assert len(index.select(999)) == 12
        assert index.update(archive, executor=threads).read == 200
        assert len(index.select(999)) == 212


def test_an_archive_that_is_looked_at_keeps_no_other_from_being_added(
    url: str, tmp_path: Path, threads: Executor
) -> None:
    for number in (1, 2):
        make_image(tmp_path / f"archive{number}/1.jpg", number)

    def add_second() -> None:
        Index(url).update(tmp_path / "archive2", executor=threads)

    looking = partial(LookingRoot, act=add_second)
    with instead_of_waiting(refuse_to_wait), made_by(looking, str(tmp_path / "archive1")):
        Index(url).update(tmp_path / "archive1", executor=threads)
    assert [archive.images for archive in Index(url).status().archives] == [1, 1]


def test_a_new_archive_that_cannot_be_indexed_is_not_added(
    server: Server, url: str, filled: Index, tmp_path: Path, threads: Executor
) -> None:
    (tmp_path / "empty").mkdir()
    new = server.database()
    for db in (url, new):
        with pytest.raises(ArchiveError, match="holds no image files"):
            Index(db).update(tmp_path / "empty", executor=threads)
    assert len(filled.status().archives) == 1
    assert Store(new).backend.is_new()


def test_a_connection_that_is_lost_before_there_is_a_session_is_one_line(
    server: Server, url: str, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sdindex.store import schema

    def lost(connection: sa.Connection, tables: set[str]) -> str | None:
        server.close_all(url)
        connection.scalar(sa.text("SELECT 1"))
        return None

    monkeypatch.setattr(schema, "stored_revision", lost)
    with one_line("run it again"):
        Index(url).update(archive, workers=1)


@pytest.mark.parametrize(
    "said",
    [
        'FATAL:  could not write init file "global/pg_internal.init"',
        "FATAL:  could not extend file: No space left on device",
    ],
)
def test_a_server_without_space_that_lets_nobody_in_is_told_as_a_full_disk(said: str) -> None:
    told = explain_refusal(OSError(said))
    assert told.startswith("no space left on the server's disk; ")
