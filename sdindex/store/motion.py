"""Computing the motion of images whose neighbours changed, folder by folder.

A folder is computed as a whole, as neighbours are those in natural order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from sdindex.sampling.blocks import FRAME_VERSION, MOTION_RULE, MOTIONS, NO_MOTION, NO_TIME
from sdindex.sampling.motion import BESIDE, GREY_BYTES, motions
from sdindex.store.database import Session
from sdindex.store.frames import available
from sdindex.store.in_order import Columns, folder_of, runs_of_folders, sorted_by_key
from sdindex.store.tables import WrongValueError, archive, frame_change, image

_TOGETHER = 1 << 14  # images whose motion is computed at once
_MOST = 1 << 17  # images that are sorted here; more in one folder are sorted by the database
_UNKNOWN = bytes(GREY_BYTES)

Change = tuple[int, float | None]  # an image's id, and its new motion

_seconds = sa.cast(sa.extract("epoch", image.c.taken_at), sa.BigInteger)
_ROWS = sa.select(
    image.c.path, image.c.sort_key, image.c.id, image.c.dhash,
    sa.func.coalesce(_seconds, NO_TIME), image.c.grey, image.c.motion,
).where(available())  # fmt: skip


class _Folder(NamedTuple):
    """Images of one folder in natural order, as columns of `_ROWS`.

    The first `before` and the last `after` are there only to be compared with: the others are then
    a part of the folder.
    """

    columns: Columns
    before: int = 0
    after: int = 0


def changes(
    session: Session, counted: Callable[[int], object] = lambda _: None
) -> Iterator[list[Change]]:
    """Yield the images whose motion is not what it should be, some at a time.

    Computed anew are archives whose frame is to be made from nothing, or whose motion was made by
    another rule; of other archives, the folders in which something changed. Archives that other
    programs have locked are left to these. `counted` is called with the number of images that were
    looked at.
    """
    held = session.held(archive.c.id)
    known = session.execute(
        sa.select(archive.c.id, archive.c.frame_version, archive.c.motion_rule).where(held)
    )
    for archive_id, version, rule in known.all():
        if version != FRAME_VERSION or rule != MOTION_RULE:
            of_archive = _ROWS.where(image.c.archive_id == archive_id)
            folders = _folders(session, archive_id, of_archive.order_by(image.c.path))
        else:
            noted = sa.select(frame_change.c.path).where(frame_change.c.archive_id == archive_id)
            names = sorted({folder_of(path) for (path,) in session.rows(noted)})
            folders = (
                folder
                for name in names
                for folder in _folders(session, archive_id, _in_folder(archive_id, name))
            )
        for some in _together(folders):
            if changed := _changed(some):
                yield changed
            counted(sum(len(folder.columns[0]) for folder in some))
    session.execute(archive.update().where(held).values(motion_rule=MOTION_RULE))


def _in_folder(archive_id: int, name: str) -> sa.Select[Any]:
    """Select the images directly in a folder, in the order of paths."""
    name_inside = sa.func.substr(image.c.path, len(name) + 1)
    inside = (image.c.archive_id == archive_id) & name_inside.not_like("%/%")
    if name:
        inside &= (image.c.path >= name) & (image.c.path < name[:-1] + chr(ord("/") + 1))
    return _ROWS.where(inside).order_by(image.c.path)


def _folders(
    session: Session, archive_id: int, in_order_of_paths: sa.Select[Any]
) -> Iterator[_Folder]:
    """Yield images folder by folder; inner folders end before outer ones."""
    opened: list[_Open] = []  # each lies in the one before
    for columns in session.columns(in_order_of_paths):
        start = 0
        for name, images in runs_of_folders(columns[0]):
            while opened and not name.startswith(opened[-1].name):
                yield from _natural(session, archive_id, opened.pop())
            if not opened or opened[-1].name != name:
                opened.append(_Open(name))
            folder = opened[-1]
            if folder.images <= _MOST:
                folder.parts.append([column[start : start + images] for column in columns])
                folder.images += images
            start += images
    while opened:
        yield from _natural(session, archive_id, opened.pop())


@dataclass
class _Open:
    """A folder of which images may follow; `images` of it are there, in parts."""

    name: str
    parts: list[Columns] = field(default_factory=list)
    images: int = 0  # counted here: their subfolders may divide a folder into as many parts


def _natural(session: Session, archive_id: int, folder: _Open) -> Iterator[_Folder]:
    """Yield a folder's images in natural order: at once or, if they are very many, in parts."""
    parts = folder.parts
    if folder.images <= _MOST:
        yield _Folder(sorted_by_key(parts))
        return
    parts.clear()
    sorted_there = _in_folder(archive_id, folder.name).order_by(None).order_by(image.c.sort_key)
    before = 0
    for columns in session.columns(sorted_there):
        parts.append(columns)
        if sum(len(part[0]) for part in parts) >= _TOGETHER + 2 * BESIDE:
            joined = sorted_by_key(parts)
            yield _Folder(joined, before, BESIDE)
            parts, before = [[column[-2 * BESIDE :] for column in joined]], BESIDE
    yield _Folder(sorted_by_key(parts), before)


def _together(folders: Iterable[_Folder]) -> Iterator[list[_Folder]]:
    some: list[_Folder] = []
    images = 0
    for folder in folders:
        some.append(folder)
        images += len(folder.columns[0])
        if images >= _TOGETHER:
            yield some
            some, images = [], 0
    if some:
        yield some


def _changed(folders: Sequence[_Folder]) -> list[Change]:
    """Return the images of these folders whose motion is not what it should be."""
    columns = [
        tuple(chain.from_iterable(column))
        for column in zip(*(folder.columns for folder in folders), strict=True)
    ]
    _, _, ids, hashes, seconds, greys, stored = columns
    if not {len(grey) for grey in greys if grey is not None} <= {GREY_BYTES}:
        raise WrongValueError("a grey picture of another size")
    found = motions(
        np.frombuffer(b"".join([grey or _UNKNOWN for grey in greys]), np.uint8).reshape(
            -1, GREY_BYTES
        ),
        np.array([grey is not None for grey in greys], bool),
        np.array(hashes, np.int64).view(np.uint64),
        np.array(seconds, np.int64),
        np.repeat(np.arange(len(folders)), [len(folder.columns[0]) for folder in folders]),
    )
    wanted = np.where(found == NO_MOTION, np.nan, found / MOTIONS)
    there = np.array(stored, np.float64)  # NaN where there is none
    is_other = (there != wanted) & ~(np.isnan(there) & np.isnan(wanted)) & _own(folders)
    return [
        (ids[at], None if found[at] == NO_MOTION else float(wanted[at]))
        for at in np.flatnonzero(is_other).tolist()
    ]


def _own(folders: Sequence[_Folder]) -> NDArray[np.bool_]:
    """Return which of these images are more than neighbours of the others."""
    own = []
    for columns, before, after in folders:
        own.append(np.ones(len(columns[0]), bool))
        own[-1][:before] = own[-1][len(columns[0]) - after :] = False
    return np.concatenate(own)
