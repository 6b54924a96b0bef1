"""Connections to a PostgreSQL server that take few round trips: on a network each is waited for."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import NumericBinaryLoader
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGCompiler_psycopg, PGDialect_psycopg

NAME = "postgresql+sdindex"  # of the dialect, for SQLAlchemy
_AT_FIRST = 32  # rows; no query fetches fewer at once
_VERSION = 10_000  # of the driver's number: the first one of a version


class _Compiler(PGCompiler_psycopg):
    """Writes statements that give what SQLite's do."""

    def visit_extract(self, extract: Any, **words: Any) -> str:
        """Return the expression for a part of a time, as a whole number."""
        time = self.process(extract.expr, **words)
        return f"floor(EXTRACT({extract.field} FROM {time}))"


class Dialect(PGDialect_psycopg):
    """Takes from the driver, and from the settings, what SQLAlchemy asks each server first."""

    supports_statement_cache = True
    statement_compiler = _Compiler

    def _get_server_version_info(self, connection: Any) -> tuple[int, int]:
        number: int = connection.connection.driver_connection.info.server_version
        return divmod(number, _VERSION)

    def _get_default_schema_name(self, connection: Any) -> str:
        return "sdindex"

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        """Return the level to which a connection goes back."""
        return self._on_connect_isolation_level or "READ COMMITTED"

    def _set_backslash_escapes(self, connection: Any) -> None:
        self._backslash_escapes = False


registry.register(NAME.replace("+", "."), __name__, "Dialect")


class Streamed(psycopg.Cursor[Any]):
    """The rows of a query, which stay with the server until they are asked for, as it has them.

    The first ones come with the answer, in one round trip; the driver's own needs five to find
    out that there are no more. It may be left unread.
    """

    def __init__(self, connection: "psycopg.Connection[Any]", *, name: str, **_: Any) -> None:
        super().__init__(connection)
        self._name = name
        self._is_more = False

    def execute(self, query: Any, params: Any = None, **_: Any) -> "Streamed":
        """Run a query, and fetch its first rows."""
        with self.connection.cursor() as declared, self.connection.pipeline():
            declared.execute(
                f'DECLARE "{self._name}" NO SCROLL CURSOR FOR {query}', params, prepare=False
            )
            self._fetch(_AT_FIRST)
        self._is_more = True
        self._end_if(self.rowcount < _AT_FIRST)
        return self

    def __iter__(self) -> "Streamed":
        return self

    def __next__(self) -> Any:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def fetchmany(self, size: int = 1) -> list[Any]:
        """Return so many rows, or all that are left."""
        rows = super().fetchmany(size)
        lacking = size - len(rows)
        if self._is_more and lacking > 0:
            self._fetch(lacking)
            rows += super().fetchall()
            self._end_if(self.rowcount < lacking)
        return rows

    def fetchone(self) -> Any:
        """Return the next row; None when there is none."""
        return next(iter(self.fetchmany(1)), None)

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        rows = super().fetchall()
        if self._is_more:
            self._fetch("ALL")
            rows += super().fetchall()
            self._end_if(True)
        return rows

    def close(self) -> None:
        """Have the server forget what is left, unless it did with the transaction."""
        is_there = self.connection.info.transaction_status == TransactionStatus.INTRANS
        self._end_if(is_there and not self.closed)
        super().close()

    def _fetch(self, count: int | str) -> None:
        super().execute(f'FETCH {count} FROM "{self._name}"', prepare=False, binary=True)

    def _end_if(self, is_over: bool) -> None:
        """Have the server forget a query of which no more is wanted."""
        if self._is_more and is_over:
            self._is_more = False
            self.connection.execute(f'CLOSE "{self._name}"')


class _Number(Loader):
    """Gives numbers as SQLite does: sums as integers."""

    def load(self, data: Any) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


class _BinaryNumber(NumericBinaryLoader):
    """Does so with numbers as the server has them."""

    def load(self, data: Any) -> Any:
        number = super().load(data)
        return int(number) if number == number.to_integral_value() else float(number)


def set_up(connection: Any, settings: Mapping[str, str]) -> None:
    """Have a new connection give what SQLite would, with settings of the server's."""
    connection.server_cursor_factory = Streamed
    connection.adapters.register_loader("numeric", _Number)
    connection.adapters.register_loader("numeric", _BinaryNumber)
    chosen = ", ".join(
        f"set_config('{name}', '{value}', false)" for name, value in settings.items()
    )
    connection.autocommit = True  # for this alone: else it is three round trips
    connection.execute(f"SELECT {chosen}")
    connection.autocommit = False
