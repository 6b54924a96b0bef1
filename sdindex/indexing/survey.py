"""An archive's folder against its rows, before a single image is opened.

What is gone, back or moved is recorded, and what is to be read is listed.
"""

import logging
import os
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from sdindex.archive.changes import (
    HOUR_NS,
    AllUnchanged,
    Change,
    Doubt,
    KnownImage,
    Reason,
    ToRead,
    Unchanged,
    Vanished,
    shift,
)
from sdindex.archive.names import from_text, printable
from sdindex.archive.natural import sort_key
from sdindex.archive.scan import IMAGE_SUFFIXES, Unlooked, reason
from sdindex.archive.state import FileState, FoundFile
from sdindex.errors import ArchiveError, ArchiveUnavailableError
from sdindex.hashing.methods import stored_name
from sdindex.indexing.sections import changes
from sdindex.progress import counter
from sdindex.store import frames
from sdindex.store.archives import Part
from sdindex.store.database import Session
from sdindex.store.fetching import batched
from sdindex.store.tables import image, utc_now

if TYPE_CHECKING:
    from tqdm import tqdm

_CHUNK = 1000

log = logging.getLogger("sdindex")

# On disk, not in memory: there may be as many rows as there are files in the archive. The
# names are those of no table that a user could have.
_temporary = sa.MetaData()
_to_read = sa.Table(
    "sdindex_to_read",
    _temporary,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", image.c.path.type, nullable=False),
    sa.Column("name", image.c.path.type, nullable=False),
    sa.Column("image_id", sa.BigInteger),
    sa.Column("reason", sa.Text, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in FileState._fields),
    prefixes=["TEMPORARY"],
)
_gone = sa.Table(
    "sdindex_gone",
    _temporary,
    sa.Column("image_id", sa.BigInteger, primary_key=True),
    sa.Column("name", image.c.path.type, nullable=False),
    prefixes=["TEMPORARY"],
)
_moved = sa.Table(
    "sdindex_moved",
    _temporary,
    sa.Column("image_id", sa.BigInteger, primary_key=True),
    sa.Column("to_read_id", sa.BigInteger, nullable=False),
    sa.Column("path", image.c.path.type, nullable=False),
    prefixes=["TEMPORARY"],
)


class FileToRead(NamedTuple):
    """A file to be read, and the row it is to replace: None where there is none yet."""

    path: str
    state: FileState
    image_id: int | None
    reason: Reason


@dataclass
class Survey:
    """What a survey found, in numbers of files: each found one counts once.

    `missing` are those gone since the last update that did not turn up elsewhere. `gone` and
    `back` are the ids of images that went missing, or came back; `unlooked` are the places
    that could not be looked at; `reasons` counts the files to be read by theirs.
    """

    unchanged: int = 0
    unreadable: int = 0
    moved: int = 0
    missing: int = 0
    to_read: int = 0
    gone: "array[int]" = field(default_factory=lambda: array("q"))
    back: "array[int]" = field(default_factory=lambda: array("q"))
    unlooked: list[Unlooked] = field(default_factory=list)
    reasons: "Counter[Reason]" = field(default_factory=Counter)

    @property
    def found(self) -> int:
        """How many image files there are."""
        return self.unchanged + self.unreadable + self.moved + self.to_read


def survey(
    session: Session,
    part: Part,
    *,
    strict: bool,
    workers: int,
    accept_shift: bool,
    progress: bool | None,
) -> Survey:
    """Compare part of an archive with the disk, and record all but what needs reading.

    One transaction, which the caller commits: a survey that fails leaves nothing behind.
    Where all times are shifted by an hour, that is said, or the files are taken as unchanged.

    Raises
    ------
    ArchiveUnavailableError
        When the folder is absent, unreadable or empty, or is not the same one at the end.
    """
    _temporary.drop_all(session.connection)
    _temporary.create_all(session.connection)
    result = Survey()
    identity = folder_identity(part)
    found = changes(session, part, strict=strict, workers=workers)
    with counter("looking", "files", show=progress) as shown:
        _list_what_is_to_be_read(session, _counted(found, shown), part, result)
    if folder_identity(part) != identity:
        raise unavailable(part, "was replaced while it was being looked at")
    if not result.found and not result.unlooked and part.files is None:
        raise _empty(session, part)
    _set_missing(session, result.gone, utc_now())
    _set_missing(session, result.back, None)
    whole = part.files is None  # single files say nothing of a disk
    shifted = shift(result.reasons, result.unchanged + result.unreadable) if whole else None
    if shifted is not None and accept_shift:
        _accept(session, shifted, result)
    elif shifted is not None:
        log.warning(
            "%s: %s for all %s known files, as when daylight saving time changes on exFAT; they "
            "are read, and with --accept-shift would count as unchanged",
            printable(part.folder), shifted, f"{result.reasons[shifted]:,}",
        )  # fmt: skip
    result.moved = _record_moves(session, part, strict=strict)
    result.to_read -= result.moved
    result.missing = _still_missing(session, result.gone)
    return result


def folder_identity(part: Part) -> tuple[int, int]:
    """Return what tells a folder from another that is mounted in its place.

    Raises
    ------
    ArchiveUnavailableError
        When it is not there.
    """
    try:
        status = os.stat(part.folder)
    except OSError as problem:
        raise unavailable(part, f"cannot be read: {reason(problem)}") from problem
    return status.st_dev, status.st_ino


def files_to_read(session: Session) -> Iterator[FileToRead]:
    """Yield the files that the last survey listed; the caller may commit in between."""
    last = 0
    while True:
        rows = session.execute(
            sa.select(_to_read).where(_to_read.c.id > last).order_by(_to_read.c.id).limit(_CHUNK)
        ).all()
        for row in rows:
            state = FileState(row.size, row.mtime_ns, row.ctime_ns, row.inode)
            yield FileToRead(row.path, state, row.image_id, Reason(row.reason))
        if not rows:
            return
        last = rows[-1].id


def _counted(changes: Iterator[Change], shown: "tqdm[Any]") -> Iterator[Change]:
    for change in changes:
        if isinstance(change, AllUnchanged):
            shown.update(change.files)
        elif isinstance(change, ToRead | Unchanged):
            shown.update()
        yield change


def _list_what_is_to_be_read(
    session: Session, changes: Iterator[Change], part: Part, result: Survey
) -> None:
    for chunk in batched(_listings(changes, part, result), _CHUNK):
        session.execute(_to_read.insert(), chunk)


def _listings(changes: Iterator[Change], part: Part, result: Survey) -> Iterator[dict[str, Any]]:
    """Yield a row of `_to_read` for each file to be read, and count what became of the others."""
    for change in changes:
        match change:
            case AllUnchanged(files):
                result.unchanged += files
            case Unchanged(known):
                unreadable = bool(known.doubts & Doubt.UNREADABLE)
                result.unreadable += unreadable
                result.unchanged += not unreadable
                if known.doubts & Doubt.MISSING:
                    result.back.append(known.id)
            case ToRead(file, replaced, why):
                result.to_read += 1
                result.reasons[why] += 1
                yield _listing(file, replaced, why)
            case Vanished(known):
                if not known.doubts & Doubt.MISSING and part.files is None:
                    result.gone.append(known.id)
            case Unlooked(path=path, reason=why):
                if path == part.under:
                    raise unavailable(part, f"cannot be read: {why}")
                result.unlooked.append(change)


def _listing(file: FoundFile, replaced: KnownImage | None, why: Reason) -> dict[str, Any]:
    return {
        "path": file.path,
        "name": _base_name(file.path),
        "image_id": replaced.id if replaced else None,
        "reason": why,
        **file.state._asdict(),
    }


def _set_missing(session: Session, ids: "array[int]", since: datetime | None) -> None:
    statement = image.update().where(image.c.id == sa.bindparam("row")).values(missing_since=since)
    if ids:
        frames.discard(session)
    for chunk in batched(ids, _CHUNK):
        session.execute(statement, [{"row": row} for row in chunk])


def _accept(session: Session, shifted: Reason, result: Survey) -> None:
    """Give the images whose files' times are shifted these times, and read none of them."""
    is_shifted = _to_read.c.reason == shifted.value
    of_image = image.c.id.in_(sa.select(_to_read.c.image_id).where(is_shifted))
    by = HOUR_NS if shifted is Reason.LATER else -HOUR_NS
    accepted = session.execute(
        image.update().where(of_image).values(mtime_ns=image.c.mtime_ns + by, missing_since=None)
    ).rowcount
    unreadable = (
        session.scalar(sa.select(sa.func.count()).where(of_image, image.c.dhash.is_(None))) or 0
    )
    session.execute(_to_read.delete().where(is_shifted))
    frames.discard(session)  # some may have been missing
    result.to_read -= accepted
    result.unreadable += unreadable
    result.unchanged += accepted - unreadable


def _still_missing(session: Session, gone: "array[int]") -> int:
    """Return how many of the images that are gone did not turn up elsewhere."""
    moved = session.scalars(sa.select(_moved.c.image_id))
    return len(gone) - len(set(gone).intersection(moved))


def _record_moves(session: Session, part: Part, *, strict: bool) -> int:
    """Give rows of missing files the path of the new file that each has become.

    A new file is a moved one when size, mtime and base name are those of exactly one
    missing file, and of no other new file. Return how many there are.
    """
    if not session.scalar(sa.select(sa.exists().where(_to_read.c.image_id.is_(None)))):
        return 0
    frames.discard(session)  # moved here or read soon, a new file changes it
    missing = (image.c.archive_id == part.archive.id) & image.c.missing_since.is_not(None)
    usable = missing & image.c.settled & (image.c.method == stored_name(part.archive.method))
    rows = session.execute(
        sa.select(image.c.id, image.c.path).where(usable).execution_options(yield_per=_CHUNK)
    )
    for chunk in rows.partitions():
        session.execute(
            _gone.insert(), [{"image_id": row.id, "name": _base_name(row.path)} for row in chunk]
        )
    session.execute(
        _moved.insert().from_select(["to_read_id", "image_id", "path"], _moves(strict=strict))
    )
    moves = session.execute(
        sa.select(_moved.c.image_id, _moved.c.path).execution_options(yield_per=_CHUNK)
    )
    statement = (
        image.update()
        .where(image.c.id == sa.bindparam("row"))
        .values(
            path=sa.bindparam("new"),
            sort_key=sa.bindparam("key"),
            camera=sa.bindparam("from"),
            missing_since=None,
        )
    )
    for chunk in moves.partitions():
        session.execute(
            statement,
            [
                {
                    "row": row.image_id,
                    "new": row.path,
                    "key": sort_key(from_text(row.path)),
                    "from": part.archive.camera_of(row.path),
                }
                for row in chunk
            ],
        )
    is_moved = _to_read.c.id.in_(sa.select(_moved.c.to_read_id))
    return session.execute(_to_read.delete().where(is_moved)).rowcount


def _moves(*, strict: bool) -> sa.Select[Any]:
    """Select the listed row, the image and the new path of each file that moved."""
    compared = FileState._fields if strict else ("size", "mtime_ns")
    same = sa.and_(*(_to_read.c[name] == image.c[name] for name in compared))
    return (
        sa.select(sa.func.min(_to_read.c.id), sa.func.min(image.c.id), sa.func.min(_to_read.c.path))
        .select_from(_to_read)
        .join(_gone, _gone.c.name == _to_read.c.name)
        .join(image, (image.c.id == _gone.c.image_id) & same)
        .where(_to_read.c.image_id.is_(None))
        .group_by(_to_read.c.name, *(image.c[name] for name in compared))
        .having(sa.func.count() == 1)
    )


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _empty(session: Session, part: Part) -> ArchiveError:
    """Return the error of a folder without image files: what it means depends on what is known."""
    if not session.scalar(sa.select(sa.exists().where(part.images()))):
        suffixes = " ".join(IMAGE_SUFFIXES)
        return ArchiveError(f"{printable(part.folder)} holds no image files ({suffixes})")
    return unavailable(part, "holds no image files any more")


def unavailable(part: Part, why: str) -> ArchiveUnavailableError:
    """Return the error of an archive, or a folder of it, that is not there as it was."""
    root = printable(part.archive.root)
    if part.under:
        way_out = f"If that is so, bring the whole archive up to date: sdindex index {root}"
    else:
        way_out = (
            "An archive that moved: sdindex relocate OLD NEW; one that is gone for good: "
            "sdindex prune --archive ROOT"
        )
    return ArchiveUnavailableError(
        f"{printable(part.folder)} {why}; is its disk mounted? "
        f"What is known of it is kept. {way_out}"
    )
