"""An index in a schema of a PostgreSQL database: many programs read it, and several write."""

import getpass
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.exc import DBAPIError

from sdindex.archive.names import printable
from sdindex.errors import IndexMissingError, IndexUnusableError
from sdindex.store import postgresql_errors, postgresql_locks, schema
from sdindex.store.backend import Values
from sdindex.store.postgresql_functions import FUNCTIONS
from sdindex.store.query import Answer
from sdindex.store.tables import metadata

SCHEMA = "sdindex"
DRIVERS = ("postgresql", "postgresql+psycopg")
OLDEST = 14  # of PostgreSQL: the first with bit_count
_INSTALL = "pip install 'sdindex[postgresql]'"
_SECRET = {"password", "sslpassword"}
_CONNECT_SECONDS = 10
# A host that vanished is noticed within a minute, and its locks are released.
_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_SETTINGS = {
    "search_path": f"{SCHEMA}, pg_temp",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "datestyle": "ISO",
    **{f"tcp_{name}": str(value) for name, value in _ALIVE.items()},
}
_TABLES = sa.text(
    "SELECT relname::text FROM pg_class "
    "WHERE relnamespace = to_regnamespace('sdindex') AND relkind = 'r'"
)
_SIZE = sa.text(
    "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class "
    "WHERE relnamespace = 'sdindex'::regnamespace AND relkind = 'r'"
)
# Lists of ids do not compress; rows whose new versions find place on their page stay in order.
_STORAGE = (
    "ALTER TABLE frame_column ALTER COLUMN data SET STORAGE EXTERNAL",
    "ALTER TABLE image SET (fillfactor = 90, autovacuum_vacuum_insert_scale_factor = 0.02)",
)


class PostgresqlBackend:
    """An index in a PostgreSQL database; see `sdindex.store.backend.Backend`."""

    file: Path | None = None
    locks_archives = True

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        shown = url.set(
            query={name: value for name, value in url.query.items() if name not in _SECRET}
        )
        self._shown = printable(shown.render_as_string(hide_password=True))
        self._engines: dict[str, sa.Engine] = {}
        self._made_schema = False

    def __str__(self) -> str:
        return self._shown

    def is_new(self) -> bool:
        """Say whether the index is still to be made."""
        with self._own("read") as connection:
            return self._revision(connection) is None

    def require(self) -> None:
        """Do nothing: connecting finds out, see `missing`."""

    def missing(self) -> IndexMissingError | IndexUnusableError:
        """Return the error of a database without an index."""
        return IndexMissingError(
            f"no index at {self}; make one with: sdindex index FOLDER, or name another with --db"
        )

    def check(self, connection: sa.Connection, *, write: bool) -> None:
        """Do nothing: the server has checksums of its own."""

    def tables(self, connection: sa.Connection) -> set[str]:
        """Return the names of the tables of the schema."""
        return set(connection.scalars(_TABLES))

    @contextmanager
    def connecting(self, purpose: str) -> Iterator[sa.Connection]:
        """Connect to the server; see `_engine` for the purposes.

        Raises
        ------
        IndexUnusableError
            When there is no connection.
        """
        if purpose not in self._engines:
            self._engines[purpose] = self._engine(purpose)
        try:
            connection = self._engines[purpose].connect()
        except DBAPIError as problem:
            why = postgresql_errors.explain_refusal(problem.orig)
            raise IndexUnusableError(f"{self}: {why}") from problem
        with connection:
            yield connection

    def _revision(self, connection: sa.Connection) -> str | None:
        return schema.stored_revision(connection, self.tables(connection))

    @contextmanager
    def _own(self, purpose: str) -> Iterator[sa.Connection]:
        """Connect for what is done outside of sessions."""
        try:
            with self.connecting(purpose) as connection:
                yield connection
        except DBAPIError as problem:
            why = postgresql_errors.explain(problem.orig)
            if why is None:
                raise
            raise IndexUnusableError(f"{self}: {why}") from problem

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Do nothing: the connection that writes has the locks."""
        yield

    def begin(self, connection: sa.Connection, *, saving: bool) -> None:
        """Keep other programs from upgrading the index and, when saving, from saving a sample."""
        postgresql_locks.share(connection, postgresql_locks.SCHEMA, f"upgrades {self}")
        if saving:
            postgresql_locks.take(
                connection, postgresql_locks.SAMPLES, 0, "saves or drops a sample"
            )
        connection.commit()

    def leave_state(self, connection: sa.Connection) -> None:
        """Let a connection that saves a sample see the newest state of the index from now on.

        In its old state, it could not refer to an image that was changed since.
        """
        connection.commit()
        connection.execution_options(isolation_level="READ COMMITTED")

    def hold(self, connection: sa.Connection, archive_id: int, root: str) -> None:
        """Keep other programs from changing an archive until it is released."""
        what = f"is writing to the archive {printable(root)}"
        postgresql_locks.take(connection, postgresql_locks.ARCHIVE, archive_id, what)

    def release(self, connection: sa.Connection, archive_id: int) -> None:
        """Let other programs change an archive again."""
        postgresql_locks.release(connection, postgresql_locks.ARCHIVE, archive_id)

    def lock_archives(self, connection: sa.Connection) -> None:
        """Keep other programs from adding or moving archives until this transaction ends."""
        what = "is adding or moving an archive"
        postgresql_locks.take_until_commit(connection, postgresql_locks.ARCHIVES, 0, what)

    def lock_samples(self, connection: sa.Connection) -> None:
        """Keep other programs from saving samples until this transaction ends."""
        what = "saves or drops a sample"
        postgresql_locks.take_until_commit(connection, postgresql_locks.SAMPLES, 0, what)

    def lock_labels(self, connection: sa.Connection) -> None:
        """Keep other programs from storing labels until the connection ends."""
        postgresql_locks.take(connection, postgresql_locks.LABELS, 0, "stores or drops labels")

    def lock_frame(self, connection: sa.Connection, archive_id: int) -> None:
        """Keep other programs from making an archive's frame until this transaction ends."""
        what = "stores labels or makes the sampling frame"
        postgresql_locks.take_until_commit(connection, postgresql_locks.FRAME, archive_id, what)

    def create(self) -> None:
        """Make a new index, unless another program just made it."""
        try:
            with self.connecting("define") as connection, connection.begin():
                what = f"makes {self}"
                postgresql_locks.take_until_commit(connection, postgresql_locks.SCHEMA, 0, what)
                if self._revision(connection) is not None:
                    return
                if not sa.inspect(connection).has_schema(SCHEMA):
                    connection.execute(sa.schema.CreateSchema(SCHEMA))
                    self._made_schema = True
                schema.upgrade(connection)
                _define(connection)
        except DBAPIError as problem:
            why = postgresql_errors.explain(problem.orig)
            if why is None:
                raise
            raise IndexUnusableError(f"cannot make {self}: {why}") from problem

    def discard(self) -> None:
        """Delete a new index in which nothing was stored, unless another program has it open."""
        if self._made_schema:
            with self._own("define") as connection, connection.begin():
                if postgresql_locks.is_free(connection, postgresql_locks.SCHEMA):
                    connection.execute(sa.schema.DropSchema(SCHEMA, cascade=True))

    def put(
        self,
        connection: sa.Connection,
        table: sa.Table,
        keys: Sequence[str],
        rows: Sequence[Values],
    ) -> None:
        """Insert rows of the same columns; a row with equal `keys` is replaced.

        All rows are sent as one value of JSON: in 60% of the time of single values, in one round
        trip.
        """
        names = list(rows[0])
        new = insert(table).from_select(names, _from_json(table, names))
        others = {name: new.excluded[name] for name in names if name not in keys}
        text = json.dumps(rows, default=_as_text, ensure_ascii=False)
        connection.execute(
            new.on_conflict_do_update(index_elements=keys, set_=others), {"rows": text}
        )

    def is_among(self, column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[bool]:
        """Return the condition that a text is one of the list that is given as the value `name`."""
        return column == sa.any_(sa.bindparam(name, type_=sa.ARRAY(sa.Text)))

    def size(self, connection: sa.Connection) -> int:
        """Return the bytes of all tables of the schema, with their indexes."""
        return connection.scalar(_SIZE) or 0

    def number_on(self, connection: sa.Connection) -> None:
        """Make the ids of new rows go on after those that were inserted with their ids."""
        for table in metadata.sorted_tables:
            if table.autoincrement_column is not None:
                name, column = f"{SCHEMA}.{table.name}", table.autoincrement_column
                sequence = sa.func.pg_get_serial_sequence(name, column.name)
                connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(column))))

    def upgrade(self, connection: sa.Connection, revision: str) -> None:
        """Upgrade the schema when no other program writes; a failure is rolled back as a whole."""
        postgresql_locks.release_shared(connection, postgresql_locks.SCHEMA)
        connection.commit()
        postgresql_locks.take(connection, postgresql_locks.SCHEMA, 0, f"is writing to {self}")
        if self._revision(connection) == revision:  # and no other program upgraded it meanwhile
            compiler = connection.dialect.type_compiler_instance
            connection.dialect.type_compiler_instance = _InBytes(connection.dialect)
            try:
                schema.upgrade(connection)
            finally:
                connection.dialect.type_compiler_instance = compiler
            _define(connection)

    def after_open(self, connection: sa.Connection) -> None:
        """Let programs write that waited for an upgrade."""
        postgresql_locks.share(connection, postgresql_locks.SCHEMA, f"upgrades {self}")
        postgresql_locks.release(connection, postgresql_locks.SCHEMA)

    def explain(self, problem: DBAPIError) -> str | None:
        """Return what a database error means; None for a fault of this program."""
        return postgresql_errors.explain(problem.orig)

    def damage(self) -> str | None:
        """Return None: a server looks after its files itself."""
        return None

    def ask(self, question: str, *, seconds: float) -> AbstractContextManager[Answer]:
        """Run one query on a connection of its own; see `sdindex.Index.sql`."""
        from sdindex.store import postgresql_query  # for this alone, with its expressions

        return postgresql_query.ask(self.connecting("read"), question, seconds=seconds)

    def matching(self, connection: sa.Connection, expression: str) -> set[int]:
        """Return the ids of the images for which an expression is true, in SQL from outside."""
        from sdindex.store import postgresql_query

        return postgresql_query.matching(connection, expression)

    def close(self) -> None:
        """Close every connection."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()

    def _engine(self, purpose: str) -> sa.Engine:
        """Return the engine for a purpose: ``read``, ``save``, ``write`` or ``define``."""
        options = {"connect_timeout": _CONNECT_SECONDS, **_ALIVE, "application_name": _who()}
        given = {name: value for name, value in options.items() if name not in self._url.query}
        try:
            from sdindex.store import postgresql_driver  # with psycopg, which may not be there

            engine = sa.create_engine(
                self._url.set(drivername=postgresql_driver.NAME),
                poolclass=sa.NullPool,
                isolation_level="REPEATABLE READ" if purpose in ("read", "save") else None,
                connect_args=given,
                use_native_hstore=False,  # which would be asked for
            )
        except ImportError as problem:
            raise IndexUnusableError(f"{self} needs the driver psycopg: {_INSTALL}") from problem
        if purpose == "define":
            engine.dialect.type_compiler_instance = _InBytes(engine.dialect)

        read_only = "on" if purpose == "read" else "off"
        settings = {**_SETTINGS, "default_transaction_read_only": read_only}

        @sa.event.listens_for(engine, "connect")
        def set_up(connection: Any, _: object) -> None:
            postgresql_driver.set_up(connection, settings)

        return engine


class _InBytes(PGTypeCompiler):
    """Makes text compare by its bytes, as in SQLite, whatever the server's collation."""

    def visit_TEXT(self, type_: sa.Text, **words: Any) -> str:  # noqa: N802  (SQLAlchemy's)
        """Return the type, for the definition of a column."""
        in_bytes = "" if type_.collation else ' COLLATE "C"'
        return f"{super().visit_TEXT(type_, **words)}{in_bytes}"


def backend_of(url: sa.URL) -> PostgresqlBackend:
    """Return the backend of the index that a URL names.

    Raises
    ------
    IndexUnusableError
        When it names another database or driver.
    """
    backend = PostgresqlBackend(url)
    if url.drivername not in DRIVERS:
        raise IndexUnusableError(
            f"{backend}: an index is an SQLite file, named by its path, or a PostgreSQL database, "
            "named by a URL that begins with postgresql://"
        )
    return backend


def _from_json(table: sa.Table, names: Sequence[str]) -> sa.Select[Any]:
    """Select columns of the rows that stand in JSON, by their names."""
    columns: sa.ColumnElement[Any] = sa.literal_column(f"NULL::{table.name}")
    given = sa.cast(sa.bindparam("rows", type_=sa.Text), sa.JSON)
    found = sa.func.json_populate_recordset(columns, given).table_valued(*names)
    return sa.select(*(found.c[name] for name in names))


def _as_text(value: bytes | datetime) -> str:
    return rf"\x{value.hex()}" if isinstance(value, bytes) else str(value)


def _define(connection: sa.Connection) -> None:
    """Define functions and storage settings of PostgreSQL's, anew at each upgrade."""
    for statement in (*FUNCTIONS, *_STORAGE):
        connection.exec_driver_sql(statement)


def _who() -> str:
    """Return the name that other programs see for this connection: user, host and process."""
    user = "somebody"
    with suppress(OSError, KeyError, ImportError):  # a user id without a name
        user = getpass.getuser()
    return f"sdindex of {user} on {socket.gethostname()} (process {os.getpid()})"[:63]
