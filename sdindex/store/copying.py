"""Copying a whole index into a new one, of the same kind of database or another."""

from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from sdindex.errors import IndexUnusableError, SdindexError
from sdindex.progress import counter
from sdindex.store.database import Store
from sdindex.store.fetching import batched
from sdindex.store.tables import archive, frame_column, metadata

_ROWS = 5000  # rows of a table in one transaction
_LARGE_ROWS = 64  # rows of the frame: each has hundreds of kilobytes


def copy(source: Store, target: Store, *, progress: bool | None = False) -> None:
    """Copy an index with its samples and labels, and its sampling frame as it is.

    The rows keep their ids. A copy that fails leaves no index.

    Raises
    ------
    IndexMissingError, IndexUnusableError
        When there is no index to be copied, or the new one is there already.
    """
    if _is_same(source.file, target.file):
        raise IndexUnusableError(f"{target} is the index that is to be copied; name a new one")
    is_ours = False
    try:
        with source.reading() as session, target.writing(create=True) as into:
            if into.scalar(sa.select(sa.exists(sa.select(archive.c.id)))):
                raise IndexUnusableError(f"{target} has archives already; name a new index")
            is_ours = True
            with counter("copying", "rows", show=progress, delay=1) as shown:
                for table in metadata.sorted_tables:
                    size = _LARGE_ROWS if table is frame_column else _ROWS
                    for rows in batched(session.rows(sa.select(table), chunk=size), size):
                        names = table.columns.keys()
                        values = [dict(zip(names, row, strict=True)) for row in rows]
                        into.execute(table.insert(), values)
                        into.commit()
                        shown.update(len(rows))
            target.backend.number_on(into.connection)
            into.commit()
    except BaseException:
        if is_ours:
            with suppress(SdindexError):
                target.backend.discard()
        raise


def _is_same(one: Path | None, other: Path | None) -> bool:
    if one is None or other is None:
        return False
    return one.exists() and other.exists() and one.samefile(other)
