"""What everything that keeps an index must do: one suite for SQLite, and for what comes after."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import sqlalchemy as sa

from sdindex import IndexMissingError, IndexUnusableError, QueryError
from sdindex.store import sqlite
from sdindex.store.backend import Backend
from sdindex.store.database import Session, Store
from sdindex.store.tables import archive, image, utc_now
from tests.support.servers import Server

# What names a new index.
Kind = Callable[[pytest.FixtureRequest], str]


def sqlite_file(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("tmp_path") / "index.db")


def sqlite_url(request: pytest.FixtureRequest) -> str:
    return f"sqlite:///{(request.getfixturevalue('tmp_path') / 'index.db').as_posix()}"


def postgresql_url(request: pytest.FixtureRequest) -> str:
    server: Server = request.getfixturevalue("server")
    return server.database()


@pytest.fixture(params=[sqlite_file, sqlite_url, postgresql_url])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    kind: Kind = request.param
    store = Store(kind(request))
    yield store
    store.close()


@pytest.fixture
def backend(store: Store) -> Backend:
    return store.backend


def row(number: int) -> dict[str, object]:
    return {
        "archive_id": 1, "path": f"{number}.jpg", "size": 1 << 40, "mtime_ns": -number,
        "ctime_ns": 0, "inode": (1 << 63) - 1, "settled": number % 2 == 0,
        "dhash": -(1 << 63) + number, "method": "scaled-1", "sort_key": bytes([0, 255, number]),
        "taken_at": datetime(2019, 4, 1, 5, number) if number % 2 else None,  # noqa: DTZ001
        "width": 2048, "height": 1536, "brightness": number / 3, "camera": "Caméra",
        "indexed_at": utc_now(),
    }  # fmt: skip


def fill(store: Store, images: int = 5) -> None:
    with store.writing(create=True) as session:
        session.execute(
            archive.insert(),
            {"id": 1, "root": "/a", "sort_key": b"", "method": "scaled", "added_at": utc_now()},
        )
        for number in range(images):
            session.execute(image.insert(), row(number))
        session.commit()


def count(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(image)) or 0


def test_before_it_is_made_nothing_is_opened(store: Store, backend: Backend) -> None:
    assert backend.is_new()
    with pytest.raises(IndexMissingError), store.reading():
        pass
    with pytest.raises(IndexMissingError), store.writing():
        pass
    assert backend.is_new()


def test_it_is_made_and_made_away_with(store: Store, backend: Backend) -> None:
    with store.writing(create=True):
        pass
    assert not backend.is_new()
    backend.require()
    with store.reading() as session:
        assert count(session) == 0
    store.close()
    backend.discard()
    assert backend.is_new()


def test_what_is_not_committed_is_gone(store: Store) -> None:
    fill(store)
    with store.writing() as session:
        session.execute(image.delete())
    with store.reading() as session:
        assert count(session) == 5


def test_a_failure_in_a_new_index_leaves_none_unless_something_was_stored(
    store: Store, backend: Backend
) -> None:
    with pytest.raises(ZeroDivisionError), store.writing(create=True):
        raise ZeroDivisionError
    assert backend.is_new()

    def fail() -> None:
        fill(store)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not backend.is_new()


def test_a_reader_cannot_write(store: Store) -> None:
    fill(store)
    with pytest.raises(IndexUnusableError), store.reading() as session:
        session.execute(image.delete())


def test_a_reader_sees_one_state(store: Store) -> None:
    fill(store)

    def write() -> None:
        with store.writing() as session:
            session.execute(image.delete().where(image.c.path == "0.jpg"))
            session.commit()  # where readers keep writers waiting, it waits

    writer = threading.Thread(target=write)
    with store.reading() as session:
        assert count(session) == 5
        writer.start()
        assert len(list(session.rows(sa.select(image.c.id)))) == 5
        assert len(session.matching("path = '0.jpg'")) == 1
    writer.join()
    with store.reading() as session:
        assert count(session) == 4


def test_writers_come_one_after_the_other(store: Store) -> None:
    fill(store, 0)
    under_way: list[int] = []

    def write(number: int) -> None:
        with store.writing() as session:
            session.hold(1, "/a")
            under_way.append(number)
            session.execute(image.insert(), [row(number)])
            session.commit()
            assert under_way == [number]
            under_way.clear()
            session.release(1)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with store.reading() as session:
        assert count(session) == 6


def test_rows_come_as_execute_gives_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, 7)
    statement = sa.select(image).order_by(image.c.id)
    with store.reading() as session:
        expected = [tuple(found) for found in session.execute(statement)]
        for size in (1, 3, 100):
            assert list(session.rows(statement, chunk=size)) == expected
        assert expected[1][image.c.keys().index("taken_at")] == datetime(2019, 4, 1, 5, 1)  # noqa: DTZ001
        assert list(session.rows(statement.where(sa.false()))) == []


def test_a_query_that_was_not_read_to_its_end_keeps_nobody_waiting(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0)
    fill(store)
    with store.reading() as session:
        rows = session.rows(sa.select(image.c.path), chunk=1)
        results = session.execute(sa.select(image.c.path).execution_options(yield_per=1))
        assert next(rows) == next(iter(results))
    with store.writing() as session:  # both are still there, as in the traceback of an error
        session.execute(image.delete())
        session.commit()
    del rows, results


def test_a_batch_whose_commit_was_in_doubt_is_stored_again(store: Store) -> None:
    fill(store, 2)
    with store.writing() as session:
        odd = {"error": "\\ \"'\n é 🦌 %s :x", "grey": bytes(range(256)), "taken_at": None}
        again = [row(1) | {"width": 1} | odd, row(2) | odd, row(3) | {"error": None, "grey": None}]
        session.put(image, ["archive_id", "path"], again)
        session.commit()
        found = session.execute(sa.select(image).order_by(image.c.id)).mappings().all()
    assert [each["path"] for each in found] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    for each, expected in zip(found[1:], again, strict=True):
        assert {name: each[name] for name in expected} == expected


def test_its_size_grows_with_it(store: Store) -> None:
    fill(store)
    with store.writing() as session:
        before = session.size()
        many = [row(0) | {"path": f"{number}", "sort_key": b"x" * 99} for number in range(4000)]
        session.execute(image.insert(), many)
        session.commit()
        assert session.size() - before > 4000 * 99


def test_an_expression_from_outside_reads_and_no_more(store: Store) -> None:
    fill(store)
    with store.writing() as session:
        assert len(session.matching("width > 1000 AND path LIKE '%.jpg' -- all")) == 5
        for hostile in ("1); DELETE FROM image; --", "nothing"):
            with pytest.raises(QueryError):
                session.matching(hostile)
        assert count(session) == 5


def test_a_query_from_outside_reads_and_no_more(store: Store) -> None:
    fill(store)
    with store.asking("SELECT path FROM image ORDER BY path", seconds=10) as found:
        assert (found.columns, list(found.rows)) == (["path"], [(f"{n}.jpg",) for n in range(5)])
    for hostile in ("DELETE FROM image", "DROP TABLE image", "SELECT 1; DELETE FROM image", ""):
        with (
            pytest.raises(QueryError),
            store.asking(hostile, seconds=10) as found,
        ):
            list(found.rows)
    with store.reading() as session:
        assert count(session) == 5


def test_texts_are_found_among_many_whatever_is_in_them(store: Store) -> None:
    fill(store, images=1)
    paths = [
        "a'b.jpg",
        'a"b.jpg',
        "a\\b.jpg",
        "{a,b}.jpg",
        "NULL",
        "Caméra/🦊.jpg",
        "1.jpg",
        "%.jpg",
    ]
    with store.writing() as session:
        session.execute(image.insert(), [row(0) | {"path": path} for path in paths])
        among = sa.select(image.c.path).where(session.is_among(image.c.path, "paths"))
        asked = [*paths, *map(str, range(20_000))]
        assert sorted(session.rows(among, values={"paths": asked})) == [
            (path,) for path in sorted(paths)
        ]
        assert list(session.rows(among, values={"paths": []})) == []


def test_an_error_of_the_database_is_one_line(store: Store, backend: Backend) -> None:
    fill(store)
    with pytest.raises(IndexUnusableError) as caught, store.reading() as session:
        session.execute(sa.text("SELECT * FROM nothing"))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(backend))


def test_a_sound_index_is_not_damaged(store: Store, backend: Backend) -> None:
    fill(store)
    assert backend.damage() is None
    with store.reading() as session:
        backend.check(session.connection, write=True)
    with pytest.raises(TypeError, match="a fault of this program"), store.reading():
        raise TypeError("a fault of this program")


def test_it_can_be_used_after_it_was_closed(store: Store) -> None:
    fill(store)
    store.close()
    with store.reading() as session:
        assert count(session) == 5
