"""Computing the motion of images whose neighbours changed, folder by folder.

A folder is computed as a whole, as neighbours are those in natural order.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from sdindex.sampling.blocks import FRAME_VERSION, MOTION_RULE, MOTIONS, NO_MOTION, NO_TIME
from sdindex.sampling.motion import BESIDE, GREY_BYTES, motions
from sdindex.store.database import Session
from sdindex.store.frames import available
from sdindex.store.tables import WrongValueError, archive, frame_change, image

_TOGETHER = 1 << 14  # images whose motion is computed at once
_MOST = 1 << 17  # images that are sorted here; more in one folder are sorted by the database
_UNKNOWN = bytes(GREY_BYTES)

Change = tuple[int, float | None]  # an image's id, and its new motion
_Row = tuple[Any, ...]  # as `_ROWS` selects it

_seconds = sa.cast(sa.extract("epoch", image.c.taken_at), sa.BigInteger)
_ROWS = sa.select(
    image.c.path, image.c.sort_key, image.c.id, image.c.dhash, _seconds, image.c.grey,
    image.c.motion,
).where(available())  # fmt: skip


class _Folder(NamedTuple):
    """Images of one folder, in natural order; its name ends with a slash.

    `before` and `after` are the neighbouring images, where these are only a part of the folder.
    """

    name: str
    rows: Sequence[_Row]
    before: Sequence[_Row] = ()
    after: Sequence[_Row] = ()


def changes(session: Session) -> Iterator[list[Change]]:
    """Yield the images whose motion is not what it should be, some at a time.

    Computed anew are archives whose frame is to be made from nothing, or whose motion was made by
    another rule; of other archives, the folders in which something changed. Archives that other
    programs have locked are left to these.
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
            names = sorted({_folder(path) for (path,) in session.rows(noted)})
            folders = (
                folder
                for name in names
                for folder in _folders(session, archive_id, _in_folder(archive_id, name))
            )
        for some in _together(folders):
            if changed := _changed(some):
                yield changed
    session.execute(archive.update().where(held).values(motion_rule=MOTION_RULE))


def _folder(path: str) -> str:
    """Return the folder of a path, with its slash; empty for the root."""
    return path[: path.rfind("/") + 1]


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
    rows = session.rows(in_order_of_paths)
    opened: list[tuple[str, list[_Row]]] = []  # open folders: each lies in the one before
    for name, group in groupby(rows, key=lambda row: _folder(row[0])):
        while opened and not name.startswith(opened[-1][0]):
            yield from _natural(session, archive_id, *opened.pop())
        if not opened or opened[-1][0] != name:
            opened.append((name, []))
        of_folder = opened[-1][1]
        for row in group:
            if len(of_folder) <= _MOST:
                of_folder.append(row)
    while opened:
        yield from _natural(session, archive_id, *opened.pop())


def _natural(session: Session, archive_id: int, name: str, rows: list[_Row]) -> Iterator[_Folder]:
    """Yield a folder's images in natural order: at once or, if they are very many, in parts."""
    if len(rows) <= _MOST:
        rows.sort(key=lambda row: row[1])
        yield _Folder(name, rows)
        return
    rows.clear()
    sorted_there = _in_folder(archive_id, name).order_by(None).order_by(image.c.sort_key)
    before: list[_Row] = []
    for row in session.rows(sorted_there):
        rows.append(row)
        if len(rows) >= _TOGETHER + BESIDE:
            own, after = rows[:-BESIDE], rows[-BESIDE:]
            yield _Folder(name, own, before, after)
            before, rows = [*before, *own][-BESIDE:], after
    yield _Folder(name, rows, before)


def _together(folders: Iterable[_Folder]) -> Iterator[list[_Folder]]:
    some: list[_Folder] = []
    images = 0
    for folder in folders:
        some.append(folder)
        images += len(folder.rows)
        if images >= _TOGETHER:
            yield some
            some, images = [], 0
    yield some


def _changed(folders: Sequence[_Folder]) -> list[Change]:
    """Return the images of these folders whose motion is not what it should be."""
    parts = [[*folder.before, *folder.rows, *folder.after] for folder in folders]
    rows = [row for part in parts for row in part]
    own = [is_own for folder in folders for is_own in _own(folder)]
    numbers = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    greys = [row[5] for row in rows]
    if any(grey is not None and len(grey) != GREY_BYTES for grey in greys):
        raise WrongValueError("a grey picture of another size")
    found = motions(
        np.frombuffer(b"".join([grey or _UNKNOWN for grey in greys]), np.uint8).reshape(
            -1, GREY_BYTES
        ),
        np.array([grey is not None for grey in greys], bool),
        np.array([row[3] for row in rows], np.int64).view(np.uint64),
        np.array([NO_TIME if row[4] is None else row[4] for row in rows], np.int64),
        numbers,
    )
    return [
        (row[2], motion)
        for row, number, is_own in zip(rows, found.tolist(), own, strict=True)
        if is_own and row[6] != (motion := None if number == NO_MOTION else number / MOTIONS)
    ]


def _own(folder: _Folder) -> list[bool]:
    return [False] * len(folder.before) + [True] * len(folder.rows) + [False] * len(folder.after)
