"""`Store`: an index; and `Session`: a transaction in it, on a `Backend`."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
    contextmanager,
    suppress,
)
from itertools import chain, repeat
from pathlib import Path
from typing import Any, overload

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from sdindex.errors import IndexUnusableError, SdindexError
from sdindex.store import schema
from sdindex.store.backend import Backend, Purpose, damaged
from sdindex.store.backends import backend_of, temporary
from sdindex.store.column_types import Found, as_it_is, checked, converted, kinds_of, require
from sdindex.store.query import Answer, WhenStuck
from sdindex.store.tables import SCHEMA_REVISION, WrongValueError, archive

_CHUNK = 10_000  # rows fetched at once
_SOME = 1024  # rows fetched at once where each is large
_FEW = 256  # rows converted at once: in the processor's cache, and no garbage is collected

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Query = sa.Select[Any] | sa.CompoundSelect[Any]


class Session:
    """A transaction in which a reader or a writer sees one state of an index.

    Attributes
    ----------
    db
        The name of the same index for another `Store`, as in a process of its own.
    connection
        SQLAlchemy's connection, for revisions and temporary tables.
    commit, rollback
        Those of the connection.
    """

    def __init__(
        self, db: str, backend: Backend, connection: sa.Connection, *, whole: bool = False
    ) -> None:
        self.db = db if backend.file is None else str(backend.file.absolute())
        self.connection = connection
        self.commit = connection.commit
        self.rollback = connection.rollback
        self._backend = backend
        self._local: Session | None = None
        self._closing = ExitStack()
        # The archives that this program has locked; None where it may change all.
        self._held: set[int] | None = set() if backend.locks_archives and not whole else None

    @property
    def local(self) -> "Session":
        """Return a session on a temporary database of this machine, which ends with this one."""
        if self._local is None:
            connection = self._closing.enter_context(temporary())
            self._local = Session(self.db, self._backend, connection, whole=True)
        return self._local

    def close(self) -> None:
        """Delete the temporary database."""
        self._closing.close()

    def hold(self, archive_id: int, root: str) -> None:
        """Lock an archive until it is released or the session ends.

        Another program's lock is waited for; what was read before may be out of date.
        """
        if self._held is not None and archive_id not in self._held:
            self._backend.hold(self.connection, archive_id, root)
            self._held.add(archive_id)

    def release(self, archive_id: int) -> None:
        """Commit, and let other programs change an archive again."""
        if self._held is not None and archive_id in self._held:
            self._backend.release(self.connection, archive_id)
            self._held.remove(archive_id)

    def held(self, archive_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Return the condition that this program may change an archive, given its id."""
        return sa.true() if self._held is None else archive_id.in_(sorted(self._held))

    @property
    def is_shared(self) -> bool:
        """Say whether other programs may write at the same time."""
        return self._held is not None

    def show(self) -> None:
        """Commit if other programs may write, so that they need not wait."""
        if self.is_shared:
            self.commit()

    def leave_state(self) -> None:
        """See the newest state from now on: rows to be stored must refer to what others left."""
        self._backend.leave_state(self.connection)

    def lock_archives(self) -> None:
        """Keep other programs from adding or moving archives until this transaction ends."""
        self._backend.lock_archives(self.connection)

    def lock_samples(self) -> None:
        """Keep other programs from saving samples until this transaction ends."""
        self._backend.lock_samples(self.connection)

    def lock_labels(self) -> None:
        """Keep other programs from storing labels until the session ends."""
        self._backend.lock_labels(self.connection)

    def lock_frame(self, archive_id: int) -> None:
        """Keep other programs from making an archive's frame until this transaction ends."""
        self._backend.lock_frame(self.connection, archive_id)

    @overload
    def execute(self, statement: sa.SelectBase, values: Values | None = None) -> Found: ...

    @overload
    def execute(
        self, statement: sa.Executable, values: Values | None = None
    ) -> sa.CursorResult[Any]: ...

    def execute(self, statement: Any, values: Values | None = None) -> Any:
        """Run a statement; check that values of a query have the types of its columns.

        Raises
        ------
        WrongValueError
            When one has another type.
        """
        result = self.connection.execute(statement, values)
        if not isinstance(statement, sa.SelectBase):
            return result
        return checked(result, statement.selected_columns)

    def scalars(self, statement: sa.Executable) -> sa.ScalarResult[Any]:
        """Return the first column of a statement's rows, as `execute` does."""
        return self.execute(statement).scalars()

    def scalar(self, statement: sa.Executable) -> Any:
        """Return the first column of the first row, as `execute` does; None where there is none."""
        return self.execute(statement).scalar()

    def rows(
        self, statement: Query, *, chunk: int = _CHUNK, values: Values | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield rows as plain tuples, in half the time of `execute`: for thousands of rows.

        `chunk` rows are fetched at once; `values` are the statement's parameters.
        """
        return chain.from_iterable(self._chunks(statement, chunk, values))

    def put(self, table: sa.Table, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows with values of the same columns, each in place of one of equal `keys`."""
        self._backend.put(self.connection, table, keys, rows)

    def is_among(self, column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[bool]:
        """Return the condition that a text is one of the list that is given as the value `name`."""
        return self._backend.is_among(column, name)

    def size(self) -> int:
        """Return the bytes that the index takes on a disk."""
        return self._backend.size(self.connection)

    def is_like(self, other: "Session") -> bool:
        """Say whether both are the same kind of database, so that `raw_rows` fit into the other."""
        return self.connection.dialect.name == other.connection.dialect.name

    def raw_rows(self, statement: sa.Select[Any]) -> Iterator[tuple[Any, ...]]:
        """Yield rows with the driver's own values, in a third of the time of `rows`."""
        kinds = kinds_of(statement.selected_columns)
        for rows in _fetched(self._streamed(statement, _SOME), _SOME):
            require(zip(*rows, strict=True), kinds)
            yield from rows

    def matching(self, expression: str) -> set[int]:
        """Return the ids of the images for which an expression in SQL, from outside, is true.

        Raises
        ------
        QueryError
            When it is no expression, would write, or takes too long or too much memory.
        """
        return self._backend.matching(self.connection, expression)

    def columns(self, statement: sa.Select[Any]) -> Iterator[list[Sequence[Any]]]:
        """Yield columns, a few hundred rows at a time: for millions, faster than `rows`."""
        kinds, result = kinds_of(statement.selected_columns), self._streamed(statement, _SOME)
        convert = self._conversions(statement, result)
        fetched = _fetched(result, _SOME)
        for rows in (some[at : at + _FEW] for some in fetched for at in range(0, len(some), _FEW)):
            columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
            require(columns, kinds)
            for number, each in convert.items():
                columns[number] = converted(columns[number], repeat(each))
            yield columns

    def _chunks(
        self, statement: Query, chunk: int, values: Values | None
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        kinds = kinds_of(statement.selected_columns)
        result = self._streamed(statement, chunk, values)
        convert = self._conversions(statement, result)
        each = [convert.get(number, as_it_is) for number in range(len(kinds))]
        for rows in _fetched(result, chunk):
            require(zip(*rows, strict=True), kinds)
            yield [tuple(converted(row, each)) for row in rows] if convert else rows

    def _streamed(
        self, statement: Query, chunk: int, values: Values | None = None
    ) -> sa.CursorResult[Any]:
        """Run a query whose rows stay in the server, if there is one, until they are fetched."""
        streams = self.connection.dialect.supports_server_side_cursors  # else rows are copied twice
        options = {"stream_results": streams, "max_row_buffer": chunk}
        return self.connection.execute(statement.execution_options(**options), values)

    def _conversions(
        self, statement: Query, result: sa.CursorResult[Any]
    ) -> dict[int, Callable[[Any], Any]]:
        """Return, by column number, what turns the driver's values into SQLAlchemy's."""
        dialect, described = self.connection.dialect, result.cursor.description
        processors = [
            column.type.dialect_impl(dialect).result_processor(dialect, kind)
            for column, (_, kind, *_) in zip(statement.selected_columns, described, strict=True)
        ]
        return {number: each for number, each in enumerate(processors) if each is not None}


def _fetched(result: sa.CursorResult[Any], chunk: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield the driver's rows, beginning with those that SQLAlchemy has fetched already."""
    cursor = result.cursor_strategy
    # SQLAlchemy takes the driver's cursor away when it is read to its end.
    while result.cursor is not None and (rows := cursor.fetchmany(result, result.cursor, chunk)):
        yield rows


class Store:
    """An index, opened by its path or URL when it is first used.

    Parameters
    ----------
    db
        A path, or the URL of a database.
    when_stuck
        See `sdindex.Index`.

    Raises
    ------
    IndexUnusableError
        When `db` is a URL that cannot be parsed, or names no database for an index.
    """

    def __init__(self, db: str | os.PathLike[str], *, when_stuck: WhenStuck | None = None) -> None:
        self.db = os.fspath(db)
        self.backend = backend_of(self.db, when_stuck)

    def __str__(self) -> str:
        return str(self.backend)

    @property
    def file(self) -> Path | None:
        """The index's file; None in a server."""
        return self.backend.file

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one state of the index, and cannot change it.

        Raises
        ------
        IndexMissingError, IndexUnusableError
            When there is no index, or none that this program can use.
        """
        with self._connection("read") as connection:
            self._check_revision(connection)
            self.backend.check(connection, write=False)
            yield Session(self.db, self.backend, connection)

    @contextmanager
    def writing(self, *, create: bool = False, saving: bool = False) -> Iterator[Session]:
        """Give a session for changes; the index is upgraded to the newest schema first.

        One program writes at a time (in a server, one for each archive: see `Session.hold`);
        another one waits, and logs that. What is not committed when the block ends is rolled back.
        With `saving`, for a sample, the session sees one state of the index.

        Raises
        ------
        IndexMissingError, IndexUnusableError
            When there is no index and `create` is false, or none that this program can use.
        """
        if not create or not self.backend.is_new():
            self.backend.require()
        with self.backend.exclusively():
            is_made = create and self.backend.is_new()
            if is_made:
                self.backend.create()
            try:
                with self._connection("save" if saving else "write") as connection:
                    self.backend.begin(connection, saving=saving)
                    self._upgrade(connection)
                    with closing(Session(self.db, self.backend, connection)) as session:
                        yield session
            except BaseException:
                with suppress(SdindexError):  # it cannot be reached: the first error tells why
                    if is_made and self._is_empty():
                        self.backend.discard()
                raise

    @contextmanager
    def recording(self) -> Iterator[Session]:
        """Give a session for a short change of a review: a decision, or a saved sample.

        It waits only for another program's current transaction, not for its end. What is not
        committed when the block ends is rolled back.

        Raises
        ------
        IndexMissingError, IndexUnusableError
            When there is no index, or none that this program can use.
        """
        with self._connection("save") as connection:
            self.backend.begin(connection, saving=True)
            self._check_revision(connection)
            yield Session(self.db, self.backend, connection)

    def _upgrade(self, connection: sa.Connection) -> None:
        stored = schema.stored_revision(connection, self.backend.tables(connection))
        if stored != SCHEMA_REVISION:
            self._check_revision(connection, may_upgrade=True)
        self.backend.check(connection, write=True)
        if stored != SCHEMA_REVISION:
            self.backend.upgrade(connection, str(stored))
            self._make_frame(connection)
        connection.commit()
        self.backend.after_open(connection)

    def _make_frame(self, connection: sa.Connection) -> None:
        """Make the sampling frame of an upgraded index: older programs had none."""
        from sdindex.store import images  # imported here, as it imports this module

        images.frame_up_to_date(Session(self.db, self.backend, connection, whole=True))

    def _is_empty(self) -> bool:
        with self._connection("read") as connection:
            return connection.scalar(sa.select(sa.exists().where(archive.c.id.is_not(None)))) == 0

    def asking(self, question: str, *, seconds: float) -> AbstractContextManager[Answer]:
        """Give the answer to a query from outside; see `sdindex.Index.sql`."""
        with self.reading():  # raises where it is no index of this version
            pass
        return self.backend.ask(question, seconds=seconds)

    def close(self) -> None:
        """Close every connection."""
        self.backend.close()

    @contextmanager
    def _connection(self, purpose: Purpose) -> Iterator[sa.Connection]:
        self.backend.require()
        try:
            with self.backend.connecting(purpose) as connection:
                yield connection
        except SdindexError:
            raise
        except WrongValueError as problem:
            raise IndexUnusableError(f"{self}: {damaged(str(problem))}") from problem
        except (DatabaseError, UnicodeDecodeError) as problem:
            why = self.backend.explain(problem) if isinstance(problem, DatabaseError) else None
            # Other errors are faults of this program, unless the index is damaged: then SQLite's
            # message may be no text.
            why = self.backend.damage() if why is None else why
            if why is None:
                raise
            raise IndexUnusableError(f"{self}: {why}") from problem

    def _check_revision(self, connection: sa.Connection, *, may_upgrade: bool = False) -> None:
        tables = self.backend.tables(connection)
        revision = schema.stored_revision(connection, tables)
        if revision is None or not schema.is_index(tables):
            raise self.backend.missing()
        if revision > SCHEMA_REVISION and revision.isdecimal():
            raise IndexUnusableError(
                f"{self} was made by a newer sdindex (schema {revision}, this program knows "
                f"{SCHEMA_REVISION}); upgrade with: pip install --upgrade sdindex"
            )
        if revision != SCHEMA_REVISION and revision not in schema.known_revisions():
            raise WrongValueError(f"no sdindex made its schema, {revision!r}")
        if revision != SCHEMA_REVISION and not may_upgrade:
            raise IndexUnusableError(
                f"{self} was made by an older sdindex (schema {revision}); "
                "`sdindex index` on any of its archives upgrades it"
            )
