"""What an update did and what an index has, for tests that count."""

from contextlib import closing
from pathlib import Path
from typing import Any

from sdindex import Summary
from tests.support.straight import connected


def rows(
    db: Path, query: str = "SELECT path, dhash, missing_since FROM image ORDER BY path"
) -> Any:
    """Return what an index answers to a query."""
    with closing(connected(db)) as connection:
        return connection.execute(query).fetchall()


def counts(summary: Summary) -> dict[str, int]:
    """Return what is not zero."""
    names = ("new", "changed", "moved", "unchanged", "missing", "unreadable", "skipped", "read")
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}
