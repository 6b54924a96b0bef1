"""What errors of SQLite mean for the user, and finding damage in an index."""

import errno
import sqlite3
import time
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from sdindex.archive.names import printable
from sdindex.store.backend import damaged
from sdindex.store.sqlite_driver import driver_of
from sdindex.store.tables import archive, frame_block, frame_bucket, frame_change, metadata

_SECONDS = 5.0  # seconds to look for damage, before a fault is called the program's
_STEPS = 10_000  # instructions of SQLite's virtual machine between two looks at the clock
_HEADING = "*** in database main ***\n"  # SQLite's text before what it found
# SQLite's storage types for a Python type; SQLite itself accepts any.
_KINDS = {
    bool: {"integer"},
    bytes: {"blob"},
    datetime: {"text"},
    float: {"real", "integer"},
    int: {"integer"},
    str: {"text"},
}


def explain(problem: BaseException | None) -> str:
    """Return what an error means for the person who meets it, and what to do."""
    if isinstance(problem, OSError):
        why = problem.strerror or str(problem)
        is_refused = isinstance(problem, PermissionError) or problem.errno == errno.EROFS
        return not_allowed(why) if is_refused else printable(why)
    code = getattr(problem, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_READONLY_ROLLBACK:
        return (
            "a program that was killed left it half-written, and it cannot be written here to "
            "take that back; use it once from where it can"
        )
    match None if code is None else code & 0xFF:  # the higher bits are the extended code
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another program keeps the index busy; close it there and try again"
        case sqlite3.SQLITE_FULL:
            return "no space left on the disk; what was stored before is intact"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return not_allowed(str(problem))
        case sqlite3.SQLITE_IOERR:
            return f"the disk refused ({problem}); what was stored before is intact"
    return damaged(str(problem)) if _tells_of_damage(problem) else str(problem)


def not_allowed(why: str) -> str:
    """Return the text for an index that cannot be opened, or not be changed."""
    return (
        f"it cannot be opened or written here ({printable(why)}): the file, its folder or its "
        "disk does not allow it; copy the index to where you may, or name another with --db"
    )


def find(connection: sa.Connection) -> str | None:
    """Return what is wrong in an index, as `damaged` says it.

    None if nothing is found within five seconds: then the fault is the program's own.
    """
    deadline = time.monotonic() + _SECONDS
    of_driver = driver_of(connection)
    of_driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        return of_pages(connection, whole=True) or _of_values(connection)
    except UnicodeDecodeError:  # decoding SQLite's message on a table's definition fails
        return damaged("the definition of a table is no text")
    except DatabaseError as problem:
        return explain(problem.orig) if _tells_of_damage(problem.orig) else None
    finally:
        of_driver.set_progress_handler(None, 0)


def of_pages(connection: sa.Connection, *, whole: bool) -> str | None:
    """Return what SQLite finds wrong with the pages of a file, as `damaged` says it.

    The `whole` check also compares tables with their indexes, and takes twice as long.
    """
    return _found(connection, "integrity_check(1)" if whole else "quick_check(1)")


def of_small_tables(connection: sa.Connection) -> str | None:
    """Return what SQLite finds wrong with the small tables, on which all others depend.

    It takes a few milliseconds. The rest of the frame has checksums.
    """
    for table in (archive, frame_block, frame_bucket, frame_change):
        found = _found(connection, f"quick_check({table.name})")
        if found is not None:
            return found
    return None


def _found(connection: sa.Connection, check: str) -> str | None:
    found = connection.exec_driver_sql(f"PRAGMA main.{check}").scalars().first()
    return None if found == "ok" else damaged(str(found).removeprefix(_HEADING))


def _of_values(connection: sa.Connection) -> str | None:
    """Return which table has a value of another type than its column's."""
    for table in metadata.sorted_tables:
        wrong = sa.or_(*map(_is_wrong, table.c))
        kinds = connection.execute(
            sa.select(*map(sa.func.typeof, table.c)).where(wrong).limit(1)
        ).first()
        if kinds is not None:
            return damaged(f"a row of {table.name} is of {', '.join(kinds)}")
    return None


def _is_wrong(column: "sa.Column[object]") -> sa.ColumnElement[bool]:
    kind = column.type.python_type
    wrong: sa.ColumnElement[bool] = sa.func.typeof(column).not_in(_KINDS[kind])
    if kind is datetime:
        wrong |= sa.func.datetime(column).is_(None)
    return column.is_not(None) & wrong


def _tells_of_damage(problem: BaseException | None) -> bool:
    match getattr(problem, "sqlite_errorcode", None):
        case None:  # the driver's error: a text is no UTF-8
            return isinstance(problem, sqlite3.Error)
        case code:
            return code & 0xFF in {
                sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR,
            }  # fmt: skip
