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

    `file` is the index's own, None where it is no file. `locks_archives` says that programs
    write at the same time, each to the archives that it holds. The text of a backend names the
    index to the user, without a password.
    """

    file: Path | None
    locks_archives: bool

    def is_new(self) -> bool:
        """Say whether the index is still to be made."""

    def require(self) -> None:
        """Raise IndexMissingError or IndexUnusableError where there is nothing to open."""

    def missing(self) -> SdindexError:
        """Return the error of a database that is no index."""

    def check(self, connection: sa.Connection, *, write: bool) -> None:
        """Raise IndexUnusableError where the index is damaged, as far as that is cheap to see."""

    def tables(self, connection: sa.Connection) -> set[str]:
        """Return the names of the tables that there are."""

    def connecting(self, purpose: Purpose) -> AbstractContextManager[sa.Connection]:
        """Connect: what reads sees one state of the index, and so does what saves a sample."""

    def exclusively(self) -> AbstractContextManager[None]:
        """Let one program write at a time: another one waits, and says so."""

    def begin(self, connection: sa.Connection, *, saving: bool) -> None:
        """Take the locks that every writer needs, and one that saves a sample."""

    def leave_state(self, connection: sa.Connection) -> None:
        """Have a connection that saves a sample see the newest state of the index from now on."""

    def hold(self, connection: sa.Connection, archive_id: int, root: str) -> None:
        """Keep other programs from changing an archive: another one waits, and says so."""

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
        """Insert rows with values of the same columns, each in place of one of equal `keys`."""

    def is_among(self, column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[bool]:
        """Return the condition that a text is one of the list that is given as the value `name`.

        One value for thousands of texts: SQLAlchemy takes longer to bind them than a database
        to find them.
        """

    def size(self, connection: sa.Connection) -> int:
        """Return the bytes that the index takes on a disk."""

    def number_on(self, connection: sa.Connection) -> None:
        """Have new rows numbered behind those that were stored with their numbers."""

    def upgrade(self, connection: sa.Connection, revision: str) -> None:
        """Upgrade the tables; keep the index as it is where that could not be rolled back."""

    def after_open(self, connection: sa.Connection) -> None:
        """Undo what other programs have set, outside a transaction."""

    def explain(self, problem: DBAPIError) -> str | None:
        """Return what a database error means for the person who meets it, and what to do.

        None for what is a fault of this program, unless the index is damaged.
        """

    def damage(self) -> str | None:
        """Return what is wrong with the index, and what to do; None when nothing is found.

        In a few seconds: what is asked about may be a fault of this program.
        """

    def ask(self, question: str, *, seconds: float) -> AbstractContextManager[Answer]:
        """Run one query from outside; see `sdindex.Index.sql`."""

    def matching(self, connection: sa.Connection, expression: str) -> set[int]:
        """Return the ids of the images for which an expression from outside is true."""

    def close(self) -> None:
        """Close every connection."""


def damaged(why: str) -> str:
    """Return what is said of an index in which something is wrong."""
    first = printable(why.partition("\n")[0])  # it may quote a table's definition
    return (
        f"it is damaged, or not an sdindex index ({first}); restore a copy, or name another "
        "with --db"
    )
