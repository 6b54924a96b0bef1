"""An index in figures: archives, cameras, and files that could not be read."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from sdindex.archive.names import from_text
from sdindex.archive.roots import stored_root
from sdindex.store.archives import globs_of
from sdindex.store.database import Session
from sdindex.store.frames import is_current
from sdindex.store.tables import SCHEMA_REVISION, WrongValueError, archive, frame_block, image


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """One archive in numbers of images: `images` are present, `unreadable` ones included.

    `updated_at` is when it was last brought up to date, in UTC, or None. `excluded` are the stored
    globs. `shard`, such as ``3/64``, is the only shard of the archive that the index has, or None.
    """

    root: str
    method: str
    images: int
    unreadable: int
    missing: int
    updated_at: datetime | None
    excluded: tuple[str, ...] = ()
    shard: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """An index: its name, its size in bytes, its schema, and its archives."""

    index: str
    schema: str
    size: int
    archives: list[ArchiveStatus]


@dataclass(frozen=True, slots=True)
class UnreadableImage:
    """A file that could not be read, and why; `size` in bytes, `read_at` in UTC."""

    path: str
    relative_path: str
    archive: str
    reason: str
    size: int
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera: `images` that can be sampled, and when the first and the last were taken.

    `camera` is the camera's folder, relative to the archive, or the name that `pattern` found;
    where the archive itself is the camera's folder, the archive's last name. `pattern` is the one
    stored with the archive, or None. `timer` is the usual number of seconds between images that a
    timer took, or None.
    """

    archive: str
    camera: str
    images: int
    first: datetime | None
    last: datetime | None
    pattern: str | None = None
    timer: int | None = None


def status(session: Session, name: str) -> Status:
    """Return what is in the index.

    Raises
    ------
    IndexUnusableError
        When the index does not have as many images as its sampling frame: some are lost.
    """
    present = image.c.missing_since.is_(None)
    rows = session.execute(
        sa.select(
            archive.c.root,
            archive.c.method,
            sa.func.count(image.c.id).filter(present),
            sa.func.count(image.c.id).filter(present, image.c.dhash.is_(None)),
            sa.func.count(image.c.missing_since),
            archive.c.updated_at,
            archive.c.excluded,
            archive.c.shard,
        )
        .outerjoin(image, image.c.archive_id == archive.c.id)
        .group_by(archive.c.id)
        .order_by(archive.c.sort_key)
    ).all()
    readable = sum(present - unreadable for _, _, present, unreadable, *_ in rows)
    in_frame = session.scalar(sa.select(sa.func.sum(frame_block.c.images))) or 0
    if readable != in_frame and is_current(session):
        raise WrongValueError(f"{readable:,} images can be sampled, and {in_frame:,} are counted")
    return Status(
        index=name,
        schema=SCHEMA_REVISION,
        size=session.size(),
        archives=[
            ArchiveStatus(
                stored_root(root).location(),
                method,
                images,
                unreadable,
                missing,
                updated,
                globs_of(excluded),
                shard,
            )
            for root, method, images, unreadable, missing, updated, excluded, shard in rows
        ],
    )


def unreadable(session: Session) -> list[UnreadableImage]:
    """Return the present files that could not be read, in natural order."""
    rows = session.execute(
        sa.select(archive.c.root, image.c.path, image.c.error, image.c.size, image.c.indexed_at)
        .join(archive, archive.c.id == image.c.archive_id)
        .where(image.c.error.is_not(None), image.c.missing_since.is_(None))
        .order_by(archive.c.sort_key, image.c.sort_key)
    )
    found = []
    for text, path, *rest in rows:
        root = stored_root(text)
        found.append(UnreadableImage(root.location(path), from_text(path), root.location(), *rest))
    return found
