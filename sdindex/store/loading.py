"""Loading columns of the sampling frame from the index."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from sdindex.sampling.blocks import BUCKET_BITS, LABELS, Block, ids_column
from sdindex.sampling.frame import (
    Coded,
    Frame,
    Hashes,
    Labelled,
    Numbers,
    buckets_of,
    coded,
    labelled,
    position_type,
)
from sdindex.sampling.options import Clock
from sdindex.sampling.units import Taken, taken
from sdindex.store.agreement import require_counts
from sdindex.store.database import Session
from sdindex.store.frames import StoredBlock, arranged, column_of, remade
from sdindex.store.tables import WrongValueError, archive, frame_column, image, label

_WIDE, _SHORT = np.dtype("<i8"), np.dtype("<u2")
_FETCHED = 32  # columns fetched at once: each has a hundred kilobytes


class _BlockAt(NamedTuple):
    """A block, its archive, and its first position in the frame."""

    archive_id: int
    start: int
    block: StoredBlock | Block


def load(session: Session, columns: Collection[str] = ()) -> Frame:
    """Return the frame with ids, hashes and these columns.

    Their names are `time`, `folder`, `camera`, `method`, `label`, `motion` and `night`.
    """
    blocks = list(_all_blocks(session))
    hashes = _numbers(session, blocks, "hash").view(np.uint64)
    return Frame(
        ids=_ids(session, blocks, hashes),
        hashes=hashes,
        times=_numbers(session, blocks, "time") if "time" in columns else None,
        folders=_coded(session, blocks, "folder") if "folder" in columns else None,
        cameras=_coded(session, blocks, "camera") if "camera" in columns else None,
        methods=_coded(session, blocks, "method") if "method" in columns else None,
        labels=_labelled(session, blocks) if LABELS in columns else None,
        motions=_motions(session, blocks) if "motion" in columns else None,
        nights=_coded(session, blocks, "night") if "night" in columns else None,
    )


class Held:
    """The whole frame in memory, for drawing from it again and again.

    Attributes
    ----------
    frame
        With all its columns.
    """

    def __init__(self, session: Session) -> None:
        columns = "time", "folder", "camera", "method", LABELS, "motion", "night"
        self._state = _state(session)
        self.frame = load(session, columns)
        self._taken: dict[Clock, Taken] = {}

    def is_current(self, session: Session) -> bool:
        """Say whether no archive was updated, and no label added, since it was loaded."""
        now = _state(session)
        return now == self._state

    def taken(self, clock: Clock) -> Taken:
        """Return its bursts."""
        if clock not in self._taken:
            self._taken = {clock: taken(self.frame, clock)}
        return self._taken[clock]


def _state(session: Session) -> list[tuple[Any, ...]]:
    """Return values that differ when images or labels changed; they are quickly read."""
    archives = sa.select(archive.c.id, archive.c.updated_at, archive.c.frame_version)
    labels = sa.select(sa.func.max(label.c.id))
    return [*session.rows(archives.order_by(archive.c.id)), *session.rows(labels)]


def cameras_folders_times(session: Session) -> tuple[Coded, Coded, Numbers]:
    """Return three columns of the frame, without the ids and hashes."""
    blocks = list(_all_blocks(session))
    cameras, folders = (_coded(session, blocks, name) for name in ("camera", "folder"))
    return cameras, folders, _numbers(session, blocks, "time")


def _all_blocks(session: Session) -> Iterator[_BlockAt]:
    require_counts(session)
    start = 0
    for found in arranged(session):
        some: Sequence[StoredBlock | Block] = (
            [found] if isinstance(found, StoredBlock) else list(remade(session, found))
        )
        for block in some:
            yield _BlockAt(found.archive_id, start, block)
            start += block.images


def _column(
    session: Session, blocks: Sequence[_BlockAt], name: str
) -> Iterator[tuple[_BlockAt, bytes]]:
    """Yield a column of each block, in no order."""
    stored = {found.block.id: found for found in blocks if isinstance(found.block, StoredBlock)}
    statement = sa.select(frame_column.c.block, frame_column.c.data).where(
        frame_column.c.name == name
    )
    for block_id, data in session.rows(statement, chunk=_FETCHED):
        if block_id in stored:  # stored, and not to be made anew
            yield stored.pop(block_id), data
    for found in stored.values():
        yield found, column_of(session, found.block.id, name)
    for found in blocks:
        if isinstance(found.block, Block) and name in found.block.columns:
            yield found, found.block.columns[name]


def _ids(session: Session, blocks: Sequence[_BlockAt], hashes: Hashes) -> Numbers:
    """Return the ids in natural order; blocks list them by bucket, hashes tell the buckets."""
    largest = session.scalar(sa.select(sa.func.max(image.c.id))) or 0
    ids = np.zeros(len(hashes), position_type(largest))  # 0 is no id: it stays for a lost list
    buckets = buckets_of(hashes, range(BUCKET_BITS))
    for found, bucket, data in _lists(session, blocks):
        here = slice(found.start, found.start + found.block.images)
        listed = buckets[here] == bucket
        ids[here][listed] = _unpacked(data, int(np.count_nonzero(listed)))
    return ids


def _lists(session: Session, blocks: Sequence[_BlockAt]) -> Iterator[tuple[_BlockAt, int, bytes]]:
    """Yield each block's lists of ids, with their buckets, in no order."""
    bucket_of = {ids_column(bucket): bucket for bucket in range(1 << BUCKET_BITS)}
    stored = {found.block.id: found for found in blocks if isinstance(found.block, StoredBlock)}
    statement = sa.select(frame_column.c.block, frame_column.c.name, frame_column.c.data).where(
        frame_column.c.name.in_(list(bucket_of))
    )
    for block_id, name, data in session.rows(statement, chunk=_FETCHED * len(bucket_of)):
        if block_id in stored:
            yield stored[block_id], bucket_of[name], data
    for found in blocks:
        if isinstance(found.block, Block):
            for name in bucket_of.keys() & found.block.columns.keys():
                yield found, bucket_of[name], found.block.columns[name]


def _numbers(session: Session, blocks: Sequence[_BlockAt], name: str) -> Numbers:
    return _filled(session, blocks, name, _WIDE).astype(np.int64, copy=False)


def _motions(session: Session, blocks: Sequence[_BlockAt]) -> NDArray[np.uint16]:
    return _filled(session, blocks, "motion", _SHORT).astype(np.uint16, copy=False)


def _filled(
    session: Session, blocks: Sequence[_BlockAt], name: str, kind: np.dtype[Any]
) -> NDArray[Any]:
    numbers = np.empty(sum(found.block.images for found in blocks), kind)
    for found, data in _column(session, blocks, name):
        count = found.block.images
        numbers[found.start : found.start + count] = _unpacked(data, count, kind)
    return numbers


def _unpacked(data: bytes, count: int, kind: np.dtype[Any] = _WIDE) -> NDArray[Any]:
    if len(data) != kind.itemsize * count:
        raise WrongValueError("a column of the frame has not as many images as are counted")
    return np.frombuffer(data, kind)


def _coded(session: Session, blocks: Sequence[_BlockAt], name: str) -> Coded:
    in_order = sorted(_column(session, blocks, name), key=lambda found: found[0].start)
    return coded([(found.archive_id, data) for found, data in in_order])


def _labelled(session: Session, blocks: Sequence[_BlockAt]) -> Labelled:
    in_order = sorted(_column(session, blocks, LABELS), key=lambda found: found[0].start)
    return labelled([(found.start, data) for found, data in in_order])
