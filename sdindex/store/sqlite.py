"""An index in an SQLite file: opening, locking, upgrading and querying it."""

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from sdindex.archive.names import printable
from sdindex.errors import IndexMissingError, IndexUnusableError
from sdindex.store import schema
from sdindex.store import sqlite_damage as damage
from sdindex.store import sqlite_query as query
from sdindex.store.backend import Values
from sdindex.store.locks import locked, may_write
from sdindex.store.query import Answer, WhenStuck
from sdindex.store.sqlite_driver import connect, connect_temporary, driver_of
from sdindex.store.tables import SCHEMA_REVISION

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_NEVER = 1 << 30  # pages
_COMPILED = 64  # statements kept prepared: one that names thousands of ids has a hundred kilobytes
LOCK_SECONDS = 60  # seconds that a statement waits for another program that is writing
# Bytes; up to this size a file is checked as a whole also when it is only read: in 5 ms. Before
# writing, the pages of any file are checked: 1.5 s for 1 GB.
_CHEAP_BYTES = 2 << 20

log = logging.getLogger("sdindex")


class SqliteBackend:
    """An index in an SQLite file; see `sdindex.store.backend.Backend`."""

    locks_archives = False

    def __init__(self, file: Path, when_stuck: WhenStuck | None = None) -> None:
        self.file: Path | None = file
        self._when_stuck = when_stuck
        self._engines: dict[bool, sa.Engine] = {}
        if "\0" in str(file):
            raise IndexUnusableError(f"{self} is no name of a file; name another with --db")
        # Links are followed, so that its lock, drafts and journal have one name.
        self._file = Path(os.path.realpath(file))

    def __str__(self) -> str:
        return printable(str(self.file))

    def is_new(self) -> bool:
        """Say whether the file is still to be made."""
        return not os.path.exists(self._file)

    def require(self) -> None:
        """Refuse what is no file, or an empty file, which SQLite would turn into a database.

        It is not opened: closing it would drop the locks that SQLite holds on it.

        Raises
        ------
        IndexMissingError, IndexUnusableError
            When there is no file, or it cannot be an index.
        """
        try:
            size = self._file.stat().st_size
        except FileNotFoundError as problem:
            raise IndexMissingError(
                f"no index at {self}; make one with: sdindex index FOLDER, "
                "or name another with --db"
            ) from problem
        except OSError as problem:
            raise IndexUnusableError(
                f"cannot read {self}: {problem.strerror or problem}"
            ) from problem
        if not size or not self._file.is_file():
            raise self.missing()

    def missing(self) -> IndexUnusableError:
        """Return the error of a file that is no index."""
        return IndexUnusableError(f"{self} is not an sdindex index; name another with --db")

    def check(self, connection: sa.Connection, *, write: bool) -> None:
        """Refuse a damaged file, checked before writing, and before reading a small file.

        Before reading a large file, only its small tables are checked.

        Raises
        ------
        IndexUnusableError
            When SQLite finds damage in its pages.
        """
        is_small = self._file.stat().st_size <= _CHEAP_BYTES
        if write or is_small:
            found = damage.of_pages(connection, whole=is_small)
        else:
            found = damage.of_small_tables(connection)
        if found is not None:
            raise IndexUnusableError(f"{self}: {found}")

    def tables(self, connection: sa.Connection) -> set[str]:
        """Return the names of the tables that there are."""
        return set(connection.exec_driver_sql(_TABLES).scalars())

    @contextmanager
    def connecting(self, purpose: str) -> Iterator[sa.Connection]:
        """Connect, in a transaction that sees one state of the file."""
        write = purpose != "read"
        if write not in self._engines:
            self._engines[write] = _engine(self._file, write=write)
        with self._engines[write].connect() as connection:
            yield connection

    def begin(self, connection: sa.Connection, *, saving: bool) -> None:
        """Do nothing, as the next seven methods: a writer has locked the whole file."""

    def leave_state(self, connection: sa.Connection) -> None:
        """Do nothing."""

    def hold(self, connection: sa.Connection, archive_id: int, root: str) -> None:
        """Do nothing."""

    def release(self, connection: sa.Connection, archive_id: int) -> None:
        """Do nothing."""

    def lock_archives(self, connection: sa.Connection) -> None:
        """Do nothing."""

    def lock_samples(self, connection: sa.Connection) -> None:
        """Do nothing."""

    def lock_labels(self, connection: sa.Connection) -> None:
        """Do nothing."""

    def lock_frame(self, connection: sa.Connection, archive_id: int) -> None:
        """Do nothing."""

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Let one program write at a time."""
        if not self._file.parent.is_dir():
            raise IndexMissingError(f"cannot make {self}: its folder does not exist")
        self._refuse_what_cannot_be_written()
        waiting = f"another sdindex is writing to {self}: waiting for it"
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(Path(f"{self._file}.lock"), self._file, waiting))
            except OSError as problem:
                raise IndexUnusableError(f"{self}: {damage.explain(problem)}") from problem
            yield

    def _refuse_what_cannot_be_written(self) -> None:
        """Refuse a file that cannot be written, or that has a second name (a hard link).

        SQLite finds its journal by one of the two names only.
        """
        for path in (self._file, self._file.parent):
            if os.path.exists(path) and not may_write(path):
                why = damage.not_allowed(f"{path} is read-only")
                raise IndexUnusableError(f"{self}: {why}")
        if not self.is_new() and self._file.stat().st_nlink > 1:
            raise IndexUnusableError(
                f"{self} has a second name (a hard link), by which a program would not see what "
                "another one writes; make it a file of its own: copy it, and move the copy here"
            )

    def create(self) -> None:
        """Make a new index."""
        try:
            with (
                _draft_of(self._file) as draft,
                _engine(draft, write=True).begin() as connection,
            ):
                schema.upgrade(connection)
        except (OSError, DBAPIError) as problem:
            why = damage.explain(problem.orig if isinstance(problem, DBAPIError) else problem)
            raise IndexUnusableError(f"cannot make {self}: {why}") from problem

    def discard(self) -> None:
        """Delete a new index in which nothing was stored."""
        self._file.unlink(missing_ok=True)

    def put(
        self,
        connection: sa.Connection,
        table: sa.Table,
        keys: Sequence[str],
        rows: Sequence[Values],
    ) -> None:
        """Insert rows with values of the same columns, each in place of one of equal `keys`."""
        new = insert(table)
        others = {name: new.excluded[name] for name in rows[0] if name not in keys}
        connection.execute(new.on_conflict_do_update(keys, set_=others), rows)

    def is_among(self, column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[bool]:
        """Return the condition that a text is one of the list that is given as the value `name`."""
        texts = sa.func.json_each(sa.bindparam(name, type_=sa.JSON)).table_valued("value")
        return column.in_(sa.select(texts.c.value))

    def size(self, connection: sa.Connection) -> int:
        """Return the bytes of the file."""
        return self._file.stat().st_size

    def number_on(self, connection: sa.Connection) -> None:
        """Do nothing: SQLite does so."""

    def upgrade(self, connection: sa.Connection, revision: str) -> None:
        """Copy the index as it is, then upgrade its tables."""
        self._keep_aside(revision)
        schema.upgrade(connection)

    def _keep_aside(self, revision: str) -> None:
        aside = _free_name(f"{self._file}.schema-{revision}")
        try:
            with (
                _draft_of(aside) as draft,
                closing(_connect(self._file)) as source,
                closing(_connect(draft)) as copy,
            ):
                source.backup(copy)
        except (sqlite3.Error, OSError) as problem:
            raise IndexUnusableError(
                f"{self} was made by an older sdindex (schema {revision}), and cannot be copied "
                f"before it is upgraded: {damage.explain(problem)}"
            ) from problem
        log.warning(
            "%s: schema %s is upgraded to %s; the index as it was is kept as %s",
            self, revision, SCHEMA_REVISION, printable(str(aside)),
        )  # fmt: skip

    def after_open(self, connection: sa.Connection) -> None:
        """Switch back to a rollback journal, where another program switched to a write-ahead log.

        A write-ahead log fails on network file systems, and where a folder is read-only.
        """
        cursor = connection.connection.cursor()  # outside a transaction, as it must be
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone() == ("wal",):
            try:
                cursor.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.Error as problem:
                raise IndexUnusableError(f"{self}: {damage.explain(problem)}") from problem
            log.warning(
                "%s had a write-ahead log, which fails on network disks and in read-only folders: "
                "it is an ordinary file again", self,
            )  # fmt: skip

    def explain(self, problem: DBAPIError) -> str | None:
        """Return what a database error means, and what to do; None for a fault of this program."""
        is_fault = isinstance(problem, IntegrityError | ProgrammingError)
        return None if is_fault else damage.explain(problem.orig)

    def damage(self) -> str | None:
        """Return what is wrong with the file; None when nothing is found in a few seconds."""
        with self.connecting("read") as connection:
            return damage.find(connection)

    def ask(self, question: str, *, seconds: float) -> AbstractContextManager[Answer]:
        """Run one query on a connection of its own; see `sdindex.Index.sql`."""
        return query.ask(self._file, question, seconds=seconds, when_stuck=self._when_stuck)

    def matching(self, connection: sa.Connection, expression: str) -> set[int]:
        """Return the ids of the images for which an expression is true, in SQL from outside."""
        return query.matching(driver_of(connection), expression, when_stuck=self._when_stuck)

    def close(self) -> None:
        """Close every connection."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


@contextmanager
def temporary() -> Iterator[sa.Connection]:
    """Connect to a temporary database, in a file without a name, gone with the connection."""
    engine = sa.create_engine("sqlite://", creator=connect_temporary, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")  # for good: nothing needs to be kept
        yield connection


@contextmanager
def _draft_of(file: Path) -> Iterator[Path]:
    """Give a new file, which gets the name `file` when the block ends: nobody sees half of it."""
    draft = Path(f"{file}.part")
    files = (draft, Path(f"{draft}-journal"))
    try:
        for stale in files:  # left by a program that was killed
            stale.unlink(missing_ok=True)
        draft.touch()
        yield draft
        draft.replace(file)
    finally:
        for draft_file in files:
            draft_file.unlink(missing_ok=True)


def _free_name(wanted: str) -> Path:
    """Return a name that no file has yet: the wanted one, or that with a number."""
    names = chain([wanted], (f"{wanted}.{number}" for number in count(2)))
    return next(file for file in map(Path, names) if not file.exists())


def _connect(file: Path) -> sqlite3.Connection:
    """Open a file that is there.

    It is opened for writing even to read: what a killed program left half-written must be rolled
    back first. Where the file may not be written, SQLite opens it for reading.
    """
    return connect(file, mode="rw", seconds=LOCK_SECONDS)


def _engine(file: Path, *, write: bool) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: _connect(file),
        poolclass=sa.NullPool,
        query_cache_size=_COMPILED,
    )
    # The driver's own transactions are off (isolation_level=None), so that a revision's statements
    # roll back together. A writer takes the lock when it begins: if it read first, another could
    # have written since.
    begin = "BEGIN IMMEDIATE" if write else "BEGIN"

    @sa.event.listens_for(engine, "connect")
    def set_up(connection: Any, _: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        query.add_functions(connection)
        if write:
            # What a transaction changed stays in memory until it is committed: to write some of
            # it before, SQLite would keep all readers out until the end.
            connection.execute(f"PRAGMA main.cache_spill = {_NEVER}")
        else:
            connection.execute("PRAGMA query_only = ON")
            # A million images are sorted into natural order in two thirds of the time.
            connection.execute("PRAGMA threads = 2")

    @sa.event.listens_for(engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
