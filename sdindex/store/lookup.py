"""Looking up images by their paths."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from sdindex.archive.names import to_text
from sdindex.store import archives
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.tables import image

# Where an image may be: its archive's id, and its path there in stored form.
ArchivePath = tuple[int, str]


def ids_at(session: Session, wanted: Iterable[ArchivePath]) -> dict[ArchivePath, int]:
    """Return the ids of the images that the index has at some of these paths."""
    paths: dict[int, set[str]] = defaultdict(set)
    for archive_id, path in wanted:
        paths[archive_id].add(path)
    found: dict[ArchivePath, int] = {}
    for archive_id, of_archive in paths.items():
        statement = sa.select(image.c.path, image.c.id).where(
            image.c.archive_id == archive_id, session.is_among(image.c.path, "paths")
        )
        for chunk in batched(of_archive, PARAMETERS):
            for path, row_id in session.rows(statement, values={"paths": chunk}):
                found[archive_id, path] = row_id
    return found


class Listed(NamedTuple):
    """The ids of the images in the lists of a sample's options.

    Attributes
    ----------
    files
        The images that a sample is drawn from; None without such a list.
    include, exclude
        The images that it has in any case, and not at all: from lists, without saved samples.
    """

    files: frozenset[int] | None = None
    include: frozenset[int] = frozenset()
    exclude: frozenset[int] = frozenset()


NOTHING_LISTED = Listed()


class Recorded(NamedTuple):
    """The size and mtime of a file when it was read; it is unchanged while both are the same."""

    size: int
    mtime_ns: int


class Named(Protocol):
    """An image with its path and archive, such as one of a sample."""

    @property
    def path(self) -> str:
        """Absolute, as ``os`` functions take it."""

    @property
    def relative_path(self) -> str:
        """Relative to the archive's root, with forward slashes."""

    @property
    def archive(self) -> str:
        """The archive's root."""


def ids_of(session: Session, images: Iterable[Named]) -> list[int]:
    """Return the ids of the images that the index still has, in their order."""
    archive_ids = {archive.root: archive.id for archive in archives.all_archives(session)}
    wanted = [
        (archive_ids[named.archive], to_text(named.relative_path))
        for named in images
        if named.archive in archive_ids
    ]
    found = ids_at(session, wanted)
    return [found[at] for at in wanted if at in found]


def recorded(session: Session, images: Iterable[Named]) -> dict[str, Recorded]:
    """Return the recorded size and mtime of the images' files, by absolute path."""
    ids = {archive.root: archive.id for archive in archives.all_archives(session)}
    paths: dict[int, dict[str, str]] = defaultdict(dict)
    for named in images:
        if named.archive in ids:
            paths[ids[named.archive]][to_text(named.relative_path)] = named.path
    found: dict[str, Recorded] = {}
    for archive_id, absolute in paths.items():
        statement = sa.select(image.c.path, image.c.size, image.c.mtime_ns).where(
            image.c.archive_id == archive_id, session.is_among(image.c.path, "paths")
        )
        for chunk in batched(absolute, PARAMETERS):
            for path, size, mtime_ns in session.rows(statement, values={"paths": chunk}):
                found[absolute[path]] = Recorded(size, mtime_ns)
    return found
