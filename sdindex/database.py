"""Opening an index: where it is, whether it can be used, and how it is made and upgraded."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from sdindex.errors import IndexMissingError, IndexUnusableError
from sdindex.models import SCHEMA_REVISION
from sdindex.names import printable

LOCK_SECONDS = 30  # how long a statement waits for another program that is writing
_SQLITE_HEADER = b"SQLite format 3\0"


class Store:
    """The place of an index: an SQLite file, or whatever a SQLAlchemy URL names.

    Parameters
    ----------
    db
        A path means SQLite; anything with ``://`` is a SQLAlchemy URL.
    """

    def __init__(self, db: str | os.PathLike[str]) -> None:
        self._db = os.fspath(db)
        self.file: Path | None = None
        if "://" not in self._db:
            self.file = Path(self._db)
        elif self._db.startswith("sqlite"):
            named = sa.make_url(self._db).database
            self.file = Path(named) if named else None
        self._engines: dict[bool, sa.Engine] = {}

    def __str__(self) -> str:
        return str(self.file or sa.make_url(self._db).render_as_string(hide_password=True))

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

        What is not committed when the block ends is rolled back.

        Raises
        ------
        IndexMissingError, IndexUnusableError
            When there is no index and `create` is false, or none that this program can use.
        """
        if create and self.file is not None and not self.file.exists():
            _create(self.file)
        with self._connection(write=True) as connection:
            if _stored_revision(connection) != SCHEMA_REVISION:
                self._check_revision(connection, may_upgrade=True, may_create=create)
                upgrade(connection)
            connection.commit()
            yield connection

    def close(self) -> None:
        """Close every connection."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()

    @contextmanager
    def _connection(self, *, write: bool) -> Iterator[sa.Connection]:
        if self.file is not None:
            _check_file(self.file)
        try:
            with self._engine(write=write).connect() as connection:
                yield connection
        except DBAPIError as problem:
            raise IndexUnusableError(f"{self}: {_explain(problem)}") from problem
        except (SQLAlchemyError, ImportError) as problem:
            if isinstance(problem, NoSuchModuleError | ImportError):
                raise IndexUnusableError(
                    f"{self}: no driver for this kind of database: {problem}"
                ) from problem
            raise

    def _engine(self, *, write: bool) -> sa.Engine:
        if write not in self._engines:
            self._engines[write] = (
                sa.create_engine(self._db)
                if self.file is None
                else _sqlite_engine(self.file, write=write)
            )
        return self._engines[write]

    def _check_revision(
        self, connection: sa.Connection, *, may_upgrade: bool = False, may_create: bool = False
    ) -> None:
        revision = _stored_revision(connection)
        if revision is None and not (may_create and not sa.inspect(connection).get_table_names()):
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


def upgrade(connection: sa.Connection) -> None:
    """Run the revisions that the index lacks, in the transaction that the caller has begun."""
    from alembic import command  # half a second, so only when there is something to do
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    command.upgrade(config, "head")


def migrations_folder() -> Path:
    """Return where the revisions are: in the installed package, else in the checkout."""
    package = Path(__file__).parent
    packaged = package / "migrations"
    return packaged if packaged.is_dir() else package.parent / "migrations"


def _stored_revision(connection: sa.Connection) -> str | None:
    """Return the schema that the index has; None when it is no index."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


def _create(file: Path) -> None:
    """Make a new index beside its place, and move it there whole: no half index is ever seen."""
    try:
        with TemporaryDirectory(prefix=".sdindex-", dir=file.parent) as folder:
            draft = Path(folder) / file.name
            engine = _sqlite_engine(draft, write=True)
            with engine.begin() as connection:
                upgrade(connection)
            engine.dispose()
            if not file.exists():
                draft.replace(file)
    except FileNotFoundError as problem:
        raise IndexMissingError(
            f"cannot make {printable(str(file))}: its folder does not exist"
        ) from problem
    except OSError as problem:
        raise IndexUnusableError(
            f"cannot make {printable(str(file))}: {problem.strerror or problem}"
        ) from problem


def _check_file(file: Path) -> None:
    """Refuse what cannot be an SQLite file before SQLite could touch it."""
    try:
        with file.open("rb") as content:
            header = content.read(len(_SQLITE_HEADER))
    except FileNotFoundError as problem:
        raise IndexMissingError(
            f"no index at {printable(str(file))}; make one with: sdindex index FOLDER, "
            "or name another with --db"
        ) from problem
    except OSError as problem:
        raise IndexUnusableError(
            f"cannot read {printable(str(file))}: {problem.strerror or problem}"
        ) from problem
    if header != _SQLITE_HEADER:
        raise IndexUnusableError(
            f"{printable(str(file))} is not an sdindex index; name another with --db"
        )


def _sqlite_engine(file: Path, *, write: bool) -> sa.Engine:
    mode = "rwc" if write else "ro"
    uri = f"{file.absolute().as_uri()}?mode={mode}"
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, timeout=LOCK_SECONDS, isolation_level=None),
        poolclass=sa.NullPool,
    )
    # The driver's own transactions are off (isolation_level=None), so that a revision's
    # statements roll back together. A writer takes the lock when it begins: one that
    # read first could find that another has written since.
    begin = "BEGIN IMMEDIATE" if write else "BEGIN"

    @sa.event.listens_for(engine, "connect")
    def set_up(connection: Any, _: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _explain(problem: DBAPIError) -> str:
    """Return what a database error means for the person who meets it."""
    text = str(problem.orig)
    if "locked" in text:
        return "another program is writing to the index; try again when it is done"
    if "disk is full" in text:
        return "no space left on the disk; what was stored before is intact"
    if "readonly" in text or "unable to open" in text:
        return f"cannot be written or opened here ({text})"
    if "malformed" in text or "not a database" in text:
        return (
            f"the index file is damaged ({text}); restore a copy, or index again with another --db"
        )
    return text
