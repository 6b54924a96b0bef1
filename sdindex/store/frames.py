"""The sampling frame in the index: kept true at each change, so that drawing need not read all.

For each archive the images that can be sampled lie in blocks of packed columns (see
`sdindex.sampling.blocks`): `frame_block` lists them, `frame_column` has their columns, and
`frame_bucket` counts the images of each bucket. Whoever changes an image notes it in
`frame_change`, in the same transaction. A reader makes the blocks in which something changed
anew in memory, so that what it sees is never stale; a writer stores them before it ends.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

import sqlalchemy as sa

from sdindex.sampling.blocks import (
    BUCKET_BITS,
    COLUMNS,
    FRAME_VERSION,
    LABELS,
    MOTION_RULE,
    Block,
    FrameColumns,
    blocks,
    ids_column,
    ids_in_order,
    labels_column,
)
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.frame_labels import labels_of
from sdindex.store.in_order import Columns, in_order, sorted_by_key
from sdindex.store.tables import (
    WrongValueError,
    archive,
    frame_block,
    frame_bucket,
    frame_change,
    frame_column,
    image,
)

_MOST_CHANGED = 8  # if more than one of so many images changed, all blocks are made anew

# The columns of `sdindex.sampling.blocks.FrameColumns`, of images that a condition chooses.
_FRAME_COLUMNS = sa.select(
    image.c.id, image.c.sort_key, image.c.dhash, image.c.path, image.c.camera,
    sa.cast(sa.extract("epoch", image.c.taken_at), sa.BigInteger), image.c.method,
    image.c.motion, image.c.brightness, image.c.colour,
)  # fmt: skip

_first_key = itemgetter(2)


class StoredBlock(NamedTuple):
    """A block as `frame_block` lists it; `methods` is JSON."""

    id: int
    archive_id: int
    first_key: bytes
    images: int
    methods: str


class Repair(NamedTuple):
    """Consecutive blocks that are to be made anew, from the images `ids`.

    Without `ids`, from all the archive's images.
    """

    archive_id: int
    blocks: list[StoredBlock]
    ids: set[int] | None


def available() -> sa.ColumnElement[bool]:
    """Return the condition that a row of ``image`` can be sampled: it was read, and is present."""
    return image.c.dhash.is_not(None) & image.c.missing_since.is_(None)


def note(session: Session, images: sa.ColumnElement[bool]) -> None:
    """Note images that change in the frame, in the same transaction.

    Call it before the change; for new images, and for new paths, after it, too.
    """
    # A condition on each image, so that a database does not go through all images with a frame.
    version = sa.select(archive.c.frame_version).where(archive.c.id == image.c.archive_id)
    columns = [image.c.archive_id, image.c.sort_key, image.c.id, image.c.path]
    noted = sa.select(*columns).where(images, version.scalar_subquery().is_not(None))
    names = ["archive_id", "sort_key", "image_id", "path"]
    session.execute(frame_change.insert().from_select(names, noted))


def is_kept(session: Session, archive_id: int) -> bool:
    """Say whether an archive has a frame, so that changes must be noted."""
    kept = (archive.c.id == archive_id) & archive.c.frame_version.is_not(None)
    return bool(session.scalar(sa.select(sa.exists().where(kept))))


def expect(session: Session, archive_id: int, changes: int) -> None:
    """Delete an archive's frame before so many images change that making it anew is quicker."""
    images = sa.select(sa.func.sum(frame_block.c.images))
    kept = session.scalar(images.where(frame_block.c.archive_id == archive_id)) or 0
    if changes * _MOST_CHANGED > kept:
        forget(session, archive_id)


def forget(session: Session, archive_id: int) -> None:
    """Delete an archive's frame: it is made anew from all its images."""
    session.lock_frame(archive_id)
    of_archive = sa.select(frame_block.c.id).where(frame_block.c.archive_id == archive_id)
    for table in (frame_column, frame_bucket):
        session.execute(table.delete().where(table.c.block.in_(of_archive)))
    session.execute(frame_block.delete().where(frame_block.c.archive_id == archive_id))
    session.execute(frame_change.delete().where(frame_change.c.archive_id == archive_id))
    session.execute(archive.update().where(archive.c.id == archive_id).values(frame_version=None))


def forget_cameras(session: Session, archive_id: int) -> None:
    """Delete an archive's column of cameras, which is made anew for each block."""
    session.lock_frame(archive_id)
    of_archive = sa.select(frame_block.c.id).where(frame_block.c.archive_id == archive_id)
    session.execute(
        frame_column.delete().where(
            frame_column.c.name == "camera", frame_column.c.block.in_(of_archive)
        )
    )


def forget_labels(session: Session, ids: Iterable[int]) -> None:
    """Delete the column of labels of the blocks with these images: it is made anew."""
    _lock(session, sa.true())
    stored = _by_archive(_stored(session))
    touched: set[int] = set()
    for chunk in batched(ids, PARAMETERS):
        keys: dict[int, list[bytes]] = defaultdict(list)  # not every server finds the least bytes
        for archive_id, key in session.rows(
            sa.select(image.c.archive_id, image.c.sort_key).where(has_id(image.c.id, chunk))
        ):
            keys[archive_id].append(key)
        for archive_id, of_images in keys.items():
            between = _blocks_between(stored[archive_id], min(of_images), max(of_images))
            touched.update(block.id for block in between)
    for chunk in batched(sorted(touched), PARAMETERS):
        session.execute(
            frame_column.delete().where(
                frame_column.c.name == LABELS, has_id(frame_column.c.block, chunk)
            )
        )


def bring_up_to_date(session: Session, counted: Callable[[int], object] = lambda _: None) -> None:
    """Store the blocks in which something changed; the caller commits.

    `counted` is called with the number of images in each block that is made.
    """
    held = session.held(archive.c.id)
    _lock(session, held)
    repairs = [found for found in arranged(session, held) if isinstance(found, Repair)]
    # All old blocks before the first new one: an image may begin another block.
    for repair in repairs:
        if repair.ids is None:
            forget(session, repair.archive_id)
        _delete(session, repair.blocks)
    for repair in repairs:
        for made in remade(session, repair):
            _insert(session, repair.archive_id, made)
            counted(made.images)
    session.execute(frame_change.delete().where(session.held(frame_change.c.archive_id)))
    session.execute(
        archive.update()
        .where(held, archive.c.frame_version.is_distinct_from(FRAME_VERSION))
        .values(frame_version=FRAME_VERSION)
    )
    for name in (*COLUMNS, LABELS):
        _complete(session, name, session.held(frame_block.c.archive_id))


def complete_labels(session: Session) -> None:
    """Store the column of labels of the blocks that lack it; the caller commits."""
    _lock(session, sa.true())
    _complete(session, LABELS, sa.true())


def _lock(session: Session, of_archives: sa.ColumnElement[bool]) -> None:
    """Keep other programs from making the frame of archives until this transaction ends."""
    ids = sa.select(archive.c.id).where(of_archives).order_by(archive.c.id)
    for archive_id in session.scalars(ids).all():
        session.lock_frame(archive_id)


def _complete(session: Session, name: str, of_archives: sa.ColumnElement[bool]) -> None:
    for block_id in _lacking(session, name, of_archives):
        data = column_of(session, block_id, name)
        session.execute(frame_column.insert().values(block=block_id, name=name, data=data))


def is_current(session: Session) -> bool:
    """Say whether every block is stored, and nothing changed since."""
    other = archive.c.frame_version.is_distinct_from(
        FRAME_VERSION
    ) | archive.c.motion_rule.is_distinct_from(MOTION_RULE)
    changed, made_otherwise = sa.select(frame_change.c.id), sa.select(archive.c.id).where(other)
    return not session.scalar(sa.select(sa.exists(changed) | sa.exists(made_otherwise)))


def arranged(
    session: Session, of_archives: sa.ColumnElement[bool] | None = None
) -> list[StoredBlock | Repair]:
    """Return the blocks of the frame in natural order, and those that are to be made anew.

    Of all archives, or of those for which a condition is true.
    """
    stored = _by_archive(_stored(session))
    noted: dict[int, list[tuple[bytes, int]]] = defaultdict(list)
    changes = sa.select(frame_change.c.archive_id, frame_change.c.sort_key, frame_change.c.image_id)
    for archive_id, key, image_id in session.rows(changes):
        noted[archive_id].append((key, image_id))
    found: list[StoredBlock | Repair] = []
    for archive_id, version in session.execute(
        sa.select(archive.c.id, archive.c.frame_version)
        .where(sa.true() if of_archives is None else of_archives)
        .order_by(archive.c.sort_key)
    ):
        there, changed = stored[archive_id], noted[archive_id]
        images = sum(block.images for block in there)
        is_quicker = not there or len(changed) * _MOST_CHANGED > images
        if version != FRAME_VERSION or (changed and is_quicker):
            found.append(Repair(archive_id, there, None))
        elif changed:
            found += _repairs(session, archive_id, there, changed)
        else:
            found += there
    return found


def _repairs(
    session: Session,
    archive_id: int,
    there: Sequence[StoredBlock],
    noted: Sequence[tuple[bytes, int]],
) -> Iterator[StoredBlock | Repair]:
    """Yield an archive's blocks; those with changed images as repairs."""
    changed = {image_id for _, image_id in noted}
    touched = {_block_at(there, key).id for key, _ in noted}
    now: dict[int, set[int]] = defaultdict(set)  # the changed images, by the block that they are in
    for chunk in batched(sorted(changed), PARAMETERS):
        # Without a condition on the archive, as a database would then go through all its images.
        for image_id, key, owner in session.rows(
            sa.select(image.c.id, image.c.sort_key, image.c.archive_id).where(
                has_id(image.c.id, chunk), available()
            )
        ):
            if owner == archive_id:
                now[_block_at(there, key).id].add(image_id)
    groups: list[list[StoredBlock]] = []
    for block in there:
        if groups and block.id in changed:  # its first image may no longer begin a block
            groups[-1].append(block)
        else:
            groups.append([block])
    for members in groups:
        if touched.isdisjoint(block.id for block in members):
            yield from members
        else:
            were = {row for block in members for row in _ids_of(session, block.id)}
            ids = (were - changed).union(*(now[block.id] for block in members))
            yield Repair(archive_id, members, ids)


def remade(session: Session, repair: Repair) -> Iterator[Block]:
    """Yield new blocks for those to be repaired."""
    if repair.ids is None:
        found = in_order(session, repair.archive_id, _FRAME_COLUMNS.where(available()))
    else:
        found = iter([sorted_by_key(_columns_of(session, sorted(repair.ids)))])
    yield from blocks(
        map(FrameColumns._make, filter(None, found)), lambda ids: labels_of(session, ids)
    )


def _columns_of(session: Session, ids: Iterable[int]) -> Iterator[Columns]:
    for chunk in batched(ids, PARAMETERS):
        yield from session.columns(_FRAME_COLUMNS.where(has_id(image.c.id, chunk)))


def column_of(session: Session, block_id: int, name: str) -> bytes:
    """Return a column of a stored block, made anew from its images."""
    ids = _ids_of(session, block_id)
    if name == LABELS:
        return labels_column(ids, labels_of(session, ids))
    return COLUMNS[name](FrameColumns._make(sorted_by_key(_columns_of(session, ids))))


def _ids_of(session: Session, block_id: int) -> list[int]:
    """Return the ids of a stored block's images, in natural order."""
    columns = dict(
        session.rows(
            sa.select(frame_column.c.name, frame_column.c.data).where(
                frame_column.c.block == block_id,
                frame_column.c.name.in_(["hash", *map(ids_column, range(1 << BUCKET_BITS))]),
            )
        )
    )
    try:
        return ids_in_order(columns)
    except (LookupError, StopIteration) as problem:
        raise WrongValueError(f"a block of the frame lacks a column: {problem}") from problem


def _lacking(session: Session, name: str, of_archives: sa.ColumnElement[bool]) -> list[int]:
    """Return the blocks of some archives that have no column of that name."""
    has_it = sa.exists().where(
        frame_column.c.block == frame_block.c.id, frame_column.c.name == name
    )
    return list(session.scalars(sa.select(frame_block.c.id).where(of_archives, ~has_it)))


def _stored(session: Session) -> Iterator[StoredBlock]:
    statement = (
        sa.select(*(frame_block.c[name] for name in StoredBlock._fields))
        .join(archive, archive.c.id == frame_block.c.archive_id)
        .order_by(archive.c.sort_key, frame_block.c.first_key)
    )
    return map(StoredBlock._make, session.rows(statement))


def _by_archive(stored: Iterable[StoredBlock]) -> dict[int, list[StoredBlock]]:
    found: dict[int, list[StoredBlock]] = defaultdict(list)
    for block in stored:
        found[block.archive_id].append(block)
    return found


def _blocks_between(
    of_archive: Sequence[StoredBlock], first: bytes, last: bytes
) -> Sequence[StoredBlock]:
    """Return the blocks in whose ranges keys from `first` to `last` may lie."""
    start = max(bisect_right(of_archive, first, key=_first_key) - 1, 0)
    return of_archive[start : max(bisect_right(of_archive, last, key=_first_key), 1)]


def _block_at(of_archive: Sequence[StoredBlock], key: bytes) -> StoredBlock:
    """Return the block in whose range a key lies; the first block's range has no lower end."""
    return of_archive[max(bisect_right(of_archive, key, key=_first_key) - 1, 0)]


def _insert(session: Session, archive_id: int, made: Block) -> None:
    row = {"id": made.id, "archive_id": archive_id, "first_key": made.first_key}
    row |= {"images": made.images, "methods": json.dumps(made.methods)}
    session.execute(frame_block.insert(), row)
    session.execute(
        frame_bucket.insert(),
        [
            {"block": made.id, "bucket": bucket, "images": images, "first_id": first_id}
            for bucket, (images, first_id) in made.buckets.items()
        ],
    )
    session.execute(
        frame_column.insert(),
        [{"block": made.id, "name": name, "data": data} for name, data in made.columns.items()],
    )


def _delete(session: Session, stored: Sequence[StoredBlock]) -> None:
    for chunk in batched((block.id for block in stored), PARAMETERS):
        for table in (frame_column, frame_bucket):
            session.execute(table.delete().where(has_id(table.c.block, chunk)))
        session.execute(frame_block.delete().where(has_id(frame_block.c.id, chunk)))
