"""Whether what an index has in several places is the same: rows have no checksums, as columns have.

Whoever only reads a large index has not all of its pages checked.
"""

from collections.abc import Collection

import sqlalchemy as sa

from sdindex.archive.names import from_text
from sdindex.archive.natural import SORT_RULE, ends_with
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.tables import WrongValueError, archive, frame_block, frame_bucket, image

_MOST = 10_000  # images: each costs 2 microseconds


def require_counts(session: Session, counted: int | None = None) -> None:
    """Refuse a frame whose blocks have not as many images as its buckets: as were `counted`.

    Raises
    ------
    WrongValueError
        When they have not, or the archive of a block is not there.
    """
    in_blocks = sa.select(sa.func.sum(frame_block.c.images)).join(
        archive, archive.c.id == frame_block.c.archive_id
    )
    if counted is None:
        counted = session.scalar(sa.select(sa.func.sum(frame_bucket.c.images))) or 0
    if (session.scalar(in_blocks) or 0) != counted:
        raise WrongValueError("the buckets of the frame have not as many images as its blocks")


def natural_order(session: Session, ids: Collection[int]) -> list[int]:
    """Return ids, each once, in the natural order of their images.

    Refuses rows that are not of these images, unless there are more than 10,000. What a row says
    of where its image is stands in the index twice more: the unique index of paths has it with
    the row's id, and the sort key ends with it.

    Raises
    ------
    WrongValueError
        When one of the three says something else, or there is no such row.
    """
    # Joined there, a server that takes the drawn images for few pairs each with every archive.
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
