"""An archive's folder against its rows, before a single image is opened.

What is gone, back or moved is recorded, and what is to be read is listed.
"""

import logging
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sdindex.archive.changes import (
    HOUR_NS,
    AllUnchanged,
    Change,
    Doubt,
    Reason,
    ToRead,
    Unchanged,
    Vanished,
    shift,
)
from sdindex.archive.names import printable
from sdindex.archive.roots import Identity
from sdindex.archive.scan import IMAGE_SUFFIXES, Unlooked, reason
from sdindex.errors import ArchiveError, ArchiveUnavailableError
from sdindex.indexing.sections import changes
from sdindex.progress import counter
from sdindex.store import images, worklist
from sdindex.store.archives import Part, hold_any
from sdindex.store.database import Session
from sdindex.store.tables import utc_now

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger("sdindex")


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
        """Return how many image files there are."""
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
    worklist.begin(session)
    result = Survey()
    identity = folder_identity(part)
    found = changes(session, part, strict=strict, workers=workers)
    with counter("looking", "files", show=progress) as shown:
        worklist.add(session, _to_read(_counted(found, shown), part, result))
    if folder_identity(part) != identity:
        raise unavailable(part, "was replaced while it was being looked at")
    if not result.found and not result.unlooked and part.files is None:
        raise _empty(session, part)
    now = utc_now()
    images.set_missing(session, result.gone, now)
    images.set_back(session, result.back)
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
    result.moved = worklist.record_moves(session, part.archive, strict=strict)
    result.to_read -= result.moved
    result.missing = sum(1 for _ in images.paths_of(session, result.gone, now))
    return result


def folder_identity(part: Part) -> Identity:
    """Return what tells a folder from another that is mounted in its place.

    Raises
    ------
    ArchiveUnavailableError
        When it is not there.
    """
    try:
        return part.root.identity(part.under)
    except OSError as problem:
        raise unavailable(part, f"cannot be read: {reason(problem)}") from problem


def _counted(changes: Iterator[Change], shown: "tqdm[Any]") -> Iterator[Change]:
    for change in changes:
        if isinstance(change, AllUnchanged):
            shown.update(change.files)
        elif isinstance(change, ToRead | Unchanged):
            shown.update()
        yield change


def _to_read(changes: Iterator[Change], part: Part, result: Survey) -> Iterator[ToRead]:
    """Yield the files to be read, and count what became of the others."""
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
            case ToRead():
                result.to_read += 1
                result.reasons[change.reason] += 1
                yield change
            case Vanished(known):
                if not known.doubts & Doubt.MISSING and part.files is None:
                    result.gone.append(known.id)
            case Unlooked(path=path, reason=why):
                if path == part.under:
                    raise unavailable(part, f"cannot be read: {why}")
                result.unlooked.append(change)


def _accept(session: Session, shifted: Reason, result: Survey) -> None:
    """Give the images whose files' times are shifted these times, and read none of them."""
    by = HOUR_NS if shifted is Reason.LATER else -HOUR_NS
    accepted, unreadable = worklist.accept_shift(session, shifted, by)
    result.to_read -= accepted
    result.unreadable += unreadable
    result.unchanged += accepted - unreadable


def _empty(session: Session, part: Part) -> ArchiveError:
    """Return the error of a folder without image files: what it means depends on what is known."""
    if not hold_any(session, part):
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
