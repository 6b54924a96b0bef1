"""A plain sample: from counts and lists of ids alone, without a column of the frame."""

from collections.abc import Mapping

import sqlalchemy as sa

from sdindex.sampling.blocks import id_at, ids_column
from sdindex.sampling.trim import stride
from sdindex.store.agreement import require_counts
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.frames import available, methods, refuse_to_mix
from sdindex.store.tables import (
    WrongValueError,
    archive,
    frame_block,
    frame_bucket,
    frame_column,
    image,
)


def bucket_sizes(session: Session) -> dict[int, int]:
    """Return how many images each bucket has, by its number.

    Raises
    ------
    WrongValueError
        When they are not as many in all as the blocks have.
    """
    require_counts(session)
    images = sa.func.sum(frame_bucket.c.images)
    rows = session.execute(
        sa.select(frame_bucket.c.bucket, images)
        .group_by(frame_bucket.c.bucket)
        .order_by(frame_bucket.c.bucket)
    )
    return {bucket: int(size) for bucket, size in rows}


def ids_by_stride(session: Session, sizes: Mapping[int, int], keep: Mapping[int, int]) -> list[int]:
    """Return the ids of so many images of each bucket, even along natural order.

    Raises
    ------
    WrongValueError
        When a list of ids is not found.
    """
    ids: list[int] = []
    for bucket, ranks in _ranks_in_blocks(session, sizes, keep).items():
        for chunk in batched(ranks, PARAMETERS):
            lists = session.rows(
                sa.select(frame_column.c.block, frame_column.c.data).where(
                    has_id(frame_column.c.block, chunk), frame_column.c.name == ids_column(bucket)
                ),
                chunk=32,
            )
            ids += [id_at(data, rank) for block, data in lists for rank in ranks[block]]
    if len(ids) != sum(keep.values()):
        raise WrongValueError("a block of the frame lacks a list of its images")
    return ids


def _ranks_in_blocks(
    session: Session, sizes: Mapping[int, int], keep: Mapping[int, int]
) -> dict[int, dict[int, list[int]]]:
    """Return which images are drawn, as ranks in each bucket of each block."""
    drawn: dict[int, dict[int, list[int]]] = {bucket: {} for bucket in keep}
    wanted = {bucket: stride(sizes[bucket], count) for bucket, count in keep.items()}
    before, taken = dict.fromkeys(keep, 0), dict.fromkeys(keep, 0)
    in_order = (
        sa.select(frame_bucket.c.block, frame_bucket.c.bucket, frame_bucket.c.images)
        .join(frame_block, frame_block.c.id == frame_bucket.c.block)
        .join(archive, archive.c.id == frame_block.c.archive_id)
        .order_by(archive.c.sort_key, frame_block.c.first_key)
    )
    for block, bucket, images in session.rows(in_order):
        ranks, at, start = wanted[bucket], taken[bucket], before[bucket]
        end = at
        while end < len(ranks) and ranks[end] < start + images:
            end += 1
        if end > at:
            drawn[bucket][block] = [rank - start for rank in ranks[at:end]]
        before[bucket], taken[bucket] = start + images, end
    return drawn


def refuse_mixed_methods(session: Session) -> None:
    """Refuse a sample of all images where hashes of several methods would be mixed.

    Raises
    ------
    SampleError
        When there is more than one method.
    """
    if len(methods(session)) > 1:
        counted = session.execute(
            sa.select(image.c.method, sa.func.count()).where(available()).group_by(image.c.method)
        )
        refuse_to_mix({row[0]: row[1] for row in counted})
