"""What the index holds of images that are named by their paths."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from sdindex.archive.names import to_text
from sdindex.store import archives
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.tables import image


class Recorded(NamedTuple):
    """What the index has of a file: it is as it was read while both are the same."""

    size: int
    mtime_ns: int


class Named(Protocol):
    """An image by its path, such as one of a sample."""

    @property
    def path(self) -> str:
        """Absolute, as ``os`` functions take it."""

    @property
    def relative_path(self) -> str:
        """Relative to the archive's root, with forward slashes."""

    @property
    def archive(self) -> str:
        """The archive's root."""


def recorded(session: Session, images: Iterable[Named]) -> dict[str, Recorded]:
    """Return what the index has of the files of those images, by their absolute paths."""
    ids = {archive.root: archive.id for archive in archives.all_archives(session)}
    paths: dict[int, dict[str, str]] = defaultdict(dict)
    for named in images:
        if named.archive in ids:
            paths[ids[named.archive]][to_text(named.relative_path)] = named.path
    found: dict[str, Recorded] = {}
    for archive_id, absolute in paths.items():
        for chunk in batched(absolute, PARAMETERS):
            statement = sa.select(image.c.path, image.c.size, image.c.mtime_ns).where(
                image.c.archive_id == archive_id, image.c.path.in_(chunk)
            )
            for path, size, mtime_ns in session.rows(statement):
                found[absolute[path]] = Recorded(size, mtime_ns)
    return found
