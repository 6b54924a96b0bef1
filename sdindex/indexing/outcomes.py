"""The outcome of reading a file: what was read, that it is gone, or that it was refused.

A fault of anything else than the file or its disk ends the run.
"""

import errno
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future
from typing import NamedTuple

from sdindex.archive.names import printable
from sdindex.archive.roots import Root
from sdindex.archive.scan import reason
from sdindex.errors import LACKING, ReadingError, SdindexError
from sdindex.hashing.picture import ImageRead

_KEPT = "what was read before is stored"
# Errors of one file: others may be read. Dask's are given by name, as it need not be installed.
_OF_THE_FILE = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.EBUSY})
_DEATHS = ("WorkerDiedError", "KilledWorker")
_CLOSED = ("CommClosedError", "ClosedClientError", "FutureCancelledError")


class Refused(NamedTuple):
    """A file that could not be read, or not in time: what was known of it stays.

    `failing` says that the disk, or the machine, may be failing.
    """

    why: str
    failing: bool = True


def outcome(
    future: "Future[ImageRead]", root: Root, path: str, *, elsewhere: bool
) -> ImageRead | Refused | None:
    """Return the outcome of reading a file; None when the file is gone.

    Parameters
    ----------
    future
        The finished call that read it.
    root, path
        The file.
    elsewhere
        Whether an executor of the caller's read it, perhaps on another machine.

    Raises
    ------
    ReadingError
        When the fault is not the file's, so that no image can be read.
    """
    try:
        return future.result()
    except (CancelledError, BrokenExecutor) as problem:
        raise _ended(problem) from problem
    except SdindexError:
        raise
    except Exception as problem:
        kind = type(problem).__name__
        name = printable(root.location(path))
        if kind in _CLOSED:
            raise _ended(problem) from problem
        if kind in _DEATHS:
            died = "its reader died: the decoder crashed, or memory ran out"
            return Refused(died, failing=False)
        if isinstance(problem, FileNotFoundError | NotADirectoryError):
            if not elsewhere or not _is_there(root, path):
                return None
            raise ReadingError(
                f"{name} is here, and the executor's workers do not find it: they must see the "
                f"archive under the same path; {_KEPT}"
            ) from problem
        if isinstance(problem, OSError | MemoryError) and not _is_programs(problem):
            return _refused(problem, root)
        raise ReadingError(
            f"the program, or what it is installed with, failed when it read {name}: "
            f"{kind}: {_line(problem)}; {_KEPT}"
        ) from problem


def submitted(submit: Callable[[], "Future[ImageRead]"]) -> "Future[ImageRead]":
    """Submit a file; return a failed future when the executor takes no more."""
    try:
        return submit()
    except Exception as problem:  # noqa: BLE001  (raised later, when what was read before is stored)
        failed: Future[ImageRead] = Future()
        failed.set_exception(problem if isinstance(problem, SdindexError) else _ended(problem))
        return failed


def _refused(problem: OSError | MemoryError, root: Root) -> Refused:
    """Return how the system refused a file."""
    if isinstance(problem, MemoryError):
        return Refused("too large for the memory of this machine")
    if problem.errno in LACKING:
        raise ReadingError(
            f"the machine has too little to read images: {LACKING[problem.errno]} "
            f"({reason(problem)}); use fewer workers, end other programs, or raise the limit; "
            f"{_KEPT}"
        ) from problem
    if isinstance(problem, TimeoutError) and problem.errno is None:  # ours, not the network's
        return Refused("reading it hung, and was given up (see --timeout)")
    # Without the right to read one object, mostly none can be read.
    its_own = _OF_THE_FILE - {errno.EACCES} if root.is_far else _OF_THE_FILE
    return Refused(f"cannot be read: {reason(problem)}", problem.errno not in its_own)


def _is_programs(problem: OSError | MemoryError) -> bool:
    """Say whether the error is this program's: it called the system in a wrong way."""
    return isinstance(problem, OSError) and problem.errno in (errno.EBADF, errno.EFAULT)


def _is_there(root: Root, path: str) -> bool:
    try:
        root.state(path)
    except OSError:
        return False
    return True


def _ended(problem: BaseException) -> ReadingError:
    said = _line(problem)
    return ReadingError(
        f"the executor ended before all was read ({type(problem).__name__}"
        f"{': ' if said else ''}{said}); {_KEPT}: index again"
    )


def _line(problem: BaseException) -> str:
    return printable(" ".join(str(problem).split()))
