"""Whether what an index stores twice agrees: so damage shows in rows, which have no checksums.

Of a large index, not all pages are checked when it is only read.
"""

from collections.abc import Collection

import sqlalchemy as sa

from sdindex.archive.names import from_text
from sdindex.archive.natural import SORT_RULE, ends_with
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.tables import WrongValueError, archive, frame_block, frame_bucket, image

_MOST = 10_000  # images, at most, whose rows are compared: each costs 2 microseconds


def require_counts(session: Session, counted: int | None = None) -> None:
    """Refuse a frame whose blocks and buckets do not have the same number of images.

    Raises
    ------
    WrongValueError
        When they differ (`counted` is the number by buckets), or a block's archive is not there.
    """
    in_blocks = sa.select(sa.func.sum(frame_block.c.images)).join(
        archive, archive.c.id == frame_block.c.archive_id
    )
    if counted is None:
        counted = session.scalar(sa.select(sa.func.sum(frame_bucket.c.images))) or 0
    if (session.scalar(in_blocks) or 0) != counted:
        raise WrongValueError("the buckets of the frame have not as many images as its blocks")


def natural_order(session: Session, ids: Collection[int]) -> list[int]:
    """Return ids, each once, in the natural order of their images, and check their rows.

    Of up to 10,000 images each path is compared with two other places: the unique index of paths,
    which has it with the row's id, and the sort key, which ends with it.

    Raises
    ------
    WrongValueError
        When the three differ, or there is no such row.
    """
    # Not joined in SQL: a server that expects few drawn images would pair each with every archive.
    of_archives = sa.select(archive.c.id, archive.c.sort_key, archive.c.sort_rule)
    archives = {row[0]: row[1:] for row in session.rows(of_archives)}
    statement = sa.select(image.c.archive_id, image.c.sort_key, image.c.id, image.c.path)
    is_checked = len(ids) <= _MOST
    if is_checked:
        named = image.alias()
        is_named = (named.c.archive_id == image.c.archive_id) & (named.c.path == image.c.path)
        statement = statement.join(named, is_named).add_columns(named.c.id)
    rows = [
        row
        for chunk in batched(ids, PARAMETERS)
        for row in session.rows(statement.where(has_id(image.c.id, chunk)))
        if row[0] in archives
    ]
    if len(rows) != len(set(ids)):
        raise WrongValueError("the index lacks images that it lists")
    if is_checked and not all(
        row_id == same_id
        and (archives[archive_id][1] != SORT_RULE or ends_with(key, from_text(path)))
        for archive_id, key, row_id, path, same_id in rows
    ):
        raise WrongValueError("an image of the sample has another one's path or sort key")
    rows.sort(key=lambda row: (archives[row[0]][0], row[1], row[2]))
    return [row[2] for row in rows]
