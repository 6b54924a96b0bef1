"""A plain sample, drawn from the blocks' counts and lists of ids, without loading the frame."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from sdindex.sampling.blocks import BUCKET_BITS, id_at, ids_column
from sdindex.sampling.trim import stride
from sdindex.store.agreement import require_counts
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.frames import available
from sdindex.store.mixing import methods, refuse_to_mix
from sdindex.store.tables import (
    WrongValueError,
    archive,
    frame_block,
    frame_bucket,
    frame_column,
    image,
)


class Counts(NamedTuple):
    """How many images of each bucket each block has; blocks are in natural order."""

    blocks: Sequence[int]
    images: Mapping[int, Sequence[int]]

    def sizes(self) -> dict[int, int]:
        """Return how many images each bucket has, by its number."""
        return {bucket: sum(images) for bucket, images in self.images.items() if any(images)}


def counts(session: Session) -> Counts:
    """Return how many images of each bucket each block has.

    The query gives a row for each block, not for each bucket of it: a sixteenth to sort and send.

    Raises
    ------
    WrongValueError
        When their sum is not the number of images in the blocks.
    """
    count = sa.cast(frame_bucket.c.images, sa.Integer)  # so that sums are integers in a server, too
    buckets = range(1 << BUCKET_BITS)
    of_blocks = (
        sa.select(
            frame_bucket.c.block,
            *(
                sa.func.coalesce(
                    sa.func.sum(count).filter(frame_bucket.c.bucket == bucket), 0
                ).label(f"bucket{bucket}")
                for bucket in buckets
            ),
        )
        .group_by(frame_bucket.c.block)
        .subquery()
    )
    in_order = (
        sa.select(of_blocks)
        .outerjoin(frame_block, frame_block.c.id == of_blocks.c.block)
        .outerjoin(archive, archive.c.id == frame_block.c.archive_id)
        .order_by(archive.c.sort_key, frame_block.c.first_key)
    )
    rows = list(session.rows(in_order))
    blocks = [row[0] for row in rows]
    images = {bucket: [row[1 + bucket] for row in rows] for bucket in buckets}
    require_counts(session, sum(map(sum, images.values())))
    return Counts(blocks, images)


def ids_by_stride(session: Session, counts: Counts, keep: Mapping[int, int]) -> list[int]:
    """Return the ids of `keep` images of each bucket, evenly along natural order.

    Raises
    ------
    WrongValueError
        When a list of ids is not found.
    """
    drawn = {
        (bucket, block): ranks
        for bucket, kept in keep.items()
        for block, ranks in _ranks_in_blocks(counts.blocks, counts.images[bucket], kept).items()
    }
    ids = [
        id_at(data, rank)
        for chunk in batched(drawn, PARAMETERS)
        for bucket, block, data in session.rows(_lists(chunk), chunk=32)
        for rank in drawn[bucket, block]
    ]
    if len(ids) != sum(keep.values()):
        raise WrongValueError("a block of the frame lacks a list of its images")
    return ids


def _lists(chosen: Iterable[tuple[int, int]]) -> sa.CompoundSelect[Any]:
    """Select lists of ids, each of a bucket and a block, by one query: of several each waits."""
    return sa.union_all(
        *(
            sa.select(
                sa.literal_column(str(bucket), sa.Integer),
                frame_column.c.block,
                frame_column.c.data,
            )
            .where(has_id(frame_column.c.block, [block for _, block in some]))
            .where(frame_column.c.name == ids_column(bucket))
            for bucket, some in groupby(chosen, itemgetter(0))
        )
    )


def _ranks_in_blocks(
    blocks: Sequence[int], images: Sequence[int], count: int
) -> dict[int, list[int]]:
    """Return which images of a bucket are drawn, as ranks in each block's list."""
    drawn: dict[int, list[int]] = {}
    ends = list(accumulate(images))
    for rank in stride(ends[-1], count):
        at = bisect_right(ends, rank)
        drawn.setdefault(blocks[at], []).append(rank - ends[at] + images[at])
    return drawn


def refuse_mixed_methods(session: Session) -> None:
    """Refuse a sample from a current frame if its hashes are of several methods.

    Raises
    ------
    SampleError
        When there is more than one method.
    """
    if len(methods(session, is_current=True)) > 1:
        counted = session.execute(
            sa.select(image.c.method, sa.func.count()).where(available()).group_by(image.c.method)
        )
        refuse_to_mix({row[0]: row[1] for row in counted})
