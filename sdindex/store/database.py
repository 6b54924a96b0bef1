"""Opening an index: where it is, whether it can be used, and how it is made and upgraded."""

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, ProgrammingError

from sdindex.archive.names import printable
from sdindex.errors import IndexMissingError, IndexUnusableError, SdindexError
from sdindex.store.tables import SCHEMA_REVISION, archive, image, metadata

_NEVER = 1 << 30  # pages
# What wrong values in an index lead to, wherever they are used.
_OF_WRONG_VALUES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
LOCK_SECONDS = 60  # how long a statement waits for another program that is writing

log = logging.getLogger("sdindex")


class Store:
    """The place of an index: an SQLite file, or whatever a SQLAlchemy URL names.

    Parameters
    ----------
    db
        A path means SQLite; anything with ``://`` is a SQLAlchemy URL.

    Raises
    ------
    IndexUnusableError
        When `db` is a URL that cannot be read, or has no file.
    """

    def __init__(self, db: str | os.PathLike[str]) -> None:
        self.db = os.fspath(db)
        self.file = _file_of(self.db)
        self._engines: dict[bool, sa.Engine] = {}

    def __str__(self) -> str:
        if self.file is not None:
            return printable(str(self.file))
        return sa.make_url(self.db).render_as_string(hide_password=True)

    def is_new(self) -> bool:
        """Say whether an index is still to be made."""
        return self.file is not None and not self.file.exists()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one state of the index, and cannot change it.

        Raises
        ------
        IndexMissingError, IndexUnusableError
            When there is no index, or none that this program can use.
        """
        with self._connection(write=False) as connection:
            self._check_revision(connection)
            yield connection

    @contextmanager
    def writing(self, *, create: bool = False) -> Iterator[sa.Connection]:
        """Give a connection for changes, brought up to the newest schema.

        One program at a time: another one waits, and says so. What is not committed when
        the block ends is rolled back.

        Raises
        ------
        IndexMissingError, IndexUnusableError
            When there is no index and `create` is false, or none that this program can use.
        """
        if not create:
            self._check_file()
        with self._lock():
            if create and self.file is not None and self.is_new():
                _create(self.file)
            with self._connection(write=True) as connection:
                stored = _stored_revision(connection)
                if stored != SCHEMA_REVISION:
                    self._check_revision(connection, may_upgrade=True, may_create=create)
                    if self.file is not None and stored is not None:
                        self._keep_aside(self.file, stored)
                    upgrade(connection)
                connection.commit()
                if self.file is not None:
                    self._end_write_ahead(connection)
                yield connection

    def close(self) -> None:
        """Close every connection."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()

    @contextmanager
    def _connection(self, *, write: bool) -> Iterator[sa.Connection]:
        self._check_file()
        engine = self._engine(write=write)
        try:
            with engine.connect() as connection:
                yield connection
        except SdindexError:
            raise
        except (IntegrityError, ProgrammingError, *_OF_WRONG_VALUES) as problem:
            # A fault of this program, unless values that nobody wrote are in the index.
            damage = self._damage()
            if damage is None:
                raise
            raise IndexUnusableError(f"{self}: {_damaged(damage)}") from problem
        except DatabaseError as problem:
            raise IndexUnusableError(f"{self}: {_explain(problem)}") from problem

    def _damage(self) -> str | None:
        """Return what SQLite finds wrong with the file, which takes a while; None when nothing."""
        if self.file is None:
            return None
        try:
            with self._engine(write=False).connect() as connection:
                found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
                wrong = _wrong_values(connection)
        except (DatabaseError, *_OF_WRONG_VALUES) as problem:
            return str(problem.orig if isinstance(problem, DatabaseError) else problem)
        return wrong if found == "ok" else str(found)

    def _engine(self, *, write: bool) -> sa.Engine:
        if write not in self._engines:
            try:
                self._engines[write] = (
                    sa.create_engine(self.db)
                    if self.file is None
                    else _sqlite_engine(self.file, write=write)
                )
            except (sa.exc.NoSuchModuleError, ImportError) as problem:
                raise IndexUnusableError(
                    f"{self}: no driver for this kind of database: {problem}"
                ) from problem
        return self._engines[write]

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one program write at a time."""
        from filelock import FileLock, Timeout

        if self.file is None:
            yield
            return
        if not self.file.parent.is_dir():
            raise IndexMissingError(f"cannot make {self}: its folder does not exist")
        lock = FileLock(f"{self.file}.lock")
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

    def _keep_aside(self, file: Path, revision: str) -> None:
        """Copy an index as it is before its schema is upgraded."""
        place = _free_name(f"{file}.schema-{revision}")
        try:
            with (
                _draft_of(place) as draft,
                closing(_connect(file)) as source,
                closing(_connect(draft)) as copy,
            ):
                source.backup(copy)
        except (sqlite3.Error, OSError) as problem:
            raise IndexUnusableError(
                f"{self} was made by an older sdindex (schema {revision}), and cannot be copied "
                f"before it is upgraded: {_explain_sqlite(problem)}"
            ) from problem
        log.warning(
            "%s: schema %s is upgraded to %s; the index as it was is kept as %s",
            self, revision, SCHEMA_REVISION, printable(str(place)),
        )  # fmt: skip

    def _end_write_ahead(self, connection: sa.Connection) -> None:
        """Have SQLite keep a rollback journal again, where another program changed that.

        A write-ahead log fails on network file systems, and where a folder is read-only.
        """
        cursor = connection.connection.cursor()  # outside a transaction, as it must be
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone() == ("wal",):
            try:
                cursor.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.Error as problem:
                raise IndexUnusableError(f"{self}: {_explain_sqlite(problem)}") from problem
            log.warning(
                "%s had a write-ahead log, which fails on network disks and in read-only folders: "
                "it is an ordinary file again", self,
            )  # fmt: skip

    def _check_file(self) -> None:
        """Refuse what is no file, or an empty one, before SQLite would make it its own.

        It is not opened: closing it would drop the locks that SQLite holds on it.
        """
        if self.file is None:
            return
        try:
            size = self.file.stat().st_size
        except FileNotFoundError as problem:
            raise IndexMissingError(
                f"no index at {self}; make one with: sdindex index FOLDER, "
                "or name another with --db"
            ) from problem
        except OSError as problem:
            raise IndexUnusableError(
                f"cannot read {self}: {problem.strerror or problem}"
            ) from problem
        if not size or not self.file.is_file():
            raise IndexUnusableError(f"{self} is not an sdindex index; name another with --db")

    def _check_revision(
        self, connection: sa.Connection, *, may_upgrade: bool = False, may_create: bool = False
    ) -> None:
        tables = set(sa.inspect(connection).get_table_names())
        revision = _stored_revision(connection)
        is_index = revision is not None and {archive.name, image.name} <= tables
        if not is_index and not (may_create and not tables):
            raise IndexUnusableError(f"{self} is not an sdindex index; name another with --db")
        if revision is not None and revision > SCHEMA_REVISION:
            raise IndexUnusableError(
                f"{self} was made by a newer sdindex (schema {revision}, this program knows "
                f"{SCHEMA_REVISION}); upgrade with: pip install --upgrade sdindex"
            )
        if revision != SCHEMA_REVISION and not may_upgrade:
            raise IndexUnusableError(
                f"{self} was made by an older sdindex (schema {revision}); "
                "`sdindex index` on any of its archives upgrades it"
            )


def fetched(
    connection: sa.Connection, statement: sa.Select[Any], size: int = 10_000
) -> Iterator[Sequence[Any]]:
    """Yield the rows of a query as the driver gives them, so many at a time.

    In half the time of SQLAlchemy's own: for millions of rows, of numbers and text alone,
    which no driver gives otherwise than they are.
    """
    cursor = connection.execute(statement).cursor
    try:
        while rows := cursor.fetchmany(size):
            yield rows
    except sqlite3.Error as problem:  # as SQLAlchemy says it of its own
        raise sa.exc.OperationalError(str(statement), None, problem) from problem


def upgrade(connection: sa.Connection) -> None:
    """Run the revisions that the index lacks, in the transaction that the caller has begun."""
    from alembic import command  # half a second, so only when there is something to do
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    command.upgrade(config, "head")


def migrations_folder() -> Path:
    """Return where the revisions are: in the installed package, else in the checkout."""
    package = Path(__file__).parent.parent
    packaged = package / "migrations"
    return packaged if packaged.is_dir() else package.parent / "migrations"


def _file_of(db: str) -> Path | None:
    """Return the SQLite file that a path or a plain URL names; None for other databases."""
    if "://" not in db:
        return Path(db)
    try:
        url = sa.make_url(db)
    except (sa.exc.ArgumentError, ValueError) as problem:
        raise IndexUnusableError(f"{db} is not a database URL: {problem}") from problem
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:" or url.query:
        raise IndexUnusableError(f"{db}: name an SQLite index by its path alone")
    return Path(url.database)


def _stored_revision(connection: sa.Connection) -> str | None:
    """Return the schema that the index has; None when it is no index."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


def _create(file: Path) -> None:
    """Make a new index."""
    try:
        with _draft_of(file) as draft, _sqlite_engine(draft, write=True).begin() as connection:
            upgrade(connection)
    except (OSError, DBAPIError) as problem:
        why = _explain(problem) if isinstance(problem, DBAPIError) else problem.strerror
        raise IndexUnusableError(f"cannot make {printable(str(file))}: {why}") from problem


@contextmanager
def _draft_of(place: Path) -> Iterator[Path]:
    """Give an empty file, which takes its place when it is complete: no half one is seen there."""
    draft = Path(f"{place}.part")
    files = (draft, Path(f"{draft}-journal"))
    try:
        for left in files:  # by a program that was killed
            left.unlink(missing_ok=True)
        draft.touch()
        yield draft
        draft.replace(place)
    finally:
        for left in files:
            left.unlink(missing_ok=True)


def _free_name(wanted: str) -> Path:
    """Return a place that nothing has yet: that name, or the name and a number."""
    names = chain([wanted], (f"{wanted}.{number}" for number in count(2)))
    return next(place for place in map(Path, names) if not place.exists())


def _connect(file: Path) -> sqlite3.Connection:
    """Open a file that is there.

    Also for reading only: what a killed program left half-written must be rolled back first,
    by whoever comes next. Where the file may not be written, SQLite opens it all the same.
    """
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=LOCK_SECONDS, isolation_level=None
    )


def _sqlite_engine(file: Path, *, write: bool) -> sa.Engine:
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


def _explain(problem: DBAPIError) -> str:
    return _explain_sqlite(problem.orig)


def _explain_sqlite(problem: BaseException | None) -> str:
    """Return what a database error means for the person who meets it, and what to do."""
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
            return _damaged(str(problem))
        case None if isinstance(problem, sqlite3.Error):  # the driver's: a text is no UTF-8
            return _damaged(str(problem))
    return str(problem)


def _wrong_values(connection: sa.Connection) -> str | None:
    """Return a value that is not of its column's kind, which SQLite itself takes for sound."""
    for table in metadata.sorted_tables:
        kinds = [column.type.python_type for column in table.c]
        for row in connection.execute(sa.select(table)):
            for column, kind, value in zip(table.c, kinds, row, strict=True):
                if value is not None and not isinstance(value, kind):
                    return f"{column} is {value!r}"
    return None


def _damaged(why: str) -> str:
    first = printable(why.partition("\n")[0])  # it may quote a table's definition
    return (
        f"it is damaged, or not an sdindex index ({first}); restore a copy, or name another "
        "with --db"
    )
