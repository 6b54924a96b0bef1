"""SQL of the user on SQLite: read-only whatever it says, and bounded in time and memory."""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sdindex.archive.names import printable
from sdindex.arguments import DEFAULT_SECONDS
from sdindex.errors import QueryError
from sdindex.hashing import bits as hash_bits
from sdindex.store.query import Answer, WhenStuck, stopped
from sdindex.store.sqlite_driver import connect

MEMORY_BYTES = 512 << 20  # of SQLite in this process, sorting included, as nothing may go to disk
# A row is copied in Python, and again when it is written as CSV or JSON.
_VALUE_BYTES = 2 << 20  # bytes of one text or blob
_COLUMNS = 100
_ROW_BYTES = 16 << 20
_LOOK_SECONDS = 0.05  # between two looks at the clock
_LOCK_SECONDS = 5.0  # seconds to wait for a program that is writing
_GRACE_SECONDS = 1.0  # seconds for a query to stop by itself

_READING = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
# Pragmas that describe tables. All others are refused: some of them write.
_DESCRIBING = {"table_info", "table_xinfo", "table_list", "index_list", "index_info"}
_NO_FUNCTIONS = {"load_extension", "fts3_tokenizer"}
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: _VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_COLUMN: _COLUMNS,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}
_DENIED = ("not authorized", "authorization denied", "prohibited", "vtable constructor failed")
# Also errors of text: a query may be no text, and SQLite's message on a damaged index may quote any
# bytes.
_PROBLEMS = (sqlite3.Error, sqlite3.Warning, MemoryError, UnicodeError)


@contextmanager
def ask(
    file: Path,
    query: str,
    *,
    seconds: float = DEFAULT_SECONDS,
    when_stuck: WhenStuck | None = None,
) -> Iterator[Answer]:
    """Run one query on an SQLite index; see `sdindex.Index.sql`."""
    with closing(_connect(file)) as connection, _guarded(connection, "MEMORY"):
        clock = _Clock(connection, seconds)
        with clock.watched(when_stuck):
            try:
                with clock:
                    cursor = connection.cursor().execute(query)
                if cursor.description is None:
                    raise QueryError("that is no question: only SELECT has an answer")
                yield Answer([column[0] for column in cursor.description], _rows(cursor, clock))
            except _PROBLEMS as problem:
                raise QueryError(_explain(problem, clock)) from problem


def matching(
    connection: sqlite3.Connection, expression: str, *, when_stuck: WhenStuck | None = None
) -> set[int]:
    """Return the ids of the images for which an expression is true; see `Session.matching`.

    It runs in the connection's transaction. Sorting may use the disk, without a memory limit: such
    a limit would stay with the process, which may be a program of the user's.
    """
    clock = _Clock(connection, DEFAULT_SECONDS)
    # The line break ends a comment in the expression.
    question = f"SELECT id FROM image WHERE ({expression}\n)"  # noqa: S608
    with _guarded(connection, "FILE"), clock.watched(when_stuck), clock:
        try:
            largest = connection.execute("SELECT max(id) FROM image").fetchone()[0] or 0
            return set(_ids(connection.cursor().execute(question), largest))
        except _PROBLEMS as problem:
            raise QueryError(_explain(problem, clock)) from problem


def _ids(rows: Iterable[tuple[Any, ...]], largest: int) -> Iterator[int]:
    """Yield ids, checked: a bracket in the expression may have begun another query."""
    for (found,) in rows:
        if type(found) is not int or not 0 < found <= largest:
            raise QueryError("that is no expression on the columns of image: it gives other rows")
        yield found


def _rows(cursor: sqlite3.Cursor, clock: "_Clock") -> Iterator[tuple[Any, ...]]:
    may_be_large = len(cursor.description) * _VALUE_BYTES > _ROW_BYTES
    while True:
        with clock:
            row = cursor.fetchone()  # not more: each row may be large
        if row is None:
            return
        if may_be_large and _size(row) > _ROW_BYTES:
            raise MemoryError
        yield row


def _size(row: tuple[Any, ...]) -> int:
    return sum(len(value) for value in row if isinstance(value, str | bytes))


class _Clock:
    """Measures the time that SQLite works, and interrupts it when the time is used up."""

    def __init__(self, connection: sqlite3.Connection, seconds: float) -> None:
        self.seconds = seconds
        self._connection = connection
        self._left = seconds
        self._deadline: float | None = None
        self._lock = threading.Lock()  # so that only the query is interrupted, and nothing after it

    def __enter__(self) -> None:
        with self._lock:
            self._deadline = time.monotonic() + self._left

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._deadline is not None:
                self._left = self._deadline - time.monotonic()
            self._deadline = None

    def is_over(self) -> bool:
        """Say whether the time is used up."""
        return self._seconds_over() > 0

    def _seconds_over(self) -> float:
        deadline = self._deadline
        return -self._left if deadline is None else time.monotonic() - deadline

    @contextmanager
    def watched(self, when_stuck: WhenStuck | None) -> Iterator[None]:
        """Stop SQLite in time; call `when_stuck` where nothing interrupts it."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(_LOOK_SECONDS):
                with self._lock:
                    if self._deadline is not None and self.is_over():
                        self._connection.interrupt()
                        is_stuck = self._seconds_over() > _GRACE_SECONDS
                    else:
                        is_stuck = False
                if is_stuck and when_stuck:
                    when_stuck(stopped(self.seconds))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _connect(file: Path) -> sqlite3.Connection:
    connection = connect(file, mode="ro", seconds=_LOCK_SECONDS)
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA hard_heap_limit = {MEMORY_BYTES}")  # for good, in this process
    add_functions(connection)
    return connection


def add_functions(connection: sqlite3.Connection) -> None:
    """Add this program's functions to a connection."""
    for function in (hamming, bucket, dhash_hex):
        arguments = function.__code__.co_argcount
        connection.create_function(function.__name__, arguments, function, deterministic=True)


@contextmanager
def _guarded(connection: sqlite3.Connection, sorted_in: str) -> Iterator[None]:
    """Let a connection only read, and values of bounded size, while the block runs.

    SQLite sorts in ``MEMORY`` or in a ``FILE``.
    """
    connection.execute(f"PRAGMA temp_store = {sorted_in}")
    with suppress(sqlite3.Error, UnicodeError):  # the query itself meets and reports that
        # SQLite declares these when they are first used, as it would tables of a database.
        connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").fetchall()
    limits = {kind: connection.setlimit(kind, limit) for kind, limit in _LIMITS.items()}
    connection.set_authorizer(_authorize)
    try:
        yield
    finally:
        connection.set_authorizer(None)
        for kind, limit in limits.items():
            connection.setlimit(kind, limit)
        connection.execute("PRAGMA temp_store = DEFAULT")


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_PRAGMA:
        allowed = first in _DESCRIBING
    else:
        allowed = action in _READING and not (
            action == sqlite3.SQLITE_FUNCTION and str(second).lower() in _NO_FUNCTIONS
        )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _explain(problem: Exception, clock: _Clock) -> str:
    text = str(problem)
    if clock.is_over():
        return stopped(clock.seconds)
    if isinstance(problem, MemoryError) or "too big" in text or "too many columns" in text:
        return "the query asks for too much memory; narrow it with WHERE or LIMIT"
    if any(word in text for word in _DENIED):
        return "the query would do more than read, which is all that is allowed here"
    if "one statement" in text:
        return "one query at a time, please"
    if "user-defined function" in text:
        return "hamming, bucket and dhash_hex take hashes, as integers or hexadecimal, and bits"
    return f"the query cannot be answered: {printable(text)}"


def hamming(dhash: int | str | None, other: int | str | None) -> int | None:
    """Return in how many of 64 bits two hashes differ; they are integers or hexadecimal."""
    if dhash is None or other is None:
        return None
    return hash_bits.unsigned(_pattern(dhash) ^ _pattern(other)).bit_count()


def bucket(dhash: int | str | None, bits: int) -> int | None:
    """Return the leading bits of a hash, as an unsigned number where SQLite has it."""
    if dhash is None or not 1 <= bits <= hash_bits.HASH_BITS:
        return None
    return hash_bits.signed(hash_bits.bucket(_pattern(dhash), bits))


def dhash_hex(dhash: int | str | None) -> str | None:
    """Return a hash as 16 hexadecimal digits."""
    return None if dhash is None else hash_bits.to_hex(_pattern(dhash))


def _pattern(dhash: int | str) -> int:
    return int(dhash, 16) if isinstance(dhash, str) else dhash
