"""The images in sampling order, kept so that a sample costs what it takes, not what there is.

`sampling_position` numbers the images bucket by bucket, each bucket in natural order, at
the default number of bits; `sampling_bucket` says where each bucket begins. Whoever changes
an image empties `sampling_bucket` in the same transaction, so that what is kept is never
stale: where it is empty, a sample is drawn from the images themselves.
"""

from typing import NamedTuple

import sqlalchemy as sa

from sdindex.errors import SampleError
from sdindex.sampling.trim import DEFAULT_BITS, HASH_BITS
from sdindex.store.database import Session
from sdindex.store.tables import archive, image, sampling_bucket, sampling_position


class OrderedBucket(NamedTuple):
    """A bucket: its number, where it begins in sampling order, and how many images it has."""

    bucket: int
    first_position: int
    images: int


def available() -> sa.ColumnElement[bool]:
    """Return the condition that a row of ``image`` can be sampled: it was read, and is present."""
    return image.c.dhash.is_not(None) & image.c.missing_since.is_(None)


def bucket_of(bits: int) -> sa.ColumnElement[int]:
    """Return the SQL for an image's bucket at that many bits, 1 to 64.

    At 64 bits it is signed, as databases have no unsigned numbers: see `unsigned`.
    """
    if not 1 <= bits <= HASH_BITS:
        raise SampleError(f"bits must be from 1 to {HASH_BITS}, not {bits}")
    if bits == HASH_BITS:
        return image.c.dhash
    return image.c.dhash.bitwise_rshift(HASH_BITS - bits).bitwise_and((1 << bits) - 1)


def unsigned(bucket: int) -> int:
    """Return a bucket number from the database as the unsigned number that it is."""
    return bucket % (1 << HASH_BITS)


def discard(session: Session) -> None:
    """Say that the order is no longer the images': for whoever changes one, before the commit."""
    session.execute(sampling_bucket.delete())


def kept(session: Session) -> list[OrderedBucket]:
    """Return the buckets by their numbers; none where the order is to be made anew."""
    rows = session.execute(sa.select(sampling_bucket).order_by(sampling_bucket.c.bucket))
    return [OrderedBucket(*row) for row in rows]


def bring_up_to_date(session: Session) -> None:
    """Make the order anew where it was discarded; about two seconds for a million images.

    While hashes of two methods are mixed there is none: no sample may be drawn from them.
    """
    if kept(session):
        return
    methods = session.scalars(sa.select(image.c.method).where(available()).distinct()).all()
    if len(methods) != 1:
        return
    bucket = bucket_of(DEFAULT_BITS)
    in_order = sa.func.row_number().over(order_by=(bucket, archive.c.sort_key, image.c.sort_key))
    session.execute(sampling_position.delete())
    session.execute(
        sampling_position.insert().from_select(
            ["position", "image_id"],
            sa.select(in_order - 1, image.c.id)
            .join(archive, archive.c.id == image.c.archive_id)
            .where(available()),
        )
    )
    sizes = session.execute(
        sa.select(bucket, sa.func.count()).where(available()).group_by(bucket).order_by(bucket)
    )
    first = 0
    for number, images in sizes.all():
        session.execute(
            sampling_bucket.insert().values(bucket=number, first_position=first, images=images)
        )
        first += images
