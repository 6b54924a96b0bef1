"""What a query costs on the way to a server, and that its rows are all there."""

from collections.abc import Iterator
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sdindex import Index
from sdindex.store.database import Session, Store
from tests.support.servers import Server

psycopg = pytest.importorskip("psycopg")
PORTALS = sa.text("SELECT count(*) FROM pg_cursors WHERE name <> ''")


@pytest.fixture
def filled(server: Server, archive: Path, threads: Executor) -> Iterator[Index]:
    with Index(server.database()) as index:
        index.update(archive, executor=threads)
        yield index


@pytest.fixture(scope="module")
def empty(server: Server) -> Store:
    store = Store(server.database())
    with store.writing(create=True):
        return store


@pytest.fixture
def session(empty: Store) -> Iterator[Session]:
    with empty.reading() as session:
        yield session


def numbers(count: int) -> sa.Select[Any]:
    return sa.select(sa.literal_column(f"generate_series(1, {count})", sa.Integer).label("number"))


@pytest.mark.parametrize("chunk", [1, 32, 50, 2000])
def test_all_rows_come(session: Session, chunk: int) -> None:
    for count in (0, 1, 31, 32, 33, 64, 1000):
        expected = [(number,) for number in range(1, count + 1)]
        assert list(session.rows(numbers(count), chunk=chunk)) == expected
        options = {"stream_results": True, "max_row_buffer": chunk}
        streamed = [
            session.connection.execute(numbers(count), execution_options=options) for _ in range(2)
        ]
        assert streamed[0].all() == expected
        assert [*iter(streamed[1].fetchone, None)] == expected
    assert session.connection.scalar(PORTALS) == 0


def test_seconds_are_whole_as_in_a_file(session: Session) -> None:
    taken_at = datetime(1969, 12, 31, 23, 59, 58, 636940, UTC).replace(tzinfo=None)
    seconds = sa.cast(sa.extract("epoch", sa.literal(taken_at, sa.DateTime)), sa.BigInteger)
    assert session.connection.scalar(sa.select(seconds)) == -2
    assert session.local.connection.scalar(sa.select(seconds)) == -2


def test_queries_are_read_beside_each_other_and_left_unread(session: Session) -> None:
    first, second = (session.rows(numbers(1000), chunk=40) for _ in range(2))
    pairs = [(next(first), next(second)) for _ in range(200)]
    assert pairs == [((number,), (number,)) for number in range(1, 201)]
    assert session.connection.scalar(PORTALS) == 2
    session.commit()
    assert list(session.rows(numbers(50))) == [(number,) for number in range(1, 51)]
    assert session.connection.scalar(PORTALS) == 0


def test_no_row_is_lost_however_they_are_taken(session: Session) -> None:
    every = [(number,) for number in range(1, 101)]
    for taken in (list, lambda rows: [rows.fetchone(), *rows.fetchmany(), *rows.fetchall()]):
        rows = session.connection.connection.driver_connection.cursor(name="taken")  # type: ignore[union-attr]
        assert taken(rows.execute("SELECT generate_series(1, 100)")) == every
        rows.close()


def test_a_plain_sample_takes_few_round_trips(
    filled: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[object] = []
    wait = psycopg.Connection.wait

    def counted(self: Any, generator: Any, *given: Any, **named: Any) -> Any:
        waits.append(generator)
        return wait(self, generator, *given, **named)

    monkeypatch.setattr(psycopg.Connection, "wait", counted)
    assert len(filled.select(5)) == 5
    assert len(waits) <= 41  # of which some are of one pipeline, and one round trip
