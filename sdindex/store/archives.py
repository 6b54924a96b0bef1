"""The archives of an index: which one a path belongs to, adding one, moving one, forgetting."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from sdindex.archive.cameras import camera_of, camera_pattern, named_camera
from sdindex.archive.names import absolute, from_text, is_inside, printable, to_text
from sdindex.archive.natural import sort_key
from sdindex.errors import ArchiveError, ArchiveUnavailableError, IndexUnusableError
from sdindex.hashing.methods import DEFAULT_METHOD, METHODS, Method
from sdindex.store import frames
from sdindex.store.database import Session
from sdindex.store.tables import archive as archive_table
from sdindex.store.tables import image as image_table
from sdindex.store.tables import sample, sample_image, utc_now

_CHUNK = 10_000
_PROBES = 50  # known files looked for when a folder may be an archive in a new place


class Archive(NamedTuple):
    """An indexed root folder; `root` is absolute, as ``os`` functions take it."""

    id: int
    root: str
    method: Method
    camera_pattern: str | None = None

    def camera_of(self, path: str) -> str:
        """Return the camera of one of its images, by the path in stored form."""
        pattern = self.camera_pattern
        return camera_of(path, camera_pattern(pattern) if pattern else None)


class Part(NamedTuple):
    """An archive, or what is below one folder of it, or some of its files.

    `under` is relative, in stored form, and ends with a slash; it is empty for the whole.
    `files` are paths in stored form, or None for all there are.
    """

    archive: Archive
    under: str
    files: frozenset[str] | None = None

    @property
    def folder(self) -> str:
        """The folder itself, as ``os`` functions take it."""
        return absolute(self.archive.root, self.under[:-1]) if self.under else self.archive.root

    def images(self) -> sa.ColumnElement[bool]:
        """Return the condition that a row of ``image`` is of this part."""
        inside = image_table.c.archive_id == self.archive.id
        if not self.under:
            return inside
        # Every path that starts with "a/" sorts from "a/" up to "a0": 0 follows the slash.
        after = self.under[:-1] + chr(ord("/") + 1)
        return inside & (image_table.c.path >= self.under) & (image_table.c.path < after)


def all_archives(session: Session) -> list[Archive]:
    """Return the archives in the natural order of their roots."""
    rows = session.execute(
        sa.select(
            archive_table.c.id,
            archive_table.c.root,
            archive_table.c.method,
            archive_table.c.camera_pattern,
        ).order_by(archive_table.c.sort_key)
    )
    return [
        Archive(
            row.id,
            os.path.normpath(from_text(row.root)),
            _method(row.method),
            row.camera_pattern,
        )
        for row in rows
    ]


def locate(path: str, archives: Iterable[Archive]) -> Part | None:
    """Return the archive that a path lies in, by its name or, through links, by its place.

    The innermost, where one archive is made of single files of the whole disk.
    """
    innermost_first = sorted(archives, key=lambda archive: -len(archive.root))
    for resolve in (os.path.abspath, os.path.realpath):
        place = resolve(path)
        for archive in innermost_first:
            root = resolve(archive.root)
            if is_inside(place, root):
                relative = to_text(place[len(root) :].strip(os.sep).replace(os.sep, "/"))
                return Part(archive, relative + "/" if relative else "")
    return None


def parts_under(session: Session, folders: Iterable[str]) -> list[Part]:
    """Return the parts of the index that lie below the folders; the disk is not asked.

    A folder is inside an archive, holds whole archives, or is named relative to a root.

    Raises
    ------
    ArchiveError
        When the index holds no image below one of them.
    """
    archives = all_archives(session)
    parts = []
    for folder in folders:
        below = next(
            (parts for parts in _readings(folder, archives) if _hold_any(session, parts)), None
        )
        if below is None:
            raise ArchiveError(
                f"the index holds no image below {printable(folder) or 'a folder without a name'}; "
                f"its archives: {_listed(archives)}"
            )
        parts += below
    return parts


def parts_of_files(session: Session, files: Iterable[str], method: Method | None) -> list[Part]:
    """Return, for each archive, the part that is made of those files.

    Files that lie in no archive become one of their own, whose root is that of the disk.
    """
    archives = all_archives(session)
    listed: dict[Archive, set[str]] = defaultdict(set)
    for file in files:
        place = os.path.abspath(file)
        part = locate(place, archives)
        if part is None:
            root = Path(place).anchor
            archives.append(_insert(session, root, _method_for_new(archives, method)))
            part = Part(archives[-1], to_text(Path(place).relative_to(root).as_posix()) + "/")
        listed[part.archive].add(part.under[:-1])
    return [Part(archive, "", frozenset(paths)) for archive, paths in listed.items()]


def add(session: Session, folder: str, method: Method | None) -> Archive:
    """Record a folder as a new archive.

    Without a `method` it gets the one of the index's other archives, so that a sample can
    be drawn from all of them.

    Raises
    ------
    ArchiveError
        When the folder holds an archive of this index, or is one that was moved.
    """
    root = os.path.abspath(folder)
    archives = all_archives(session)
    _refuse_overlap(root, archives)
    for archive in archives:
        if not os.path.isdir(archive.root):
            there, looked_for = _probe(session, archive, root)
            if 2 * there > looked_for:
                raise ArchiveError(
                    f"{printable(root)} holds the images of {printable(archive.root)}, which is "
                    f"gone; say that it moved: sdindex relocate {_quoted(archive.root)} "
                    f"{_quoted(root)}"
                )
    return _insert(session, root, _method_for_new(archives, method))


def relocate(session: Session, old: str, new: str) -> None:
    """Give an archive its new root; no image is read, and none of its rows changes.

    Raises
    ------
    ArchiveError
        When `old` is no archive's root, or `new` is not a folder that holds its images.
    """
    archives = all_archives(session)
    moved = _by_root(old, archives)
    root = os.path.abspath(new)
    if not os.path.isdir(root):
        raise ArchiveError(f"{printable(root)} is not a folder; is its disk mounted?")
    _refuse_overlap(root, [archive for archive in archives if archive != moved])
    there, looked_for = _probe(session, moved, root)
    if looked_for and not there:
        raise ArchiveError(
            f"{printable(root)} holds none of the images of {printable(moved.root)} "
            f"({looked_for} were looked for); nothing was changed. Name the folder that was "
            "indexed, as it is now"
        )
    session.execute(
        archive_table.update().where(archive_table.c.id == moved.id).values(**_named(root))
    )
    frames.discard(session)  # it goes by the archives' names
    frames.bring_up_to_date(session)


def set_camera_pattern(session: Session, archive: Archive, pattern: str | None) -> None:
    """Keep another way to tell an archive's cameras, and find those of its images anew."""
    if pattern == archive.camera_pattern:
        return
    session.execute(
        archive_table.update()
        .where(archive_table.c.id == archive.id)
        .values(camera_pattern=pattern)
    )
    told = archive._replace(camera_pattern=pattern)
    of_archive = sa.select(image_table.c.id, image_table.c.path).where(
        image_table.c.archive_id == archive.id
    )
    last = 0
    while rows := session.execute(
        of_archive.where(image_table.c.id > last).order_by(image_table.c.id).limit(_CHUNK)
    ).all():
        session.execute(
            image_table.update()
            .where(image_table.c.id == sa.bindparam("row"))
            .values(camera=sa.bindparam("found")),
            [{"row": row.id, "found": told.camera_of(row.path)} for row in rows],
        )
        last = rows[-1].id


def names_no_camera(session: Session, archive: Archive, pattern: str) -> bool:
    """Say whether a camera pattern finds nothing in any path of what is in an archive."""
    paths = session.scalars(
        sa.select(image_table.c.path).where(
            image_table.c.archive_id == archive.id, image_table.c.missing_since.is_(None)
        )
    )
    compiled = camera_pattern(pattern)
    return not any(named_camera(path, compiled) for path in paths)


def prune(session: Session) -> int:
    """Delete the rows of images that are missing, and in no saved sample; return how many."""
    missing = image_table.c.missing_since.is_not(None)
    saved = sa.exists().where(sample_image.c.image_id == image_table.c.id)
    return session.execute(image_table.delete().where(missing, ~saved)).rowcount


def forget(session: Session, root: str) -> int:
    """Delete an archive and all its rows; return how many images it had.

    Raises
    ------
    ArchiveError
        When no archive has that root, or a saved sample holds images of it.
    """
    archive = _by_root(root, all_archives(session))
    of_archive = image_table.c.archive_id == archive.id
    saved = session.scalars(
        sa.select(sample.c.name)
        .where(
            sa.exists().where(
                sample_image.c.sample_id == sample.c.id,
                sample_image.c.image_id == image_table.c.id,
                of_archive,
            )
        )
        .order_by(sample.c.name)
    ).all()
    if saved:
        raise ArchiveError(
            f"saved samples hold images of {printable(root)}: {', '.join(saved)}; forget these "
            "first with: sdindex samples drop NAME"
        )
    images = session.execute(image_table.delete().where(of_archive)).rowcount
    session.execute(archive_table.delete().where(archive_table.c.id == archive.id))
    frames.discard(session)
    frames.bring_up_to_date(session)
    return images


def require_folder(path: str) -> None:
    """Refuse a path that is not there, before anything else is done.

    Raises
    ------
    ArchiveUnavailableError
        When it is not a folder.
    """
    if os.path.isfile(path):
        raise ArchiveError(f"{printable(path)} is a file; name its folder")
    if not os.path.isdir(path):
        raise ArchiveUnavailableError(
            f"there is no folder {printable(path)}; is its disk mounted? "
            "(An archive that moved: sdindex relocate OLD NEW)"
        )


def _by_root(root: str, archives: Sequence[Archive]) -> Archive:
    for archive in archives:
        if os.path.abspath(root) == archive.root:
            return archive
    raise ArchiveError(
        f"{printable(root)} is not an archive of this index; it holds: {_listed(archives)}"
    )


def _insert(session: Session, root: str, method: Method) -> Archive:
    added = (
        archive_table.insert()
        .values(method=method, added_at=utc_now(), **_named(root))
        .returning(archive_table.c.id)
    )
    return Archive(session.scalars(added).one(), root, method)


def _method_for_new(archives: Sequence[Archive], asked: Method | None) -> Method:
    """Return how a new archive is hashed: as the others, so that one sample takes in all."""
    return asked or (archives[0].method if archives else DEFAULT_METHOD)


def _refuse_overlap(root: str, archives: Sequence[Archive]) -> None:
    real = os.path.realpath(root)
    for archive in archives:
        other = os.path.realpath(archive.root)
        if is_inside(real, other) or is_inside(other, real):
            raise ArchiveError(
                f"{printable(root)} and the archive {printable(archive.root)} overlap: their "
                "images would count twice; forget that one first with: sdindex prune --archive "
                f"{_quoted(archive.root)}, or use another index with --db"
            )


def _readings(folder: str, archives: Sequence[Archive]) -> Iterable[list[Part]]:
    """Yield what a folder's name may mean, the likeliest first."""
    if not folder:
        return
    part = locate(folder, archives)
    yield [part] if part else []
    around = os.path.abspath(folder)
    yield [Part(archive, "") for archive in archives if is_inside(archive.root, around)]
    if not os.path.isabs(folder):
        relative = to_text(os.path.normpath(folder).replace(os.sep, "/")) + "/"
        yield [Part(archive, relative) for archive in archives]


def _hold_any(session: Session, parts: Sequence[Part]) -> bool:
    return any(session.scalar(sa.select(sa.exists().where(part.images()))) for part in parts)


def _probe(session: Session, archive: Archive, root: str) -> tuple[int, int]:
    """Look for some of an archive's images, evenly chosen, below another folder.

    Return how many are there, and how many were looked for.
    """
    present = (image_table.c.archive_id == archive.id) & image_table.c.missing_since.is_(None)
    images = session.scalar(sa.select(sa.func.count()).where(present)) or 0
    paths = session.scalars(
        sa.select(image_table.c.path)
        .where(present)
        .order_by(image_table.c.path)
        .execution_options(yield_per=10_000)
    )
    probes = list(islice(paths, 0, None, images // _PROBES + 1))
    return sum(os.path.isfile(absolute(root, path)) for path in probes), len(probes)


def _named(root: str) -> dict[str, str | bytes]:
    root = Path(root).as_posix()
    return {"root": to_text(root), "sort_key": sort_key(root)}


def _method(name: str) -> Method:
    for method in METHODS:
        if method == name:
            return method
    raise IndexUnusableError(
        f"this program knows no method {name!r}; upgrade with: pip install --upgrade sdindex"
    )


def _listed(archives: Iterable[Archive]) -> str:
    return ", ".join(printable(archive.root) for archive in archives) or "none"


def _quoted(path: str) -> str:
    return shlex.quote(printable(path))
