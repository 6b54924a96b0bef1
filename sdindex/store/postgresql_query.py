"""SQL of the user on PostgreSQL: read-only whatever it says, and bounded in time."""

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sdindex.archive.names import printable
from sdindex.arguments import DEFAULT_SECONDS
from sdindex.errors import QueryError
from sdindex.store import postgresql_errors
from sdindex.store.postgresql_words import ForbiddenError, looked_at, may_call
from sdindex.store.query import Answer, stopped

_MOST_BYTES = 16 << 20  # bytes of the rows that are fetched at once
_MOST_ROWS = 1000
_MOST_IDS = 100_000  # a number each
_INTEGERS = {20, 21, 23}  # PostgreSQL's type ids of integers
_NO_EXPRESSION = "that is no expression on the columns of image: it gives other rows"
_MORE = "the query would do more than read, which is all that is allowed here"
_SCHEMA = "sdindex"  # schemas whose tables a query may read
_DESCRIBING = {
    "pg_attrdef", "pg_attribute", "pg_class", "pg_collation", "pg_constraint", "pg_depend",
    "pg_index", "pg_namespace", "pg_sequence", "pg_type",
}  # fmt: skip
_DENIED = ("25006", "42501", "34000")


@contextmanager
def ask(
    connecting: AbstractContextManager[sa.Connection], question: str, *, seconds: float
) -> Iterator[Answer]:
    """Run one query on a connection that only reads; see `sdindex.Index.sql`."""
    with connecting as connection, _told(clock := _Clock(connection, seconds)):
        columns = _open(connection, question, clock)
        yield Answer(columns, _rows(connection, clock))


def matching(connection: sa.Connection, expression: str) -> set[int]:
    """Return the ids of the images for which an expression is true, in the transaction's state."""
    clock = _Clock(connection, DEFAULT_SECONDS)
    question = f"SELECT id FROM image WHERE ({expression}\n)"  # noqa: S608
    point = connection.begin_nested()
    try:
        with _told(clock):
            largest = connection.exec_driver_sql("SELECT max(id) FROM image").scalar() or 0
            connection.exec_driver_sql("SET LOCAL transaction_read_only = on")
            _open(connection, question, clock)
            return _ids(clock, largest)
    finally:
        if not connection.invalidated:
            point.rollback()


class _Clock:
    """Measures the time that the server works, and stops it when the time is used up."""

    def __init__(self, connection: sa.Connection, seconds: float) -> None:
        self.seconds = seconds
        self._left = seconds
        self._connection = connection

    def run(self, statement: str) -> sa.CursorResult[Any]:
        """Run a statement in the time that is left."""
        milliseconds = max(int(self._left * 1000), 1)
        self._connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
        started = time.monotonic()
        try:
            return self._connection.exec_driver_sql(statement)
        finally:
            self._left -= time.monotonic() - started

    def is_over(self) -> bool:
        """Say whether the time is used up."""
        return self._left <= 0


def _open(connection: sa.Connection, question: str, clock: _Clock) -> list[str]:
    """Open a cursor for a query; return the names of its columns.

    A cursor takes a single query that does not write. Which functions it calls is seen in its
    words, which tables it reads in its plan.
    """
    try:
        query = looked_at(question).replace("%", "%%")
    except ForbiddenError as problem:
        raise QueryError(f"{_MORE}: {printable(str(problem))}") from problem
    if not query.strip():
        raise QueryError("that is no question: only SELECT has an answer")
    plan = clock.run(f"EXPLAIN (VERBOSE, FORMAT JSON) {query}").scalar()
    _look_at_plan(json.loads(plan) if isinstance(plan, str) else plan)
    clock.run(f"DECLARE question NO SCROLL CURSOR FOR {query}")
    empty = clock.run("FETCH 0 FROM question")
    return list(empty.keys())


def _look_at_plan(plan: Any) -> None:
    """Refuse a plan that reads anything but tables of the index."""
    if isinstance(plan, list):
        for each in plan:
            _look_at_plan(each)
    elif isinstance(plan, dict):
        table = plan.get("Relation Name", "")
        is_known = plan.get("Schema") == _SCHEMA or table in _DESCRIBING
        function = plan.get("Function Name", "count")
        if plan.get("Node Type") == "Foreign Scan" or (table and not is_known):
            raise QueryError(f"{_MORE}: it reads {printable(table)}")
        if not may_call(function):
            raise QueryError(f"{_MORE}: it calls {printable(function)}")
        for each in plan.values():
            if isinstance(each, dict | list):
                _look_at_plan(each)


def _rows(connection: sa.Connection, clock: _Clock) -> Iterator[tuple[Any, ...]]:
    count = 1
    with _told(clock):
        while rows := clock.run(f"FETCH {count} FROM question").all():
            largest = max(map(_size, rows))
            if largest > _MOST_BYTES:
                raise MemoryError
            for row in rows:
                yield tuple(map(_plain, row))
            if len(rows) < count:
                return
            count = max(1, min(_MOST_ROWS, _MOST_BYTES // max(largest, 1), 10 * count))


def _plain(value: Any) -> Any:
    """Return a value of the type that SQLite would give."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _size(row: sa.Row[Any]) -> int:
    return sum(len(value) for value in row if isinstance(value, str | bytes))


def _ids(clock: _Clock, largest: int) -> set[int]:
    """Return ids, checked: a bracket in the expression may have begun another query."""
    found: set[int] = set()
    kinds = [column[1] for column in clock.run("FETCH 0 FROM question").cursor.description]
    if len(kinds) != 1 or kinds[0] not in _INTEGERS:
        raise QueryError(_NO_EXPRESSION)
    while rows := clock.run(f"FETCH {_MOST_IDS} FROM question").cursor.fetchall():
        ids = list(chain.from_iterable(rows))
        if None in ids or min(ids) <= 0 or max(ids) > largest:
            raise QueryError(_NO_EXPRESSION)
        found.update(ids)
    return found


@contextmanager
def _told(clock: _Clock) -> Iterator[None]:
    """Turn the server's errors into a QueryError with a line for the user."""
    try:
        yield
    except MemoryError as problem:
        raise QueryError(
            "the query asks for too much memory; narrow it with WHERE or LIMIT"
        ) from problem
    except DBAPIError as problem:
        raise QueryError(_explain(problem.orig, clock)) from problem


def _explain(problem: BaseException | None, clock: _Clock) -> str:
    code = getattr(problem, "sqlstate", None) or ""
    words = postgresql_errors.words(problem)
    if code == "57014" or clock.is_over():
        return stopped(clock.seconds)
    if code in _DENIED or "DECLARE CURSOR must not" in words or "cannot execute" in words:
        return _MORE
    if code.startswith(("08", "57P", "53")) or not code:
        return postgresql_errors.explain(problem) or words
    if "multiple commands" in words:
        return "one query at a time, please"
    return f"the query cannot be answered: {words}"
