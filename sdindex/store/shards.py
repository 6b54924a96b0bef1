"""Reading the index of a shard, to merge it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from sdindex.archive.cameras import CAMERA_RULE
from sdindex.archive.natural import SORT_RULE
from sdindex.archive.shards import Shard
from sdindex.archive.state import FileState
from sdindex.hashing.methods import stored_name
from sdindex.hashing.picture import ImageRead, Picture
from sdindex.store import devices
from sdindex.store.archive_admin import stamped
from sdindex.store.archives import Archive, Part, all_archives
from sdindex.store.database import Session
from sdindex.store.mixing import methods
from sdindex.store.tables import image

_FILE = sa.select(image.c.path, *(image.c[name] for name in FileState._fields))


class ShardIndex(NamedTuple):
    """An archive in an index that has one shard of it, which a session reads.

    `name` is the index's; `updated_at` is None if its job has not ended.
    """

    name: str
    session: Session
    archive: Archive
    shard: Shard
    updated_at: datetime | None

    @property
    def is_current(self) -> bool:
        """Say whether all that it stores was made by this program's versions of the rules."""
        archive = self.archive
        made_by = {stored_name(archive.method)}
        return (archive.camera_rule, archive.sort_rule) == (CAMERA_RULE, SORT_RULE) and (
            methods(self.session) <= made_by
        )

    def files(self) -> Iterator[tuple[Any, ...]]:
        """Yield the path and the state of each file that is there, in the order of the paths."""
        return self.session.rows(_FILE.where(*self._there()).order_by(image.c.path))

    def counts(self) -> tuple[int, int]:
        """Return how many files are there, and how many of them could not be read."""
        unreadable = sa.func.count().filter(image.c.dhash.is_(None))
        (row,) = self.session.execute(sa.select(sa.func.count(), unreadable).where(*self._there()))
        return row[0], row[1]

    def read(self, path: str) -> ImageRead:
        """Return what was read of a file, by its path in stored form."""
        (row,) = self.session.execute(sa.select(image).where(image.c.path == path, *self._there()))
        picture = None
        if row.dhash is not None:
            picture = Picture(*(getattr(row, name) for name in Picture._fields[:-1]))
        state = FileState(*(getattr(row, name) for name in FileState._fields))
        return ImageRead(state, row.settled, row.indexed_at, picture, row.error)

    def devices(self) -> dict[str, int]:
        """Return the folders where disks were mounted: see `sdindex.store.devices.remembered`."""
        return devices.remembered(self.session, Part(self.archive, ""))

    def _there(self) -> tuple[sa.ColumnElement[bool], ...]:
        return image.c.archive_id == self.archive.id, image.c.missing_since.is_(None)


def shards_in(name: str, session: Session) -> tuple[list[ShardIndex], list[Archive]]:
    """Return the shards in an index, and the archives that it has as a whole."""
    archives = all_archives(session)
    shards = [
        ShardIndex(name, session, archive, archive.shard, stamped(session, archive))
        for archive in archives
        if archive.shard is not None
    ]
    return shards, [archive for archive in archives if archive.shard is None]
