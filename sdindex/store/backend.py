"""The `Backend` that each kind of database is: everything in which databases differ."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sdindex.archive.names import printable
from sdindex.errors import SdindexError
from sdindex.store.query import Answer

Values = Mapping[str, Any]  # of a row's columns, by their names
Purpose = Literal["read", "write", "save"]


class Backend(Protocol):
    """A database that keeps an index: everything in which databases differ.

    `file` is the index's file, or None. `locks_archives` says that several programs may write at
    once, each to the archives that it has locked. ``str`` of a backend names the index to the user,
    without a password.
    """

    file: Path | None
    locks_archives: bool

    def is_new(self) -> bool:
        """Say whether the index is still to be made."""

    def require(self) -> None:
        """Raise IndexMissingError or IndexUnusableError where there is nothing to open."""

    def missing(self) -> SdindexError:
        """Return the error for a database without an index."""

    def check(self, connection: sa.Connection, *, write: bool) -> None:
        """Raise IndexUnusableError where a quick check finds the index damaged."""

    def tables(self, connection: sa.Connection) -> set[str]:
        """Return the names of the existing tables."""

    def connecting(self, purpose: Purpose) -> AbstractContextManager[sa.Connection]:
        """Connect; whoever reads, or saves a sample, sees one state of the index."""

    def exclusively(self) -> AbstractContextManager[None]:
        """Let one program write at a time; another one waits, and logs that."""

    def begin(self, connection: sa.Connection, *, saving: bool) -> None:
        """Take the locks that every writer needs, and one that saves a sample."""

    def leave_state(self, connection: sa.Connection) -> None:
        """Let a connection that saves a sample see the newest state of the index from now on."""

    def hold(self, connection: sa.Connection, archive_id: int, root: str) -> None:
        """Keep other programs from changing an archive; they wait, and log that."""

    def release(self, connection: sa.Connection, archive_id: int) -> None:
        """Let other programs change an archive again."""

    def lock_archives(self, connection: sa.Connection) -> None:
        """Keep other programs from adding or moving archives until this transaction ends."""

    def lock_samples(self, connection: sa.Connection) -> None:
        """Keep other programs from saving samples until this transaction ends."""

    def lock_labels(self, connection: sa.Connection) -> None:
        """Keep other programs from storing labels until the connection ends."""

    def lock_frame(self, connection: sa.Connection, archive_id: int) -> None:
        """Keep other programs from making an archive's frame until this transaction ends."""

    def create(self) -> None:
        """Make a new index, whole or not at all."""

    def discard(self) -> None:
        """Delete a new index in which nothing was stored."""

    def put(
        self,
        connection: sa.Connection,
        table: sa.Table,
        keys: Sequence[str],
        rows: Sequence[Values],
    ) -> None:
        """Insert rows of the same columns; a row with equal `keys` is replaced."""

    def is_among(self, column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[bool]:
        """Return the condition that a text is one of the list that is given as the value `name`.

        One value for thousands of texts: SQLAlchemy takes longer to bind them than a database
        to find them.
        """

    def size(self, connection: sa.Connection) -> int:
        """Return the size of the index on its disk, in bytes."""

    def number_on(self, connection: sa.Connection) -> None:
        """Make the ids of new rows go on after those that were inserted with their ids."""

    def upgrade(self, connection: sa.Connection, revision: str) -> None:
        """Upgrade the tables; where that cannot be rolled back, keep a copy first."""

    def after_open(self, connection: sa.Connection) -> None:
        """Undo settings of other programs, which is done outside a transaction."""

    def explain(self, problem: DBAPIError) -> str | None:
        """Return what a database error means for the person who meets it, and what to do.

        None where it is a fault of this program, unless the index is damaged.
        """

    def damage(self) -> str | None:
        """Return what is wrong with the index, and what to do; None when nothing is found.

        It takes a few seconds, as the cause may be a fault of this program.
        """

    def ask(self, question: str, *, seconds: float) -> AbstractContextManager[Answer]:
        """Run one query from outside; see `sdindex.Index.sql`."""

    def matching(self, connection: sa.Connection, expression: str) -> set[int]:
        """Return the ids of the images for which an SQL expression of the user is true."""

    def close(self) -> None:
        """Close every connection."""


def damaged(why: str) -> str:
    """Return what is said of an index in which something is wrong."""
    first = printable(why.partition("\n")[0])  # it may quote a table's definition
    return (
        f"it is damaged, or not an sdindex index ({first}); restore a copy, or name another "
        "with --db"
    )
