"""A cache of small pictures on the disk, in the user's cache folder."""

import hashlib
import logging
import os
import secrets
from pathlib import Path
from threading import Lock

import platformdirs

from sdindex.archive.names import printable

MOST_BYTES = 512 << 20
_LEFT = 0.8  # share of the limit that is kept when some are deleted

log = logging.getLogger("sdindex")


class Cache:
    """Files by key, up to a number of bytes; those not read for longest are deleted.

    Parameters
    ----------
    folder
        By default the user's own for caches.
    most
        How many bytes it may take.
    """

    def __init__(self, folder: Path | None = None, most: int = MOST_BYTES) -> None:
        self._folder = folder or Path(platformdirs.user_cache_dir("sdindex")) / "thumbnails"
        self._most, self._lock = most, Lock()
        self._size: int | None = None

    def get(self, key: str) -> bytes | None:
        """Return the content of a key, or None."""
        file = self._file(key)
        try:
            content = file.read_bytes()
            os.utime(file)
        except OSError:  # it is not there, or may not be read: it can be made again
            return None
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep a content, if the disk allows it."""
        file = self._file(key)
        draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_bytes(content)
            draft.replace(file)
            self._bound(len(content))
        except OSError as problem:
            with self._lock:
                if self._most:
                    log.warning("thumbnails are not kept: %s", printable(str(problem)))
                self._most = 0  # and nothing is tried again
            draft.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

    def _bound(self, added: int) -> None:
        with self._lock:
            if self._size is not None:
                self._size += added
            if self._size is None or self._size > self._most:
                self._size = self._shrunk()

    def _shrunk(self) -> int:
        """Delete the files not read for longest, if there are too many; return the bytes left."""
        found = []
        for file in self._folder.iterdir():
            state = file.stat()
            found.append((state.st_mtime_ns, state.st_size, file))
        size = sum(one[1] for one in found)
        if size > self._most:
            for _, of_file, file in sorted(found):
                if size <= _LEFT * self._most:
                    break
                file.unlink(missing_ok=True)
                size -= of_file
        return size
