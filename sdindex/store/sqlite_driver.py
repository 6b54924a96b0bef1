"""SQLite's driver: connections that end their queries when they are closed."""

import sqlite3
from pathlib import Path
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa

# Statements kept prepared: one that names thousands of ids has half a megabyte.
_STATEMENTS = 16


class Connection(sqlite3.Connection):
    """A connection that ends its queries when it is closed.

    SQLite lets nobody write while a query is open, and an error that is kept keeps, in its
    traceback, the cursor of an unfinished query. Only cursors from `cursor` are ended, as `execute`
    uses that in some versions of Python only.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()  # first, as it may be closed half-made
        super().__init__(*args, **options)

    def cursor(self, *args: Any) -> Any:
        """Return a new cursor."""
        cursor = super().cursor(*args)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """End open queries, and close the file."""
        for cursor in list(self._cursors):
            cursor.close()
        super().close()


def connect(file: Path, *, mode: str, seconds: float) -> Connection:
    """Open an existing file, as ``rw`` or ``ro``; the driver begins no transactions itself.

    A statement waits `seconds` for another program that is writing.
    """
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=seconds,
        isolation_level=None,
        factory=Connection,
        cached_statements=_STATEMENTS,
    )


def connect_temporary() -> Connection:
    """Make a temporary database on the disk, which is gone when it is closed."""
    return sqlite3.connect("", isolation_level=None, factory=Connection)


def driver_of(connection: sa.Connection) -> sqlite3.Connection:
    """Return the driver's own connection."""
    own = connection.connection.driver_connection
    if not isinstance(own, sqlite3.Connection):
        raise TypeError(f"a connection of {type(own)}")
    return own
