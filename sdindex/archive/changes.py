"""Which files are read again, and why: the files found compared with the known ones. Pure."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from enum import IntFlag, StrEnum
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from sdindex.archive.beside import Beside
from sdindex.archive.scan import Found, Linked, Mounted, OfOthers, Passed, TooLong, Unlooked
from sdindex.archive.state import BY_TIME, FileState, FoundFile


class Reason(StrEnum):
    """Why a file is read; each value is shown to the user."""

    NEW = "new"
    SIZE = "size changed"
    MTIME = "mtime changed"
    LATER = "mtime an hour later"
    EARLIER = "mtime an hour earlier"
    CTIME = "ctime changed"
    INODE = "inode changed"
    VERSION = "ETag changed"
    METHOD = "method changed"
    UNSETTLED = "not settled"
    ASKED = "asked for"


# By how much exFAT's times shift when daylight saving time begins or ends; and how many files must
# be shifted before it counts.
HOUR_NS = 3_600_000_000_000
_SHIFTS = {HOUR_NS: Reason.LATER, -HOUR_NS: Reason.EARLIER}
_SHIFTED_FILES = 2
_CLOCK_NS = 2_000_000_000


class Doubt(IntFlag):
    """Why a known image may have to be read although its file looks unchanged."""

    METHOD = 1  # hashed with another method, or another version of it
    UNSETTLED = 2
    MISSING = 4
    UNREADABLE = 8
    ASKED = 16  # to be read again, changed or not


class KnownImage(NamedTuple):
    """A file as the index knows it: its state when it was read, and the `id` of its row.

    `doubts` are flags of `Doubt`; with 0, the image is unchanged when its file is.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    id: int
    doubts: int


# The same as a plain tuple: no `KnownImage` is made for each of a million unchanged files.
KnownRow = tuple[str, int, int, int, int, int, int]


class ToRead(NamedTuple):
    """A file to be read; `known` is None when the index has no row of it."""

    file: FoundFile
    known: KnownImage | None
    reason: Reason


class Unchanged(NamedTuple):
    """A file that the index knows as it is."""

    known: KnownImage


class AllUnchanged(NamedTuple):
    """So many files, one after the other, that are all unchanged, readable and present."""

    files: int


class Vanished(NamedTuple):
    """A file that the index knows, and that is not there."""

    known: KnownImage


class PassedOver(NamedTuple):
    """A file that the index knows and that is passed over now: it is litter, or excluded."""

    known: KnownImage


Change = (
    ToRead | Unchanged | AllUnchanged | Vanished | PassedOver | Unlooked | TooLong | Linked
    | Mounted | Beside | OfOthers
)  # fmt: skip

_doubts = itemgetter(KnownImage._fields.index("doubts"))


def compare(
    found: Iterable[Found],
    known: Iterable[KnownRow],
    *,
    fields: tuple[str, ...] = BY_TIME,
) -> Iterator[Change]:
    """Yield how each file changed, found or known.

    Both inputs come in the order of their paths' bytes, and neither is kept in memory. The known
    images of a folder that could not be listed, or was not entered, are left as they are.

    Parameters
    ----------
    found, known
        What `sdindex.archive.scan.scan` yields, and the known rows of the same part of the archive.
    fields
        The fields of a file's state that are compared: see `Root.compared`.
    """
    rows = _Rows(known)
    compared = itemgetter(*map(FoundFile._fields.index, ("path", *fields)))
    for item in found:
        if isinstance(item, Mounted | Beside | OfOthers):
            yield item
            continue
        if not isinstance(item, list):
            yield from map(Vanished, rows.before(item.path))
            if isinstance(item, Passed):
                yield from map(PassedOver, rows.below(item.path))
                continue
            known_there = rows.skip(item.path)
            if isinstance(item, TooLong):
                yield item.if_known() if known_there else item
            elif known_there or not (isinstance(item, Unlooked) and item.only_if_known):
                yield item
            continue
        # Nearly every run of files is unchanged, so a run is compared as a whole first.
        taken = rows.take(len(item))
        if list(map(compared, taken)) == list(map(compared, item)) and not any(map(_doubts, taken)):
            yield AllUnchanged(len(item))
            continue
        rows.give_back(taken)
        for file in item:
            yield from map(Vanished, rows.before(file.path))
            yield _judged(file, rows.at(file.path), fields)
    yield from map(Vanished, rows.rest())


def _judged(
    file: FoundFile, known: KnownImage | None, fields: tuple[str, ...]
) -> ToRead | Unchanged:
    if known is None:
        return ToRead(file, None, Reason.NEW)
    reason = why_read(file.state, known, fields)
    return Unchanged(known) if reason is None else ToRead(file, known, reason)


class _Rows:
    """The known rows in order; rows that were taken can be given back."""

    def __init__(self, known: Iterable[KnownRow]) -> None:
        self._coming = iter(known)
        self._back: deque[KnownImage] = deque()

    def take(self, count: int) -> list[KnownRow]:
        """Return the next `count`, or fewer at the end."""
        taken: list[KnownRow] = [self._back.popleft() for _ in range(min(count, len(self._back)))]
        taken += islice(self._coming, count - len(taken))
        return taken

    def give_back(self, taken: list[KnownRow]) -> None:
        """Put these rows in front of the others again."""
        self._back.extendleft(map(KnownImage._make, reversed(taken)))

    def before(self, path: str) -> Iterator[KnownImage]:
        """Yield those that come before a path."""
        while (row := self._peek()) is not None and row.path < path:
            yield self._back.popleft()

    def at(self, path: str) -> KnownImage | None:
        """Return the image of that path, if it is next."""
        row = self._peek()
        return self._back.popleft() if row is not None and row.path == path else None

    def skip(self, path: str) -> int:
        """Skip the images `below` a path; return how many of them are not missing."""
        return sum(not row.doubts & Doubt.MISSING for row in self.below(path))

    def below(self, path: str) -> Iterator[KnownImage]:
        """Yield the image of a path, or all below it where it is a folder."""
        while (row := self._peek()) is not None and _is_at(path, row.path):
            yield self._back.popleft()

    def rest(self) -> Iterator[KnownImage]:
        """Yield all that are left."""
        yield from self._back
        yield from map(KnownImage._make, self._coming)

    def _peek(self) -> KnownImage | None:
        if not self._back:
            self._back.extend(map(KnownImage._make, islice(self._coming, 1)))
        return self._back[0] if self._back else None


def why_read(state: FileState, known: KnownImage, fields: tuple[str, ...]) -> Reason | None:
    """Return why a known file is to be read again, None when it is unchanged.

    Times are compared for equality: an older time, as of a restored backup, is a change, too.
    """
    if state.size != known.size:
        return Reason.SIZE
    if known.doubts & Doubt.METHOD:
        return Reason.METHOD
    if known.doubts & Doubt.UNSETTLED:
        return Reason.UNSETTLED
    if "mtime_ns" in fields and state.mtime_ns != known.mtime_ns:
        return _SHIFTS.get(state.mtime_ns - known.mtime_ns, Reason.MTIME)
    if "ctime_ns" in fields and state.ctime_ns != known.ctime_ns:
        return Reason.CTIME
    if "inode" in fields and state.inode != known.inode:
        return Reason.INODE if "mtime_ns" in fields else Reason.VERSION
    return Reason.ASKED if known.doubts & Doubt.ASKED else None


def same_files(
    found: Iterable[Found], known: Mapping[str, tuple[int, int]], *, by_time: bool = True
) -> int:
    """Return how many of the files found are the known ones: same path and size, times within 2 s.

    Names alone do not tell: cameras count the images of each memory card from 1. Two seconds are as
    exactly as FAT and exFAT keep times; times are compared only with `by_time`. `known` has the
    size in bytes and the mtime in nanoseconds by path.
    """
    same = 0
    for item in found:
        for file in item if isinstance(item, list) else ():
            size, mtime_ns = known[file.path]
            in_time = not by_time or abs(file.mtime_ns - mtime_ns) <= _CLOCK_NS
            same += file.size == size and in_time
    return same


def shift(reasons: "Counter[Reason]", unchanged: int) -> Reason | None:
    """Return `Reason.LATER` or `Reason.EARLIER` when all times are shifted by an hour; else None.

    Counted are the files that would be unchanged but for their time. Files that are new, of another
    size, or to be read whatever their time do not matter.

    Parameters
    ----------
    reasons
        How many files are to be read for each reason.
    unchanged
        How many files are unchanged.
    """
    shifted = [reason for reason in _SHIFTS.values() if reasons[reason]]
    others = unchanged + reasons[Reason.MTIME] + reasons[Reason.CTIME] + reasons[Reason.INODE]
    if len(shifted) != 1 or others or reasons[shifted[0]] < _SHIFTED_FILES:
        return None
    return shifted[0]


def _is_at(file_or_folder: str, path: str) -> bool:
    if file_or_folder.endswith("/"):
        return path.startswith(file_or_folder)
    return path == file_or_folder
