"""Changing the archives of an index: adding, moving and deleting one, and its stored rules."""

import json
import shlex
from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import TypeGuard

import sqlalchemy as sa

from sdindex.archive.cameras import CAMERA_RULE, camera_pattern, named_camera
from sdindex.archive.changes import same_files
from sdindex.archive.names import printable
from sdindex.archive.natural import SORT_RULE
from sdindex.archive.roots import root_at, root_of
from sdindex.archive.scan import Found, reason
from sdindex.archive.shards import Shard
from sdindex.archive.state import FoundFile
from sdindex.errors import ArchiveError, ArchiveUnavailableError, Option
from sdindex.hashing.methods import Method
from sdindex.store import images
from sdindex.store.archives import (
    Archive,
    Part,
    all_archives,
    held,
    hold_any,
    insert,
    listing,
    method_for_new,
    named,
    real_root,
)
from sdindex.store.database import Session
from sdindex.store.tables import archive as archive_table
from sdindex.store.tables import image, sample, sample_image, utc_now

_PROBES = 50  # known files that are looked for when a folder may be an archive that moved


def add(session: Session, folder: str, method: Method | None) -> Archive:
    """Record a folder as a new archive.

    Without a `method` it gets that of the other archives, so that they can be sampled together.

    Raises
    ------
    ArchiveError
        When an archive of this index lies in the folder, or the folder is an archive that moved.
    """
    root = root_at(folder).location()
    session.lock_archives()
    archives = all_archives(session)
    _refuse_overlap(root, archives)
    for archive in archives:
        if not is_there(archive.root):
            same, looked_for = _probe(session, archive, root)
            if 2 * same > looked_for:
                raise ArchiveError(
                    f"{printable(root)} holds the images of {printable(archive.root)}, which is "
                    f"gone; say that it moved: sdindex relocate {_quoted(archive.root)} "
                    f"{_quoted(root)}"
                )
    return insert(session, root, method_for_new(archives, method))


def relocate(session: Session, old: str, new: str) -> None:
    """Give an archive its new root; no image is read.

    Cameras named after the root get their new name. Between a disk and an object store, which
    compare other fields of a state, files with the known names and sizes are taken as those that
    were read, and their states are stored.

    Raises
    ------
    ArchiveError
        When `old` is no archive's root, or `new` does not hold its images: most of those looked for
        must be there with the known size and time.
    """
    moved = held(session, _by_root(old, all_archives(session)))
    session.lock_archives()
    archives = all_archives(session)
    root = root_at(new).location()
    if not is_there(root):
        require_folder(root)
    _refuse_overlap(root, [archive for archive in archives if archive != moved])
    same, looked_for = _probe(session, moved, root)
    if 2 * same <= looked_for and looked_for:
        raise ArchiveError(
            f"{printable(root)} does not hold the images of {printable(moved.root)}: {same} of "
            f"{looked_for} that were looked for are there with the size and time that are known. "
            "Nothing was changed; name the folder that was indexed, as it is now, or index this "
            "one as an archive of its own"
        )
    session.execute(
        archive_table.update().where(archive_table.c.id == moved.id).values(**named(root))
    )
    there = moved._replace(root=root)
    if root_of(root).is_far != root_of(moved.root).is_far:
        found = root_of(root).scan(excluded=moved.excluded)
        images.take_states(session, there, chain.from_iterable(filter(_is_run, found)))
    own = (image.c.archive_id == moved.id) & (image.c.camera == moved.own_camera)
    if there.own_camera != moved.own_camera and session.scalar(sa.select(sa.exists().where(own))):
        images.find_cameras(session, there)
        images.frame_up_to_date(session)


def set_method(session: Session, archive: Archive, method: Method) -> Archive:
    """Store another method for an archive."""
    session.execute(
        archive_table.update().where(archive_table.c.id == archive.id).values(method=method)
    )
    return archive._replace(method=method)


def stamp(session: Session, archive: Archive, when: datetime | None = None) -> None:
    """Record when an archive was brought up to date: now, by default."""
    session.execute(
        archive_table.update()
        .where(archive_table.c.id == archive.id)
        .values(updated_at=when or utc_now())
    )


def stamped(session: Session, archive: Archive) -> datetime | None:
    """Return when an archive was last brought up to date; None if no update ever ended."""
    stamp: datetime | None = session.scalar(
        sa.select(archive_table.c.updated_at).where(archive_table.c.id == archive.id)
    )
    return stamp


def set_camera_rule(session: Session, archive: Archive, pattern: str | None) -> Archive:
    """Store an archive's camera pattern; None finds cameras by their folders alone.

    The cameras of its images are found anew when the pattern or this program's rule differs from
    the stored one.
    """
    changed = archive._replace(camera_pattern=pattern, camera_rule=CAMERA_RULE)
    if changed == archive:
        return archive
    session.execute(
        archive_table.update()
        .where(archive_table.c.id == archive.id)
        .values(camera_pattern=pattern, camera_rule=CAMERA_RULE)
    )
    images.find_cameras(session, changed)
    return changed


def set_sort_rule(session: Session, archive: Archive) -> Archive:
    """Make an archive's sort keys anew if another rule than this program's made them."""
    if archive.sort_rule == SORT_RULE:
        return archive
    session.execute(
        archive_table.update()
        .where(archive_table.c.id == archive.id)
        .values(sort_rule=SORT_RULE, **named(archive.root))
    )
    images.sort_anew(session, archive)
    return archive._replace(sort_rule=SORT_RULE)


def set_excluded(session: Session, archive: Archive, globs: tuple[str, ...]) -> Archive:
    """Store the globs of what an archive leaves out."""
    session.execute(
        archive_table.update()
        .where(archive_table.c.id == archive.id)
        .values(excluded=json.dumps(globs) if globs else None)
    )
    return archive._replace(excluded=globs)


def set_shard(session: Session, archive: Archive, shard: Shard) -> Archive:
    """Record that this index has one shard of an archive.

    Raises
    ------
    ArchiveError
        When the index has the whole archive, or another shard.
    """
    if archive.shard == shard:
        return archive
    if archive.shard is not None or hold_any(session, Part(archive, "")):
        has = f"shard {archive.shard}" if archive.shard else "the whole"
        raise ArchiveError(
            f"this index has {has} of {printable(archive.root)}; give shard {shard} an index of "
            f"its own, such as --db shard-{shard.number}.db"
        )
    session.execute(
        archive_table.update().where(archive_table.c.id == archive.id).values(shard=str(shard))
    )
    return archive._replace(shard=shard)


def set_whole(session: Session, archive: Archive) -> Archive:
    """Record that an archive has all files below its root, not single ones.

    Raises
    ------
    ArchiveError
        When another archive lies in it.
    """
    others = [known for known in all_archives(session) if known.id != archive.id]
    _refuse_overlap(archive.root, others)
    session.execute(
        archive_table.update().where(archive_table.c.id == archive.id).values(listed=False)
    )
    return archive._replace(listed=False)


def names_no_camera(session: Session, archive: Archive, pattern: str) -> bool:
    """Say whether a camera pattern finds nothing in any path of an archive."""
    paths = session.rows(
        sa.select(image.c.path).where(
            image.c.archive_id == archive.id, image.c.missing_since.is_(None)
        )
    )
    compiled = camera_pattern(pattern)
    return not any(named_camera(path, compiled) for (path,) in paths)


def named_or_only(session: Session, root: str | None) -> Archive:
    """Return the archive of a root, or the only one where none is named.

    Raises
    ------
    ArchiveError
        When no archive has that root, or none is named and there are several.
    """
    archives = all_archives(session)
    if root is not None:
        return held(session, _by_root(root, archives))
    if len(archives) != 1:
        raise ArchiveError(
            "name the archive's root with ",
            Option("archive"),
            f"; the index holds: {listing(archives)}",
        )
    return held(session, archives[0])


def forget(session: Session, root: str) -> int:
    """Delete an archive and all its rows; return how many images it had.

    Raises
    ------
    ArchiveError
        When no archive has that root, or a saved sample holds images of it.
    """
    archive = held(session, _by_root(root, all_archives(session)))
    session.lock_samples()
    saved = session.scalars(
        sa.select(sample.c.name)
        .where(
            sa.exists().where(
                sample_image.c.sample_id == sample.c.id,
                sample_image.c.image_id == image.c.id,
                image.c.archive_id == archive.id,
            )
        )
        .order_by(sample.c.name)
    ).all()
    if saved:
        raise ArchiveError(
            f"saved samples hold images of {printable(root)}: {', '.join(saved)}; forget these "
            "first with: sdindex samples drop NAME"
        )
    removed = images.delete_all(session, archive)
    session.execute(archive_table.delete().where(archive_table.c.id == archive.id))
    images.frame_up_to_date(session)
    return removed


def require_folder(path: str) -> None:
    """Refuse a path that is no existing folder, before anything else is done.

    Raises
    ------
    ArchiveUnavailableError
        When it is not a folder.
    """
    root = root_at(path)
    try:
        root.identity()
    except NotADirectoryError as problem:
        raise ArchiveError(f"{printable(path)} is a file; name its folder") from problem
    except OSError as problem:
        if root.is_far:
            is_absent = isinstance(problem, FileNotFoundError)
            moved = " (An archive that moved: sdindex relocate OLD NEW)" if is_absent else ""
            raise ArchiveUnavailableError(
                f"{printable(path)} cannot be read: {reason(problem)}{moved}"
            ) from problem
        raise ArchiveUnavailableError(
            f"there is no folder {printable(path)}; is its disk mounted? "
            "(An archive that moved: sdindex relocate OLD NEW)"
        ) from problem


def is_there(root: str) -> bool:
    """Say whether an archive's root is there."""
    try:
        root_of(root).identity()
    except OSError:
        return False
    return True


def _by_root(root: str, archives: Sequence[Archive]) -> Archive:
    for archive in archives:
        if root_at(root).location() == archive.root:
            return archive
    raise ArchiveError(
        f"{printable(root)} is not an archive of this index; it holds: {listing(archives)}"
    )


def _refuse_overlap(root: str, archives: Sequence[Archive]) -> None:
    real = real_root(root_of(root))
    for archive in archives:
        if archive.listed:  # an image in another archive's folder belongs to that one
            continue
        other = real_root(root_of(archive.root))
        if (real.within(other.location()), other.within(real.location())) != (None, None):
            raise ArchiveError(
                f"{printable(root)} and the archive {printable(archive.root)} overlap: their "
                "images would count twice; forget that one first with: sdindex prune --archive "
                f"{_quoted(archive.root)}, or use another index with --db"
            )


def _probe(session: Session, archive: Archive, root: str) -> tuple[int, int]:
    """Look for some of an archive's images, evenly chosen, below another root.

    Return how many are there with the known size and time, and how many were looked for.
    """
    known = {
        file.path: (file.size, file.mtime_ns) for file in images.spread(session, archive, _PROBES)
    }
    there = root_of(root)
    # A copy in an object store has a time of its own.
    by_time = not there.is_far and not root_of(archive.root).is_far
    return same_files(there.look_at(known), known, by_time=by_time), len(known)


def _is_run(found: Found) -> TypeGuard[list[FoundFile]]:
    return isinstance(found, list)


def _quoted(path: str) -> str:
    return shlex.quote(printable(path))
