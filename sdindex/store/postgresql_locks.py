"""Advisory locks of PostgreSQL: between programs, not on tables, and gone with a connection.

A lock of a connection is held until it is released or the connection ends; a lock of a transaction
until the transaction ends. Locks are taken in the order in which they stand here, those of archives
in the order of ids, so that no two programs wait for each other.
"""

import logging
from collections.abc import Iterable

import sqlalchemy as sa

# Each lock has two numbers: one of these, and an archive's id, or 0.
SCHEMA = 0x5D1DE00  # shared by all who write
ARCHIVE = 0x5D1DE01
SAMPLES = 0x5D1DE02
ARCHIVES = 0x5D1DE03  # which archives there are, and where
LABELS = 0x5D1DE04
FRAME = 0x5D1DE05

_FREE = sa.text("SELECT pg_try_advisory_lock(:kind, :number)")
_FREE_SHARED = sa.text("SELECT pg_try_advisory_lock_shared(:kind, :number)")
_FREE_UNTIL_COMMIT = sa.text("SELECT pg_try_advisory_xact_lock(:kind, :number)")
_WAIT = sa.text("SELECT pg_advisory_lock(:kind, :number)")
_WAIT_SHARED = sa.text("SELECT pg_advisory_lock_shared(:kind, :number)")
_WAIT_UNTIL_COMMIT = sa.text("SELECT pg_advisory_xact_lock(:kind, :number)")
_RELEASE = sa.text("SELECT pg_advisory_unlock(:kind, :number)")
_RELEASE_SHARED = sa.text("SELECT pg_advisory_unlock_shared(:kind, :number)")
_HOLDER = sa.text(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND classid = :kind AND objid = :number AND granted "
    "AND pid <> pg_backend_pid() ORDER BY application_name LIMIT 1"
)

log = logging.getLogger("sdindex")


def take(connection: sa.Connection, kind: int, number: int, what: str) -> None:
    """Take a lock of the connection, waiting for it; `what` says what its holder does."""
    _take(connection, _FREE, _WAIT, kind, number, what)


def share(connection: sa.Connection, kind: int, what: str) -> None:
    """Take a lock of the connection that others may share."""
    _take(connection, _FREE_SHARED, _WAIT_SHARED, kind, 0, what)


def take_until_commit(connection: sa.Connection, kind: int, number: int, what: str) -> None:
    """Take a lock of the transaction, waiting for it."""
    _take(connection, _FREE_UNTIL_COMMIT, _WAIT_UNTIL_COMMIT, kind, number, what)


def release(connection: sa.Connection, kind: int, number: int = 0) -> None:
    """Release a lock of the connection."""
    connection.execute(_RELEASE, {"kind": kind, "number": number})


def release_shared(connection: sa.Connection, kind: int) -> None:
    """Release a lock that was shared."""
    connection.execute(_RELEASE_SHARED, {"kind": kind, "number": 0})


def is_free(connection: sa.Connection, kind: int, numbers: Iterable[int] = (0,)) -> bool:
    """Try to take locks of the transaction without waiting; say whether all were taken."""
    return all(
        connection.scalar(_FREE_UNTIL_COMMIT, {"kind": kind, "number": number})
        for number in numbers
    )


def _take(
    connection: sa.Connection, free: sa.TextClause, wait: sa.TextClause, kind: int, number: int,
    what: str,
) -> None:  # fmt: skip
    names = {"kind": kind, "number": number}
    if connection.scalar(free, names):
        return
    holder = connection.scalar(_HOLDER, names)
    log.warning("%s %s: waiting for it", f"another {holder or 'sdindex'}", what)
    connection.execute(wait, names)
