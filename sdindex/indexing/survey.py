"""Surveying an archive before an image is opened: what is gone, back, moved, or to be read.

Gone, returned and moved images are recorded; files to be read are listed.
"""

import logging
import shlex
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sdindex.archive.beside import Beside
from sdindex.archive.changes import (
    HOUR_NS,
    AllUnchanged,
    Change,
    Doubt,
    PassedOver,
    Reason,
    ToRead,
    Unchanged,
    Vanished,
    shift,
)
from sdindex.archive.names import printable
from sdindex.archive.roots import Identity
from sdindex.archive.scan import (
    IMAGE_SUFFIXES,
    Linked,
    Mounted,
    OfOthers,
    TooLong,
    Unlooked,
    reason,
)
from sdindex.errors import ArchiveError, ArchiveUnavailableError
from sdindex.indexing.losses import Losses, confirmation, is_there
from sdindex.indexing.sections import changes
from sdindex.progress import counter
from sdindex.store import devices, images, worklist
from sdindex.store.archives import Part, hold_any
from sdindex.store.database import Session
from sdindex.store.tables import utc_now

if TYPE_CHECKING:
    from tqdm import tqdm

FAILURES = 100  # files in a row that cannot be looked at: then the disk is at fault
_SHOWN = 80  # characters shown of both ends of a name that is too long

log = logging.getLogger("sdindex")


@dataclass
class Survey:
    """The numbers of files that a survey found: each counts once.

    `missing` counts files that are gone since the last update and did not move. `gone` and `back`
    are the ids of images that went missing, or came back; `unlooked` are files and folders that
    could not be looked at, or are kept as they were; `too_long` are paths that the system does not
    open; `devices` are the folders where disks are mounted; `reasons` counts the files to be read
    by reason. `passed` are the ids of images that are passed over now: `forgotten` counts those
    deleted from the index, `kept` those that stay as missing, for saved samples. `beside` counts
    other files; `others` counts files of other shards.
    """

    unchanged: int = 0
    unreadable: int = 0
    moved: int = 0
    missing: int = 0
    to_read: int = 0
    gone: "array[int]" = field(default_factory=lambda: array("q"))
    back: "array[int]" = field(default_factory=lambda: array("q"))
    unlooked: list[Unlooked] = field(default_factory=list)
    too_long: list[str] = field(default_factory=list)
    devices: dict[str, int] = field(default_factory=dict)
    reasons: "Counter[Reason]" = field(default_factory=Counter)
    passed: "array[int]" = field(default_factory=lambda: array("q"))
    forgotten: int = 0
    kept: int = 0
    beside: Beside = field(default_factory=Beside)
    others: int = 0

    @property
    def found(self) -> int:
        """Return how many image files were found."""
        return self.unchanged + self.unreadable + self.moved + self.to_read


def survey(
    session: Session,
    part: Part,
    *,
    strict: bool,
    workers: int,
    accept_shift: bool,
    accept_loss: bool,
    progress: bool | None,
) -> Survey:
    """Compare part of an archive with the disk, and record all but what needs reading.

    It is one transaction, which the caller commits: a survey that fails leaves nothing behind. If
    all times are shifted by an hour, that is logged or, with `accept_shift`, the new times are
    stored. A folder that lost most of its images is kept as it was, unless `accept_loss`.

    Raises
    ------
    ArchiveUnavailableError
        When the folder is absent, unreadable or empty, lost most of its images, or is not the
        same one at the end.
    """
    worklist.begin(session)
    result = Survey()
    if accept_loss and part.under and not is_there(part):
        return _deleted(session, part)
    whole = part.files is None  # single files do not tell about a disk
    is_told = whole and part.root.is_far  # its listing tells whether it is there
    identity = None if is_told else folder_identity(part)
    found = changes(session, part, strict=strict, workers=workers)
    with counter("looking", "files", show=progress) as shown:
        worklist.add(session, _to_read(_counted(found, shown), part, result))
    if is_told and result.unlooked:
        folder_identity(part)  # else it went away meanwhile
    elif not is_told and folder_identity(part) != identity:
        raise unavailable(part, "was replaced while it was being looked at")
    is_empty = not (result.found or result.others or result.unlooked)
    if whole and is_empty and not (part.under and accept_loss):
        raise _empty(session, part, result.beside)
    if result.too_long:
        _tell_too_long(part, result.too_long)
    images.expect(session, part.archive, len(result.passed))
    result.forgotten, result.kept = images.forget(session, result.passed, utc_now())
    alike = worklist.list_gone(session, part.archive, result.gone, part.root.compared(strict=False))
    if whole:
        _judge_losses(session, part, result, alike, accept=accept_loss)
    images.set_missing(session, result.gone, utc_now())
    images.set_back(session, result.back)
    if whole:
        _judge_shift(session, part, result, accept=accept_shift and part.again != "all")
    moved = worklist.record_moves(session, part.archive, part.root.compared(strict=strict))
    result.moved = len(moved)
    result.to_read -= result.moved
    result.missing = len(result.gone) - len(moved.intersection(result.gone))
    return result


def _deleted(session: Session, part: Part) -> Survey:
    """Record a folder as gone, with all its images and any disk in it.

    Raises
    ------
    ArchiveUnavailableError
        When the folder may still be there, or the whole archive is away.
    """
    folder_identity(part._replace(under=""))
    try:
        folder_identity(part)
    except ArchiveUnavailableError as problem:
        if not isinstance(problem.__cause__, FileNotFoundError):
            raise
    gone = images.present_ids(session, part)
    images.set_missing(session, gone, utc_now())
    devices.remember(session, part, {})
    return Survey(missing=len(gone), gone=gone)


def folder_identity(part: Part) -> Identity:
    """Return the identity of a part's folder, which changes when another is mounted over it.

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
    """Yield the files to be read, and count all others."""
    failed = 0  # in a row
    for change in changes:
        failed = failed + 1 if isinstance(change, Unlooked) and change.failing else 0
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
            case PassedOver(known):
                result.passed.append(known.id)
            case _:
                _note(change, failed, part, result)


def _note(
    change: Unlooked | TooLong | Linked | Mounted | Beside | OfOthers,
    failed: int,
    part: Part,
    result: Survey,
) -> None:
    """Note a change that is no file; `failed` counts those in a row that could not be looked at."""
    match change:
        case Unlooked(path=path, reason=why):
            if path == part.under:
                raise unavailable(part, f"cannot be read: {why}")
            if failed >= FAILURES:
                raise unavailable(part, f"fails for one file after another: {why}")
            result.unlooked.append(change)
        case TooLong(path):
            result.too_long.append(path)
        case Mounted(path, device):
            result.devices[path] = device
        case Beside():
            result.beside.add(change)
        case OfOthers(files):
            result.others += files


def _tell_too_long(part: Part, paths: list[str]) -> None:
    others = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
    location = printable(part.root.location(paths[0]))
    log.warning(
        "%s...%s%s: passed over, as the whole name is longer than this system opens; shorten the "
        "names of its folders", location[:_SHOWN], location[-_SHOWN:], others,
    )  # fmt: skip


def _judge_shift(session: Session, part: Part, result: Survey, *, accept: bool) -> None:
    """Log that all times are shifted by an hour, if they are; or accept it."""
    shifted = shift(result.reasons, result.unchanged + result.unreadable)
    if shifted is not None and accept:
        _accept(session, shifted, result)
    elif shifted is not None:
        log.warning(
            "%s: %s for all %s known files, as when daylight saving time changes on exFAT; they "
            "are read, and with --accept-shift would count as unchanged",
            printable(part.folder), shifted, f"{result.reasons[shifted]:,}",
        )  # fmt: skip


def _judge_losses(
    session: Session, part: Part, result: Survey, alike: set[int], *, accept: bool
) -> None:
    """Keep the folders that lost too many images at once, and remember where disks are."""
    losses = Losses(session, part, result.gone, alike, result.devices, result.unlooked)
    kept, dropped = losses.keep(confirmed=accept)
    result.unlooked += kept
    result.to_read -= dropped
    result.gone = losses.missing()


def _accept(session: Session, shifted: Reason, result: Survey) -> None:
    """Store the shifted times, and read none of the files."""
    by = HOUR_NS if shifted is Reason.LATER else -HOUR_NS
    accepted, unreadable = worklist.accept_shift(session, shifted, by)
    result.to_read -= accepted
    result.unreadable += unreadable
    result.unchanged += accepted - unreadable


def _empty(session: Session, part: Part, beside: Beside) -> ArchiveError:
    """Return the error for a folder without image files, by what is known of it."""
    if beside.excluded:
        return ArchiveError(
            f"{printable(part.folder)} holds no image files beside those that are excluded "
            f"({printable(' '.join(part.archive.excluded))}); exclude less, or nothing: "
            f"sdindex index --exclude '' {shlex.quote(printable(part.archive.root))}"
        )
    if not hold_any(session, part):
        suffixes = " ".join(IMAGE_SUFFIXES)
        return ArchiveError(f"{printable(part.folder)} holds no image files ({suffixes})")
    if part.under:
        way_out = f"If its images were deleted, confirm it: {confirmation(part)}"
        return unavailable(part, "holds no image files any more", way_out)
    return unavailable(part, "holds no image files any more")


def unavailable(part: Part, why: str, way_out: str | None = None) -> ArchiveUnavailableError:
    """Return the error for an archive, or a folder of it, that is away or replaced."""
    if way_out is None and part.under:
        root = printable(part.archive.root)
        way_out = f"If that is so, bring the whole archive up to date: sdindex index {root}"
    elif way_out is None:
        way_out = (
            "An archive that moved: sdindex relocate OLD NEW; one that is gone for good: "
            "sdindex prune --archive ROOT"
        )
    return ArchiveUnavailableError(
        f"{printable(part.folder)} {why}{'.' if part.root.is_far else '; is its disk mounted?'} "
        f"What is known of it is kept. {way_out}"
    )
