"""An index past the program: its tables as they are, in a file or in a server."""

import sqlite3
from pathlib import Path
from typing import Any

ABOUT_THE_FILE = (
    "is about the file, and the SQL, of SQLite: tests/store/test_postgresql.py has its like"
)
_TABLES = (
    "SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = 'sdindex' AND table_type = 'BASE TABLE' ORDER BY table_name"
)


class Served(str):
    """The URL of an index in a server, asked as tests ask the path of a file."""

    __slots__ = ()

    def exists(self) -> bool:
        with connected(self) as connection:
            return bool(connection.execute(_TABLES).fetchall())

    def read_bytes(self) -> bytes:
        """Return all that is in its tables."""
        with connected(self) as connection:
            return repr([
                (table, sorted(map(repr, connection.execute(f'SELECT * FROM "{table}"'))))
                for (table,) in connection.execute(_TABLES).fetchall()
            ]).encode()  # fmt: skip


def connected(db: Path | str) -> Any:
    """Return a connection to the tables, whose statements are SQLite's or the server's."""
    if not isinstance(db, Served):
        return sqlite3.connect(db)
    import psycopg

    return psycopg.connect(db, options="-c search_path=sdindex,public", autocommit=True)


def with_marks(db: Path | str, statement: str) -> str:
    """Return a statement with the marks for values that are right there."""
    return statement.replace("?", "%s") if isinstance(db, Served) else statement
