"""What an archive's files say against what the index holds: pure, and in one pass over both."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from sdindex.scan import FileState, FoundFile, Unlooked


class Reason(StrEnum):
    """Why a file is read, in words for the user."""

    NEW = "new"
    SIZE = "size changed"
    MTIME = "mtime changed"
    CTIME = "ctime changed"
    INODE = "inode changed"
    METHOD = "method changed"
    UNSETTLED = "not settled"


class KnownImage(NamedTuple):
    """What the index holds of a file: its row's `id`, and what tells whether it changed."""

    id: int
    path: str
    state: FileState
    method: str
    settled: bool
    missing: bool
    readable: bool


class ToRead(NamedTuple):
    """A file to be read; `known` is None when the index has no row of it."""

    file: FoundFile
    known: KnownImage | None
    reason: Reason


class Unchanged(NamedTuple):
    """A file that the index knows as it is."""

    known: KnownImage


class Vanished(NamedTuple):
    """A file that the index knows, and that is not there."""

    known: KnownImage


Change = ToRead | Unchanged | Vanished | Unlooked


def compare(
    found: Iterable[FoundFile | Unlooked],
    known: Iterable[KnownImage],
    *,
    method: str,
    strict: bool = False,
) -> Iterator[Change]:
    """Yield what became of each file, found or known.

    Both sides come in the order of their paths' bytes, and neither is held in memory. What
    is known of a place that could not be looked at is left as it is.

    Parameters
    ----------
    found, known
        What `sdindex.scan.scan` gives, and the rows of the same part of the archive.
    method
        The stored name of the hash method that is asked for.
    strict
        Take a file for changed when its ctime or inode differs, too.
    """
    rows = iter(known)
    row = next(rows, None)
    for item in found:
        while row is not None and row.path < item.path:
            yield Vanished(row)
            row = next(rows, None)
        if isinstance(item, Unlooked):
            while row is not None and _stands_for(item, row.path):
                row = next(rows, None)
            yield item
        elif row is not None and row.path == item.path:
            reason = why_read(item.state, row, method=method, strict=strict)
            yield Unchanged(row) if reason is None else ToRead(item, row, reason)
            row = next(rows, None)
        else:
            yield ToRead(item, None, Reason.NEW)
    while row is not None:
        yield Vanished(row)
        row = next(rows, None)


def why_read(state: FileState, known: KnownImage, *, method: str, strict: bool) -> Reason | None:
    """Return why a known file is to be read again, None when it is unchanged.

    Equality, not order: a restored backup's older time is a change, too.
    """
    if state.size != known.state.size:
        return Reason.SIZE
    if state.mtime_ns != known.state.mtime_ns:
        return Reason.MTIME
    if known.method != method:
        return Reason.METHOD
    if not known.settled:
        return Reason.UNSETTLED
    if strict and state.ctime_ns != known.state.ctime_ns:
        return Reason.CTIME
    if strict and state.inode != known.state.inode:
        return Reason.INODE
    return None


def _stands_for(place: Unlooked, path: str) -> bool:
    return path.startswith(place.path) if place.path.endswith("/") else path == place.path
