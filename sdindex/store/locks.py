"""One program at a time: a lock on a file beside what is written."""

import logging
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sdindex.archive.names import printable

_LOOK_SECONDS = 0.1  # seconds between two tries

log = logging.getLogger("sdindex")


@contextmanager
def locked(lock: Path, file: Path, waiting: str) -> Iterator[None]:
    """Hold a lock while the block runs; wait for another program that has it.

    Parameters
    ----------
    lock
        The lock's file, made where there is none. It stays: deleting it would let two programs in.
    file
        The file that is to be written: whoever may write to it gets the right to lock it.
    waiting
        The message for people when another program has the lock.

    Raises
    ------
    OSError
        When there can be no lock; the text is for the user.
    """
    from filelock import FileLock, Timeout

    _make(lock, file)
    file_lock = FileLock(lock, mode=lock.stat().st_mode & 0o777)
    try:
        file_lock.acquire(timeout=0)
    except Timeout:
        log.warning("%s", waiting)
        while not file_lock.is_locked:
            time.sleep(_LOOK_SECONDS)
            if not lock.parent.is_dir():  # else the lock would make the folder anew
                raise FileNotFoundError("its folder is no longer there") from None
            with suppress(Timeout):
                file_lock.acquire(timeout=0)
    try:
        yield
    finally:
        file_lock.release()


def may_write(path: Path) -> bool:
    """Say whether a file, or a folder, may be written to, as `open` would find it."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _make(lock: Path, file: Path) -> None:
    name = printable(str(lock))
    try:
        descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    except FileExistsError:
        if lock.is_symlink() or not lock.is_file():
            raise OSError(f"{name} is no file; delete it") from None
        if not may_write(lock):
            raise OSError(
                f"{name} was made by another user; let them, or whoever may, open it for you: "
                f"chmod a+rw {shlex.quote(name)}"
            ) from None
        return
    os.close(descriptor)
    with suppress(FileNotFoundError):  # the file is still to be made
        lock.chmod(file.stat().st_mode & 0o666)
