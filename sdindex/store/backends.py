"""Which `Backend` an index has, by its path or URL."""

from pathlib import Path

import sqlalchemy as sa

from sdindex.errors import IndexUnusableError
from sdindex.store.backend import Backend
from sdindex.store.query import WhenStuck
from sdindex.store.sqlite import SqliteBackend, temporary

__all__ = ["backend_of", "temporary"]


def backend_of(db: str, when_stuck: WhenStuck | None) -> Backend:
    """Return the backend of the index that a path or a URL names."""
    if not db.strip():
        raise IndexUnusableError("the index has no name; name a file, or a URL, with --db")
    if "://" not in db:
        return SqliteBackend(Path(db), when_stuck)
    try:
        url = sa.make_url(db)
    except (sa.exc.ArgumentError, ValueError) as problem:
        raise IndexUnusableError(f"{db} is not a database URL: {problem}") from problem
    if url.get_backend_name() != "sqlite":
        from sdindex.store import postgresql  # for this alone, with SQLAlchemy's part

        return postgresql.backend_of(url)
    if not url.database or url.database == ":memory:" or url.query:
        raise IndexUnusableError(f"{db}: name an SQLite index by its path alone")
    return SqliteBackend(Path(url.database), when_stuck)
