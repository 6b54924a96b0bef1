"""SQLite for tests: no index waits for the disk, and a statement is compiled once for all."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import sqlalchemy as sa

_COMPILED = 500  # statements, of all indexes of a process

Make = Callable[..., sa.Engine]


def quick(make: Make) -> Make:
    """Return what makes the same engines, for files that need not outlive a loss of power."""

    def made(*arguments: Any, **options: Any) -> sa.Engine:
        engine = make(*arguments, **options)
        sa.event.listen(engine, "connect", _wait_for_no_disk)
        engine.dialect, engine._compiled_cache = _shared().dialect, _shared()._compiled_cache
        return engine

    return made


@cache
def _shared() -> sa.Engine:
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool, query_cache_size=_COMPILED)
    engine.connect().close()  # its dialect asks what SQLite this is
    return engine


def _wait_for_no_disk(connection: Any, _: object) -> None:
    # It reads the file: whoever is to say that the file is damaged, or locked, does so later.
    with suppress(sqlite3.Error, UnicodeDecodeError):
        connection.execute("PRAGMA synchronous = OFF")
