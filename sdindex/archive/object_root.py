"""`ObjectRoot`: an archive behind a URL, such as a bucket of S3 or a folder of one.

An object is unchanged when its size and its ETag are (or what the store has in place of an ETag).
The index stores the first 64 bits of the ETag's hash in the column of a file's inode: so a state is
four numbers for every root, and a million are compared in a second. A listing also gives the ETag
itself, and the object is then requested with it (``If-Match``), so that what is read is what was
listed. When a known image is copied or shown, the ETag in the answer tells its content.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from errno import EIO, ENOENT, ENOTDIR
from hashlib import sha256
from io import SEEK_END, SEEK_SET, BytesIO
from typing import Any, BinaryIO, cast

from sdindex.archive.beside import FOLDER, Tally, is_litter
from sdindex.archive.excluded import excludes
from sdindex.archive.listing import LOOK_AFTER, Failed, in_span, side_by_side
from sdindex.archive.names import from_text, printable, to_text
from sdindex.archive.object_stores import NOTHING, Object, ObjectStore, store_of
from sdindex.archive.roots import NotFetchedError
from sdindex.archive.scan import ALL_PATHS, Found, Links, Passed, Span, Unlooked, is_image, reason
from sdindex.archive.state import BY_VERSION, FileState, FoundFile, folded
from sdindex.errors import ArchiveError

_LOOKS = 32  # requests at once, when single objects are looked at


def object_root(url: str) -> "ObjectRoot":
    """Return the root at a URL.

    Raises
    ------
    ArchiveError
        When the URL holds a password, or names no bucket.
    """
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    server, _, path = rest.rstrip("/").partition("/")
    user, at, _ = server.rpartition("@")
    if at and ":" in user:
        raise ArchiveError(
            f"a URL of {scheme}:// must hold no password: it would be stored and shown; log in by "
            "the ways of the store instead"
        )
    if scheme in ("file", "local"):
        raise ArchiveError(
            f"{printable(url)} is a folder of this machine; name it without {scheme}://"
        )
    if not server and scheme != "memory":
        raise ArchiveError(f"{printable(url)} names no bucket; write {scheme}://BUCKET/FOLDER")
    return ObjectRoot("/".join([f"{scheme}://{server}", *([path] if path else [])]))


@dataclass(frozen=True, slots=True)
class ObjectRoot:
    """A bucket, or a folder of it, by its URL, such as ``s3://bucket/season 1``.

    With a `version`, an object is read only while it has that ETag.
    """

    url: str
    version: str = ""

    @property
    def _store(self) -> ObjectStore:
        scheme, _, rest = self.url.partition("://")
        return store_of(scheme, rest.partition("/")[0])

    @property
    def _start(self) -> str:
        """Return the beginning of the keys of all its objects."""
        path = self.url.partition("://")[2].partition("/")[2]
        return f"{path}/" if path else ""

    def _key(self, path: str) -> str:
        return self._start + from_text(path)

    @property
    def is_far(self) -> bool:
        """Say that its objects are fetched, many at once, before they are read."""
        return True

    def at_version(self, version: str) -> "ObjectRoot":
        """Return the same root with a version: an object is read only while it has that ETag."""
        return ObjectRoot(self.url, version)

    def compared(self, *, strict: bool) -> tuple[str, ...]:
        """Return the fields that are compared: size and ETag, strict or not."""
        return BY_VERSION

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        """Yield the image objects below a folder."""
        prefix = self._key(under)
        if span == ALL_PATHS:
            listed = side_by_side(self._store, prefix)
        else:
            listed = in_span(self._store, prefix, self._start, span)
        sorted_out = _SortedOut(self._start, span, excluded)
        nothing = True
        for item in listed:
            nothing = False
            if isinstance(item, Failed):
                yield item.unlooked(to_text(item.prefix[len(self._start) :]))
            else:
                yield from sorted_out.found(item)
        if nothing and span == ALL_PATHS:
            yield Unlooked(under, NOTHING, way_out=LOOK_AFTER)
        if sorted_out.tally.seen:
            yield sorted_out.tally.seen

    def look_at(self, paths: Iterable[str]) -> Iterator[Found]:
        """Yield the listed objects that are there, in the order of `scan`."""

        def look(path: str) -> list[FoundFile] | Unlooked | None:
            try:
                said = self._store.look(self._key(path))
                return [FoundFile(path, *_state(said), said.version)]
            except FileNotFoundError:
                return None
            except OSError as problem:
                return Unlooked(path, reason(problem), failing=problem.errno == EIO)

        threads = ThreadPoolExecutor(_LOOKS)
        try:
            for found in threads.map(look, sorted(paths)):
                if found is not None:
                    yield found
        finally:
            threads.shutdown(wait=False, cancel_futures=True)  # what hangs is not waited for

    def links(self, under: str) -> Links:
        """Return a record of links: a store has none."""
        return Links()

    def state(self, path: str) -> FileState:
        """Return the state of an object, without reading it."""
        return _state(self._store.look(self._key(path)))

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open an object: its first `head` bytes are read now, the others when they are needed."""
        content, said = self._store.get(self._key(path), 0, head, self.version)
        return ObjectFile(content, said, lambda start: self._rest_of(said, start))

    def fetched(self, path: str, head: int | None = None) -> "Fetched":
        """Return an object, its first `head` bytes read (or all); it can be sent to a worker."""
        content, said = self._store.get(self._key(path), 0, head, self.version)
        return Fetched(content, said)

    def state_of(self, file: BinaryIO) -> FileState:
        """Return the state of the content that was read, even if the object was replaced since."""
        return cast("ObjectFile", file).state

    def _rest_of(self, said: Object, start: int) -> bytes:
        """Return an object's bytes from `start` on; an OSError where it was replaced since."""
        return self._store.get(said.key, start, None, said.version)[0]

    def identity(self, under: str = "") -> tuple[int, ...]:
        """Return a number made of the folder's name: in a store, a name means one folder."""
        key = self._key(under)
        folder = f"{key}/" if key and not key.endswith("/") else key
        if any(page.objects or page.folders for page in self._store.level(folder)):
            return (version_number(self.location(under)),)
        if folder:
            self._store.look(folder[:-1])  # raises where there is no such object, either
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR))
        raise FileNotFoundError(ENOENT, NOTHING)

    def location(self, path: str = "") -> str:
        """Return the URL of an object or folder."""
        return f"{self.url}/{from_text(path.removesuffix('/'))}" if path else self.url

    def absolute(self) -> str:
        """Return the URL, which is always absolute."""
        return self.url

    def real(self) -> str:
        """Return the URL: there are no links."""
        return self.url

    def outermost(self) -> str:
        """Return the URL of the bucket."""
        return "/".join(self.url.split("/")[:3])

    def within(self, location: str) -> str | None:
        """Return a URL as a path below the root."""
        if location == self.url:
            return ""
        start = f"{self.url}/"
        return to_text(location[len(start) :]) if location.startswith(start) else None

    def stored(self) -> str:
        """Return the URL as text that is stored."""
        return to_text(self.url)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object whose first bytes, or all, were fetched: a worker reads it without the store."""

    content: bytes
    said: Object

    @property
    def is_far(self) -> bool:
        """Say that it was fetched."""
        return True

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open the object; reading beyond the fetched bytes raises NotFetchedError."""
        return ObjectFile(self.content, self.said, _not_here)

    def state_of(self, file: BinaryIO) -> FileState:
        """Return the state of the content that was fetched."""
        return cast("ObjectFile", file).state


def _not_here(_: int) -> bytes:
    raise NotFetchedError


class ObjectFile(BytesIO):
    """An object as a file: when a byte beyond the first ones is read, all others are requested."""

    def __init__(self, content: bytes, said: Object, rest: Callable[[int], bytes]) -> None:
        super().__init__(content)
        self.state = _state(said)
        self._here = len(content)
        self._rest = rest

    def read(self, size: int | None = -1, /) -> bytes:
        """Return what comes next."""
        self._fill(size)
        return super().read(size)

    def readinto(self, buffer: Any, /) -> int:
        """Read what comes next into a buffer; return how many bytes."""
        self._fill(len(buffer))
        return super().readinto(buffer)

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Go to where the next bytes are read; return that."""
        if whence == SEEK_END:
            return super().seek(self.state.size + offset)
        return super().seek(offset, whence)

    def _fill(self, size: int | None) -> None:
        """Request the other bytes, where the next `size` go beyond the first ones."""
        at = self.tell()
        wanted = self.state.size if size is None or size < 0 else at + size
        if min(wanted, self.state.size) <= self._here:
            return
        rest = self._rest(self._here)
        super().seek(self._here)
        self.write(rest)
        self._here += len(rest)
        super().seek(at)


def _state(said: Object) -> FileState:
    return FileState(said.size, folded(said.modified_ns), 0, version_number(said.version))


def version_number(text: str) -> int:
    """Return the number that is stored, as the inode, for an object's ETag."""
    return int.from_bytes(sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], signed=True)


class _SortedOut:
    """Sorts listed objects, which come in order, into images and what is passed over."""

    def __init__(self, start: str, span: Span, excluded: tuple[str, ...]) -> None:
        self.tally = Tally(excludes(excluded))
        self._start = start
        self._span = span
        self._folder: str | None = None  # key of the object before
        self._passed: str | None = None  # folder of that object, where it is passed over

    def found(self, objects: Iterable[Object]) -> Iterator[list[FoundFile] | Passed]:
        """Yield images in runs, and between them what is passed over."""
        run: list[FoundFile] = []
        for one in objects:
            judged = self._judged(one)
            if isinstance(judged, FoundFile):
                run.append(judged)
            elif judged is not None:
                if run:
                    yield run
                    run = []
                yield judged
        if run:
            yield run

    def _judged(self, one: Object) -> FoundFile | Passed | None:
        path = to_text(one.key[len(self._start) :])
        folder, name = path[: path.rfind("/") + 1], path[path.rfind("/") + 1 :]
        if not name or not self._span.holds(path):
            return None
        passed = self._passed
        if folder != self._folder:
            self._folder, self._passed = folder, self._passed_over(folder, passed)
        if self._passed is not None:
            if is_litter(_name_of(self._passed), ""):
                self.tally.seen.litter[_name_of(self._passed)] += 1
            return Passed(self._passed) if self._passed != passed else None
        if is_image(name):
            if self.tally.passes(path, name):
                return Passed(path)
            return FoundFile(path, *_state(one), one.version)
        if self.tally.excludes is None or not self.tally.excludes(path):
            self.tally.count(name)
        return None

    def _passed_over(self, folder: str, before: str | None) -> str | None:
        """Return the outermost folder around an object that is passed over: litter, or excluded."""
        if before is not None and folder.startswith(before):
            return before
        parts = folder.split("/")[:-1]
        for number, name in enumerate(parts, 1):
            outer = "/".join(parts[:number]) + "/"
            if is_litter(name, "") or self.tally.leaves_out(outer, FOLDER):
                return outer
        return None


def _name_of(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]
