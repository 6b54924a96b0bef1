"""The archives of an index: which one a path belongs to, adding one, moving one, forgetting."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from sdindex.buckets import stride
from sdindex.errors import ArchiveError, ArchiveUnavailableError
from sdindex.methods import DEFAULT_METHOD, METHODS, Method
from sdindex.models import archive as archive_table
from sdindex.models import image as image_table
from sdindex.names import from_text, printable, to_text
from sdindex.natural import sort_key

_PROBES = 50  # known files looked for when a folder may be an archive in a new place


class Archive(NamedTuple):
    """An indexed root folder; `root` is absolute, as ``os`` functions take it."""

    id: int
    root: str
    method: Method


class Part(NamedTuple):
    """An archive, or what is below one folder of it.

    `under` is relative, in stored form, and ends with a slash; it is empty for the whole.
    """

    archive: Archive
    under: str

    @property
    def folder(self) -> str:
        """The folder itself, as ``os`` functions take it."""
        return os.path.join(self.archive.root, *from_text(self.under).split("/")).rstrip(os.sep)

    def images(self) -> sa.ColumnElement[bool]:
        """Return the condition that a row of ``image`` is of this part."""
        inside = image_table.c.archive_id == self.archive.id
        if not self.under:
            return inside
        # Every path that starts with "a/" sorts from "a/" up to "a0": 0 follows the slash.
        after = self.under[:-1] + chr(ord("/") + 1)
        return inside & (image_table.c.path >= self.under) & (image_table.c.path < after)


def all_archives(connection: sa.Connection) -> list[Archive]:
    """Return the archives in the natural order of their roots."""
    rows = connection.execute(
        sa.select(archive_table.c.id, archive_table.c.root, archive_table.c.method).order_by(
            archive_table.c.sort_key
        )
    )
    return [Archive(row.id, from_text(row.root), _method(row.method)) for row in rows]


def locate(path: str, archives: Iterable[Archive]) -> Part | None:
    """Return the archive that a path lies in, by its name or, through links, by its place."""
    archives = list(archives)
    for resolve in (os.path.abspath, os.path.realpath):
        for archive in archives:
            inside = _inside(resolve(path), resolve(archive.root))
            if inside is not None:
                return Part(archive, inside)
    return None


def parts_under(connection: sa.Connection, folders: Iterable[str]) -> list[Part]:
    """Return the parts of the index that lie below the folders; the disk is not asked.

    A folder is inside an archive, holds whole archives, or is named relative to a root.

    Raises
    ------
    ArchiveError
        When the index holds no image below one of them.
    """
    archives = all_archives(connection)
    parts = []
    for folder in folders:
        below = [part for part in _readings(folder, archives) if _holds_any(connection, part)]
        if not below:
            raise ArchiveError(
                f"the index holds no image below {printable(folder)}; its archives: "
                + _listed(archives)
            )
        parts += below
    return parts


def add(connection: sa.Connection, folder: str, method: Method | None) -> Archive:
    """Record a folder as a new archive.

    Without a `method` it gets the one of the index's other archives, so that a sample can
    be drawn from all of them.

    Raises
    ------
    ArchiveError
        When the folder holds an archive of this index, or is one that was moved.
    """
    root = os.path.abspath(folder)
    archives = all_archives(connection)
    _refuse_overlap(root, archives)
    for archive in archives:
        if not os.path.isdir(archive.root) and _holds(connection, archive, root):
            raise ArchiveError(
                f"{printable(root)} holds the images of {printable(archive.root)}, which is gone; "
                f"say that it moved: sdindex relocate {_quoted(archive.root)} {_quoted(root)}"
            )
    chosen = method or (archives[0].method if archives else DEFAULT_METHOD)
    now = datetime.now(UTC).replace(tzinfo=None)
    added = (
        archive_table.insert()
        .values(method=chosen, added_at=now, **_named(root))
        .returning(archive_table.c.id)
    )
    return Archive(connection.scalars(added).one(), root, chosen)


def relocate(connection: sa.Connection, old: str, new: str) -> None:
    """Give an archive its new root; no image is read, and none of its rows changes.

    Raises
    ------
    ArchiveError
        When `old` is no archive's root, or `new` is not a folder that holds its images.
    """
    archives = all_archives(connection)
    old_root, new_root = os.path.abspath(old), os.path.abspath(new)
    moved = next((archive for archive in archives if archive.root in (old, old_root)), None)
    if moved is None:
        raise ArchiveError(
            f"{printable(old_root)} is not an archive of this index; it holds: {_listed(archives)}"
        )
    if not os.path.isdir(new_root):
        raise ArchiveError(f"{printable(new_root)} is not a folder; is its disk mounted?")
    _refuse_overlap(new_root, [archive for archive in archives if archive != moved])
    if not _holds(connection, moved, new_root):
        raise ArchiveError(
            f"{printable(new_root)} holds none of the images of {printable(moved.root)}; "
            "nothing was changed"
        )
    connection.execute(
        archive_table.update().where(archive_table.c.id == moved.id).values(**_named(new_root))
    )


def prune(connection: sa.Connection) -> int:
    """Delete the rows of images that are missing; return how many there were."""
    missing = image_table.c.missing_since.is_not(None)
    return connection.execute(image_table.delete().where(missing)).rowcount


def forget(connection: sa.Connection, root: str) -> int:
    """Delete an archive and all its rows; return how many images it had.

    Raises
    ------
    ArchiveError
        When no archive has that root.
    """
    archives = all_archives(connection)
    archive = next((known for known in archives if known.root == os.path.abspath(root)), None)
    if archive is None:
        raise ArchiveError(
            f"{printable(root)} is not an archive of this index; it holds: {_listed(archives)}"
        )
    images = connection.execute(
        image_table.delete().where(image_table.c.archive_id == archive.id)
    ).rowcount
    connection.execute(archive_table.delete().where(archive_table.c.id == archive.id))
    return images


def require_folder(path: str) -> None:
    """Refuse a path that is not there, before anything else is done.

    Raises
    ------
    ArchiveUnavailableError
        When it is not a folder.
    """
    if not os.path.isdir(path):
        raise ArchiveUnavailableError(
            f"{printable(path)} is not a folder; is its disk mounted? Nothing was changed "
            "(an archive that moved: sdindex relocate OLD NEW)"
        )


def _inside(path: str, root: str) -> str | None:
    """Return a path relative to a root that it lies in, in stored form, with a slash at its end."""
    below = path == root or path.startswith(root.rstrip(os.sep) + os.sep)
    if not below:
        return None
    relative = path[len(root) :].strip(os.sep)
    return to_text(relative.replace(os.sep, "/")) + "/" if relative else ""


def _refuse_overlap(root: str, archives: Sequence[Archive]) -> None:
    here = Archive(0, root, DEFAULT_METHOD)
    for archive in archives:
        if locate(archive.root, [here]) is not None or locate(root, [archive]) is not None:
            raise ArchiveError(
                f"{printable(root)} and the archive {printable(archive.root)} overlap: their "
                "images would count twice; index that one, or use another index with --db"
            )


def _readings(folder: str, archives: Sequence[Archive]) -> list[Part]:
    """Return the parts that a folder's name may mean."""
    part = locate(folder, archives)
    if part is not None:
        return [part]
    around = Archive(0, os.path.abspath(folder), DEFAULT_METHOD)
    inside = [Part(archive, "") for archive in archives if locate(archive.root, [around])]
    if inside or os.path.isabs(folder):
        return inside
    relative = to_text(os.path.normpath(folder).replace(os.sep, "/")) + "/"
    return [Part(archive, relative) for archive in archives]


def _holds_any(connection: sa.Connection, part: Part) -> bool:
    return bool(connection.scalar(sa.select(sa.exists().where(part.images()))))


def _holds(connection: sa.Connection, archive: Archive, root: str) -> bool:
    """Say whether most of an archive's images, looked for evenly, are below another folder."""
    of_archive = (image_table.c.archive_id == archive.id) & image_table.c.missing_since.is_(None)
    paths = sa.select(image_table.c.path).where(of_archive).order_by(image_table.c.path)
    images = connection.scalar(sa.select(sa.func.count()).where(of_archive)) or 0
    places = stride(images, min(images, _PROBES))
    probes = [connection.scalar(paths.offset(place).limit(1)) for place in places]
    there = sum(os.path.isfile(os.path.join(root, from_text(str(path)))) for path in probes)
    return not probes or 2 * there > len(probes)


def _named(root: str) -> dict[str, str | bytes]:
    root = Path(root).as_posix()
    return {"root": to_text(root), "sort_key": sort_key(root)}


def _method(name: str) -> Method:
    return next(method for method in METHODS if method == name)


def _listed(archives: Iterable[Archive]) -> str:
    return ", ".join(printable(archive.root) for archive in archives) or "none"


def _quoted(path: str) -> str:
    return f'"{printable(path)}"' if " " in path else printable(path)
