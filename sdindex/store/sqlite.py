"""An index that is an SQLite file: opened, locked, asked, and what its errors mean."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, DBAPIError

from sdindex.archive.names import printable
from sdindex.errors import IndexMissingError, IndexUnusableError
from sdindex.store import query, schema
from sdindex.store.query import Answer
from sdindex.store.tables import SCHEMA_REVISION, metadata

_NEVER = 1 << 30  # pages
LOCK_SECONDS = 60  # how long a statement waits for another program that is writing

log = logging.getLogger("sdindex")


class SqliteBackend:
    """An SQLite file as what keeps an index; see `sdindex.store.database.Backend`."""

    def __init__(self, file: Path) -> None:
        self.file: Path | None = file
        self._file = file
        self._engines: dict[bool, sa.Engine] = {}

    def __str__(self) -> str:
        return printable(str(self._file))

    def is_new(self) -> bool:
        """Say whether the file is still to be made."""
        return not self._file.exists()

    def require(self) -> None:
        """Refuse what is no file, or an empty one, before SQLite would make it its own.

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
            raise IndexUnusableError(f"{self} is not an sdindex index; name another with --db")

    def engine(self, *, write: bool) -> sa.Engine:
        """Return what makes connections, each of which sees one state of the file."""
        if write not in self._engines:
            self._engines[write] = _engine(self._file, write=write)
        return self._engines[write]

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Let one program write at a time."""
        from filelock import FileLock, Timeout

        if not self._file.parent.is_dir():
            raise IndexMissingError(f"cannot make {self}: its folder does not exist")
        lock = FileLock(f"{self._file}.lock")
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                log.warning("another sdindex is writing to %s: waiting for it", self)
                lock.acquire()
        except OSError as problem:
            raise IndexUnusableError(
                f"{self} cannot be written: {problem.strerror or problem}"
            ) from problem
        try:
            yield
        finally:
            lock.release()

    def create(self) -> None:
        """Make a new index."""
        try:
            with (
                _draft_of(self._file) as draft,
                _engine(draft, write=True).begin() as connection,
            ):
                schema.upgrade(connection)
        except (OSError, DBAPIError) as problem:
            why = explain(problem.orig) if isinstance(problem, DBAPIError) else problem.strerror
            raise IndexUnusableError(f"cannot make {self}: {why}") from problem

    def before_upgrade(self, revision: str) -> None:
        """Copy an index as it is before its schema is upgraded."""
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
                f"before it is upgraded: {explain(problem)}"
            ) from problem
        log.warning(
            "%s: schema %s is upgraded to %s; the index as it was is kept as %s",
            self, revision, SCHEMA_REVISION, printable(str(aside)),
        )  # fmt: skip

    def after_open(self, connection: sa.Connection) -> None:
        """Have SQLite keep a rollback journal again, where another program changed that.

        A write-ahead log fails on network file systems, and where a folder is read-only.
        """
        cursor = connection.connection.cursor()  # outside a transaction, as it must be
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone() == ("wal",):
            try:
                cursor.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.Error as problem:
                raise IndexUnusableError(f"{self}: {explain(problem)}") from problem
            log.warning(
                "%s had a write-ahead log, which fails on network disks and in read-only folders: "
                "it is an ordinary file again", self,
            )  # fmt: skip

    def explain(self, problem: DBAPIError) -> str:
        """Return what a database error means for the person who meets it, and what to do."""
        return explain(problem.orig)

    def damage(self) -> str | None:
        """Return what is wrong with the file, which takes a while to find; None when nothing."""
        try:
            with self.engine(write=False).connect() as connection:
                found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
                wrong = found if found != "ok" else _wrong_values(connection)
        except (DatabaseError, ValueError, TypeError, ArithmeticError) as problem:
            return damaged(str(problem.orig if isinstance(problem, DatabaseError) else problem))
        return None if wrong is None else damaged(str(wrong))

    def ask(
        self, question: str, *, seconds: float, when_stuck: Callable[[], object] | None
    ) -> AbstractContextManager[Answer]:
        """Run one query on a connection of its own; see `sdindex.Index.sql`."""
        return query.ask(self._file, question, seconds=seconds, when_stuck=when_stuck)

    def matching(self, connection: sa.Connection, expression: str) -> set[int]:
        """Return the ids of the images for which an expression is true, in SQL from outside."""
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise TypeError(f"a connection of {type(driver)}")
        return query.matching(driver, expression)

    def close(self) -> None:
        """Close every connection."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


@contextmanager
def _draft_of(file: Path) -> Iterator[Path]:
    """Give an empty file, which takes its place when it is complete: no half one is seen there."""
    draft = Path(f"{file}.part")
    files = (draft, Path(f"{draft}-journal"))
    try:
        for left in files:  # by a program that was killed
            left.unlink(missing_ok=True)
        draft.touch()
        yield draft
        draft.replace(file)
    finally:
        for left in files:
            left.unlink(missing_ok=True)


def _free_name(wanted: str) -> Path:
    """Return a name that no file has yet: that name, or the name and a number."""
    names = chain([wanted], (f"{wanted}.{number}" for number in count(2)))
    return next(file for file in map(Path, names) if not file.exists())


def _connect(file: Path) -> sqlite3.Connection:
    """Open a file that is there.

    Also for reading only: what a killed program left half-written must be rolled back first,
    by whoever comes next. Where the file may not be written, SQLite opens it all the same.
    """
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=LOCK_SECONDS, isolation_level=None
    )


def _engine(file: Path, *, write: bool) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: _connect(file),
        poolclass=sa.NullPool,
    )
    # The driver's own transactions are off (isolation_level=None), so that a revision's
    # statements roll back together. A writer takes the lock when it begins: one that
    # read first could find that another has written since.
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


def explain(problem: BaseException | None) -> str:
    """Return what an error of SQLite's means for the person who meets it, and what to do."""
    code = getattr(problem, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_READONLY_ROLLBACK:
        return (
            "a program that was killed left it half-written, and it cannot be written here to "
            "take that back; use it once from where it can"
        )
    match None if code is None else code & 0xFF:  # the rest tells its kinds apart
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another program keeps the index busy; close it there and try again"
        case sqlite3.SQLITE_FULL:
            return "no space left on the disk; what was stored before is intact"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"it cannot be opened or written here ({problem})"
        case sqlite3.SQLITE_IOERR:
            return f"the disk refused ({problem}); what was stored before is intact"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
            return damaged(str(problem))
        case None if isinstance(problem, sqlite3.Error):  # the driver's: a text is no UTF-8
            return damaged(str(problem))
    return str(problem)


def damaged(why: str) -> str:
    """Return what is said of an index in which something is wrong."""
    first = printable(why.partition("\n")[0])  # it may quote a table's definition
    return (
        f"it is damaged, or not an sdindex index ({first}); restore a copy, or name another "
        "with --db"
    )


def _wrong_values(connection: sa.Connection) -> str | None:
    """Return a value that is not of its column's kind, which SQLite itself takes for sound."""
    for table in metadata.sorted_tables:
        kinds = [column.type.python_type for column in table.c]
        for row in connection.execute(sa.select(table)):
            for column, kind, value in zip(table.c, kinds, row, strict=True):
                if value is not None and not isinstance(value, kind):
                    return f"{column} is {value!r}"
    return None
