"""The columns of the sampling frame, from the index into memory."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

from sdindex.sampling.blocks import BUCKET_BITS, LABELS, Block, ids_column
from sdindex.sampling.frame import (
    HASH_BITS,
    Coded,
    Frame,
    Hashes,
    Labelled,
    Numbers,
    coded,
    labelled,
    position_type,
)
from sdindex.store.database import Session
from sdindex.store.frames import StoredBlock, arranged, column_of, remade
from sdindex.store.tables import WrongValueError, frame_column, image

_FETCHED = 32  # columns at once: each has a hundred kilobytes


class _Placed(NamedTuple):
    """A block, the archive that it is of, and where in the frame it begins."""

    archive_id: int
    start: int
    block: StoredBlock | Block


def load(session: Session, columns: Collection[str] = ()) -> Frame:
    """Return the frame, with ids, hashes, and the columns that are asked for.

    Those are `time`, `folder`, `camera`, `method` and `label`.
    """
    placed = list(_placed(session))
    hashes = _numbers(session, placed, "hash").view(np.uint64)
    return Frame(
        ids=_ids(session, placed, hashes),
        hashes=hashes,
        times=_numbers(session, placed, "time") if "time" in columns else None,
        folders=_coded(session, placed, "folder") if "folder" in columns else None,
        cameras=_coded(session, placed, "camera") if "camera" in columns else None,
        methods=_coded(session, placed, "method") if "method" in columns else None,
        labels=_labelled(session, placed) if LABELS in columns else None,
    )


def _placed(session: Session) -> Iterator[_Placed]:
    start = 0
    for found in arranged(session):
        some: Sequence[StoredBlock | Block] = (
            [found] if isinstance(found, StoredBlock) else list(remade(session, found))
        )
        for block in some:
            yield _Placed(found.archive_id, start, block)
            start += block.images


def _column(
    session: Session, placed: Sequence[_Placed], name: str
) -> Iterator[tuple[_Placed, bytes]]:
    """Yield a column of each block, in no order."""
    stored = {one.block.id: one for one in placed if isinstance(one.block, StoredBlock)}
    statement = sa.select(frame_column.c.block, frame_column.c.data).where(
        frame_column.c.name == name
    )
    for block_id, data in session.rows(statement, chunk=_FETCHED):
        if block_id in stored:  # and not made anew
            yield stored.pop(block_id), data
    if name.startswith(ids_column(0)[:-1]):
        stored = {}  # a block has no list of a bucket of which it has no image
    for one in stored.values():
        yield one, column_of(session, one.block.id, name)
    for one in placed:
        if isinstance(one.block, Block) and name in one.block.columns:
            yield one, one.block.columns[name]


def _ids(session: Session, placed: Sequence[_Placed], hashes: Hashes) -> Numbers:
    """Return the ids: each block lists them by bucket, and the hashes say where these are."""
    largest = session.scalar(sa.select(sa.func.max(image.c.id))) or 0
    ids = np.empty(len(hashes), position_type(largest))
    buckets = (hashes >> np.uint64(HASH_BITS - BUCKET_BITS)).astype(np.uint8)
    for bucket in range(1 << BUCKET_BITS):
        for one, data in _column(session, placed, ids_column(bucket)):
            here = slice(one.start, one.start + one.block.images)
            listed = buckets[here] == bucket
            ids[here][listed] = _unpacked(data, int(np.count_nonzero(listed)))
    return ids


def _numbers(session: Session, placed: Sequence[_Placed], name: str) -> Numbers:
    numbers = np.empty(sum(one.block.images for one in placed), np.int64)
    for one, data in _column(session, placed, name):
        numbers[one.start : one.start + one.block.images] = _unpacked(data, one.block.images)
    return numbers


def _unpacked(data: bytes, count: int) -> Numbers:
    if len(data) != 8 * count:
        raise WrongValueError("a column of the frame has not as many images as are counted")
    return np.frombuffer(data, "<i8")


def _coded(session: Session, placed: Sequence[_Placed], name: str) -> Coded:
    in_order = sorted(_column(session, placed, name), key=lambda found: found[0].start)
    return coded([(one.archive_id, data) for one, data in in_order])


def _labelled(session: Session, placed: Sequence[_Placed]) -> Labelled:
    in_order = sorted(_column(session, placed, LABELS), key=lambda found: found[0].start)
    return labelled([(one.start, data) for one, data in in_order])
