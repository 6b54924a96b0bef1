"""What only a server has: roles, lost connections, several who write, and what SQL could do."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from sdindex import Index, IndexMissingError, IndexUnusableError, QueryError
from sdindex.archive.natural import sort_key
from sdindex.store.database import Store
from sdindex.store.tables import archive as archive_table
from sdindex.store.tables import image
from tests.conftest import make_image
from tests.support.servers import Server, running


@pytest.fixture
def url(server: Server) -> str:
    return server.database()


@pytest.fixture
def index(url: str) -> Iterator[Index]:
    with Index(url) as index:
        yield index


@pytest.fixture
def filled(index: Index, archive: Path, threads: Executor) -> Index:
    index.update(archive, executor=threads)
    return index


def until(is_so: Callable[[], object]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that in half a minute")


def indexing(url: str, *folders: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "sdindex", "--db", url, "index", *map(str, folders)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def holders(server: Server, url: str) -> list[tuple[object, ...]]:
    """Return who holds an archive of an index."""
    return server.run(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 97639937 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", url
    )  # fmt: skip


def test_an_empty_database_is_no_index_yet_and_a_shared_one_is_left_alone(
    server: Server, url: str, index: Index, archive: Path, threads: Executor
) -> None:
    server.run("CREATE TABLE public.alembic_version (version_num text)", url)
    server.run("CREATE TABLE public.image (mine int)", url)
    with pytest.raises(IndexMissingError, match="make one with: sdindex index FOLDER"):
        index.status()
    index.update(archive, executor=threads)
    assert index.status().archives[0].images == 12
    schemas = server.run("SELECT table_schema, count(*) FROM information_schema.tables "
                         "WHERE table_schema IN ('public', 'sdindex') GROUP BY 1", url)  # fmt: skip
    assert ("public", 2) in schemas


def test_text_compares_by_its_bytes_whatever_the_server_does(
    server: Server, url: str, filled: Index
) -> None:
    other = server.run(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = "
        "'sdindex' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' "
        "AND table_name NOT IN ('image_hash', 'bucket')", url
    )  # fmt: skip
    assert not other


HOSTILE = """
SELECT pg_read_file('/etc/passwd')
SELECT "pg_read_file"('/etc/passwd')
SELECT pg_catalog.pg_ls_dir('/')
SELECT pg_sleep(99)
SELECT lo_import('/etc/passwd')
SELECT lo_export(1, '/tmp/x')
SELECT set_config('a.b', 'c', false)
SELECT dblink('host=127.0.0.1', 'SELECT 1')
SELECT query_to_xml('SELECT 1', true, true, '')
SELECT pg_terminate_backend(1)
SELECT nextval('image_id_seq')
SELECT pg_advisory_lock(1)
COPY image TO '/tmp/x'
COPY (SELECT 1) TO PROGRAM 'id'
DO 'BEGIN END'
SET a.b = 'c'
SELECT 1; DELETE FROM image
SELECT 1;;
DELETE FROM image RETURNING id
SELECT 1 INTO x
WITH x AS (DELETE FROM image RETURNING id) SELECT * FROM x
SELECT id FROM image FOR UPDATE
SELECT * FROM pg_authid
SELECT * FROM pg_hba_file_rules
SELECT * FROM pg_stat_activity
EXPLAIN ANALYZE DELETE FROM image
SELECT E'\\'' || pg_read_file('/etc/passwd')
SELECT E'a'{line}'\\' , 1 --' , pg_read_file('/etc/passwd')
SELECT $$a$$
SELECT U&'a'
SELECT /* /* */ pg_read_file('/etc/passwd') */ pg_ls_dir('/')
SELECT 1 -- {return}, pg_ls_dir('/')
SELECT other.count(1)
TABLE pg_shadow
SELECT '
LISTEN x
COMMIT
"""


def test_a_query_reads_the_index_and_does_no_more(filled: Index) -> None:
    for line in HOSTILE.splitlines():
        hostile = line.replace("{line}", "\n").replace("{return}", "\r")
        with pytest.raises(QueryError) as caught, filled.sql(hostile) as answer:
            list(answer.rows)
        assert "\n" not in str(caught.value)
        inside = f"id IN ({hostile})" if hostile.startswith("SELECT") else f"1) {hostile} --"
        for save in (None, "some"):
            with pytest.raises(QueryError):
                filled.select(3, where=inside, save=save)
    assert filled.status().archives[0].images == 12


def test_an_endless_query_is_stopped(filled: Index) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT i FROM n"
    for query in (f"SELECT count(*) FROM ({endless}) AS n", endless):
        with (
            pytest.raises(QueryError, match=r"stopped after 0\.2 s"),
            filled.sql(query, seconds=0.2) as answer,
        ):
            list(answer.rows)


def test_a_second_writer_of_an_archive_waits_and_says_for_whom(
    url: str, filled: Index, archive: Path, threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def again() -> None:
        with Index(url) as other:
            other.update(archive, executor=threads)
        done.set()

    with caplog.at_level(logging.WARNING), Store(url).writing() as session:
        root = session.execute(sa.select(archive_table.c.id, archive_table.c.root)).one()
        session.hold(*root)
        second = threading.Thread(target=again)
        second.start()
        until(lambda: caplog.text)
        assert f"(process {os.getpid()}" in caplog.text
        assert f"is writing to the archive {archive}: waiting for it" in caplog.text
        assert not done.is_set()
        assert filled.select(3)  # who reads waits for nobody
        filled.select(3, save="beside")
    second.join()
    assert done.is_set()


def test_a_sample_is_saved_of_images_that_were_moved_meanwhile(url: str, filled: Index) -> None:
    def move(_: str) -> None:
        with Store(url).writing() as session:
            session.hold(
                *session.execute(sa.select(archive_table.c.id, archive_table.c.root)).one()
            )
            for (path,) in session.execute(sa.select(image.c.path)).all():
                moved = {"path": f"moved/{path}", "sort_key": sort_key(f"moved/{path}")}
                session.execute(image.update().where(image.c.path == path).values(moved))
            session.commit()

    drawn = [image.relative_path for image in filled.select(5, save="some", when_drawn=move)]
    assert not any(path.startswith("moved/") for path in drawn)
    assert [image.relative_path for image in filled.sample("some")] == [f"moved/{p}" for p in drawn]


def test_different_archives_are_written_at_once(
    url: str, filled: Index, tmp_path: Path, threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    make_image(tmp_path / "second/1.jpg", 77)
    with Store(url).writing() as session:
        session.hold(*session.execute(sa.select(archive_table.c.id, archive_table.c.root)).one())
        session.execute(image.update().values(brightness=1.0))
        filled.update(tmp_path / "second", executor=threads)
    assert not caplog.text
    assert [archive.images for archive in filled.status().archives] == [12, 1]
    assert len(filled.select(99)) == 13


def test_first_runs_at_once_make_one_index(server: Server, tmp_path: Path) -> None:
    for number in range(4):
        make_image(tmp_path / f"a{number}/1.jpg", number)
    url = server.database()
    runs = [indexing(url, tmp_path / f"a{number % 3}") for number in range(4)]
    for run in runs:
        _, said = run.communicate()
        assert run.returncode == 0, said
    with Index(url) as index:
        assert len(index.select(9)) == 3


def test_a_holder_that_is_killed_lets_go(server: Server, url: str, tmp_path: Path) -> None:
    for seed in range(400):
        make_image(tmp_path / f"many/{seed}.jpg", seed, (64, 48))
    run = indexing(url, tmp_path / "many")
    until(lambda: holders(server, url))
    run.send_signal(signal.SIGKILL)
    run.communicate()
    until(lambda: not holders(server, url))
    with Index(url) as index:
        index.update(tmp_path / "many", workers=1)
        assert len(index.select(999)) == 400


@pytest.mark.parametrize("how", ["terminated", "restarted"])
def test_a_lost_connection_is_one_line_and_the_next_run_reads_the_rest(
    tmp_path: Path, how: str
) -> None:
    for seed in range(400):
        make_image(tmp_path / f"many/{seed}.jpg", seed, (64, 48))
    with running() as server:
        url = server.database()
        run = indexing(url, tmp_path / "many")
        until(lambda: holders(server, url))
        if how == "terminated":
            server.run(f"SELECT pg_terminate_backend({holders(server, url)[0][0]})")
        else:
            server.stop()
            server.start()
        _, said = run.communicate()
        assert run.returncode == 1, said
        lines = [line for line in said.splitlines() if line.startswith("Error")]
        assert len(lines) == 1
        assert "run it again" in lines[0]
        assert "Traceback" not in said
        with Index(url) as index:
            index.update(tmp_path / "many", workers=1)
            assert len(index.select(999)) == 400


def test_a_server_that_refuses_is_one_line(server: Server, url: str, filled: Index) -> None:
    refused = {
        url.replace(str(server.port), "1"): "cannot be reached",
        url.replace("/index", "/nothing"): "createdb",
        url.replace("sdindex@", "nobody:secret@"): "role",
        url.replace("postgresql:", "postgresql+pg8000:"): "begins with postgresql://",
    }
    for other, why in refused.items():
        with pytest.raises(IndexUnusableError, match=why) as caught:
            Index(other).status()
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)


def test_a_reader_may_read_and_a_sampler_may_save(server: Server, url: str, filled: Index) -> None:
    topic = (Path(__file__).parents[2] / "sdindex/help/team.md").read_text(encoding="utf-8")
    grants = topic.partition("```text\n-- to")[2].partition("```")[0].partition("\n")[2]
    for role in ("readers", "samplers", "writers"):
        server.run(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN")
    server.run("GRANT readers TO samplers, writers")
    server.run(grants, url)
    as_reader = Index(url.replace("sdindex@", "readers@"))
    assert as_reader.select(3, where="hamming(dhash, 0) > 2")
    for change in (
        lambda: as_reader.select(3, save="some"),
        lambda: as_reader.prune(),
        lambda: as_reader.update(filled.status().archives[0].root, workers=1),
    ):
        with pytest.raises(IndexUnusableError, match="your role may not do this"):
            change()
    Index(url.replace("sdindex@", "samplers@")).select(3, save="some")
    Index(url.replace("sdindex@", "writers@")).update(filled.status().archives[0].root, workers=1)
    server.run("DROP OWNED BY readers, samplers, writers", url)
    server.run("DROP ROLE samplers, writers, readers")


def test_too_many_clients_are_one_line(server: Server, url: str, filled: Index) -> None:
    import psycopg

    with ExitStack() as taken:
        for _ in range(100):
            with suppress(psycopg.OperationalError):
                taken.enter_context(psycopg.connect(url))
        with pytest.raises(IndexUnusableError, match="no free connection"):
            filled.status()


def test_a_missing_driver_names_what_to_install(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(IndexUnusableError, match=r"pip install 'sdindex\[postgresql\]'"):
        Index(url).status()


def test_a_password_is_never_shown() -> None:
    url = "postgresql://me:s3cret@host/db?password=s3cret&application_name=x"
    assert "s3cret" not in str(Index(url))
