"""Object stores, such as a bucket, through fsspec: listings, objects' bytes and states.

fsspec knows every kind of store that people name, with its ways to log in, and keys such as
``a//b.jpg`` or ``../c.jpg``; one such key makes obstore's listing fail. For S3, fsspec's client is
called: fsspec's files neither tell an ETag nor take ``If-Match``, and listings are kept in memory.
Objects of plain names are read through obstore (`sdindex.archive.s3_obstore`).
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from errno import EACCES, EBUSY, EIO, ENOENT, EPERM, ETIMEDOUT
from functools import lru_cache
from importlib.util import find_spec
from threading import Lock
from typing import Any, NamedTuple, Protocol, TypeVar

from sdindex.archive.names import printable
from sdindex.archive.s3_obstore import ObstoreReads
from sdindex.errors import ArchiveError

# The extra that installs the package for a kind of URL; fsspec itself names other packages.
EXTRAS = {
    "s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs",
    "az": "azure", "abfs": "azure", "abfss": "azure", "memory": "s3",
}  # fmt: skip
_S3 = ("s3", "s3a")
_LOG_IN = {
    "s3": "log in as AWS programs do (AWS_PROFILE, AWS_ACCESS_KEY_ID, aws sso login); a public "
    "bucket needs FSSPEC_S3_ANON=true",
    "gs": "log in with: gcloud auth application-default login; a public bucket needs "
    "FSSPEC_GS_TOKEN=anon",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME, and log in with: az login",
}
REQUESTS = 64  # requests at once to one store, at most: so many connections are kept open
TRIES = 5
FIRST_PAUSE = 0.25  # seconds before the second try; before each later one twice as long as before
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 30.0
NOTHING = "nothing is there"
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_NO_ENTRY = frozenset({401, 403})
_EXPIRED = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})  # status 400 in S3
_COLD = "InvalidObjectState"  # status 403 in S3: the object is on tape, or the like
_NOTHING_THERE = frozenset({404, 410})
_CHANGED = 412
_NO_SUCH_RANGE = 416

Answer = TypeVar("Answer")


class Object(NamedTuple):
    """An object: its key, size and time, and its `version`: the ETag, or what stands for one."""

    key: str
    size: int
    modified_ns: int
    version: str


class Page(NamedTuple):
    """A part of a listing: its objects, and the folders (beginnings of keys), both in order."""

    objects: list[Object]
    folders: list[str]


class ObjectStore(Protocol):
    """A bucket, or whatever else has objects with keys. Whatever it refuses is an OSError."""

    def level(self, prefix: str) -> Iterator[Page]:
        """Yield what lies in a folder, not below its folders, in pages in order."""
        ...

    def below(self, prefix: str, after: str = "") -> Iterator[list[Object]]:
        """Yield all objects below a folder, whose keys come after one, in pages in order."""
        ...

    def look(self, key: str) -> Object:
        """Return an object's size, time and version."""
        ...

    def get(self, key: str, start: int, end: int | None, version: str) -> tuple[bytes, Object]:
        """Return an object's bytes from `start` up to `end`, as of a version where it is given."""
        ...


@lru_cache(maxsize=8)
def store_of(scheme: str, bucket: str) -> ObjectStore:
    """Return the object store for a URL's scheme and its bucket, or host.

    Raises
    ------
    ArchiveError
        When a package is missing, or fsspec knows no such URLs.
    """
    try:
        import fsspec
    except ImportError as problem:
        raise _missing(scheme) from problem
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in _S3:
        options["config_kwargs"] = {
            "retries": {"max_attempts": 0},  # retries are made here, for every kind of store
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": ANSWER_SECONDS,
            "max_pool_connections": REQUESTS,
            "response_checksum_validation": "when_required",
        }
    try:
        files = fsspec.filesystem(scheme, **options)
    except ImportError as problem:
        raise _missing(scheme, str(problem)) from problem
    except ValueError as problem:
        raise ArchiveError(
            f"{scheme}:// cannot be read ({printable(str(problem))}); mount it as a folder, or "
            "copy the images"
        ) from problem
    return S3(files, bucket) if scheme in _S3 else FsspecStore(files, f"{scheme}://{bucket}")


def _missing(scheme: str, said: str = "") -> ArchiveError:
    extra = EXTRAS.get(scheme)
    way_out = f"pip install 'sdindex[{extra}]'" if extra else said or "pip install fsspec"
    return ArchiveError(f"images at {scheme}:// need a package that is not installed: {way_out}")


class S3:
    """A bucket of S3, or of a server that speaks as it does."""

    def __init__(self, files: Any, bucket: str) -> None:
        self._files = files
        self._bucket = bucket
        self._beginning = Lock()
        self._begun = False
        self._obstore_reads: ObstoreReads | None = None

    def level(self, prefix: str) -> Iterator[Page]:
        """Yield what lies in a folder, in pages in order."""
        yield from self._pages({"Prefix": prefix, "Delimiter": "/"})

    def below(self, prefix: str, after: str = "") -> Iterator[list[Object]]:
        """Yield all objects below a folder, in pages in order."""
        where = {"Prefix": prefix} | ({"StartAfter": after} if after else {})
        for page in self._pages(where):
            yield page.objects

    def look(self, key: str) -> Object:
        """Return an object's size, time and version."""
        return _of_s3(key, self._ask("head_object", Key=key))

    def get(self, key: str, start: int, end: int | None, version: str) -> tuple[bytes, Object]:
        """Return an object's bytes from `start` up to `end`."""
        obstore = self._obstore()
        read = obstore and obstore.get(key, start, end, version)
        if read:
            return read[0], _of_s3(key, read[1])
        asked = {"IfMatch": version} if version else {}
        if start or end is not None:
            asked["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        try:
            answer = self._ask("get_object", Key=key, **asked)
        except _EmptyError:  # an empty object has no first byte
            answer = self._ask("get_object", Key=key)
        return answer["Body"], _of_s3(key, answer)

    def _obstore(self) -> ObstoreReads | None:
        with self._beginning:
            if not self._begun:
                self._begun = True
                # Without obstore, all is read by s3fs.
                if find_spec("obstore") is not None:
                    seconds = (CONNECT_SECONDS, ANSWER_SECONDS)
                    self._obstore_reads = ObstoreReads(self._files, self._bucket, *seconds)
            return self._obstore_reads

    def _pages(self, where: dict[str, str]) -> Iterator[Page]:
        last = ""
        more: dict[str, str] = {}
        while True:
            answer = self._ask("list_objects_v2", **where, **more)
            objects = [_of_s3(entry["Key"], entry) for entry in answer.get("Contents", ())]
            folders = [entry["Prefix"] for entry in answer.get("CommonPrefixes", ())]
            keys = sorted([one.key for one in objects] + folders)
            if (keys and keys[0] < last) or [one.key for one in objects] != sorted(
                one.key for one in objects
            ):
                raise OSError(EIO, "the store lists its objects in no order, as S3 Express does")
            last = keys[-1] if keys else last
            yield Page(objects, folders)
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def _ask(self, verb: str, **asked: Any) -> dict[str, Any]:
        from fsspec.asyn import sync

        return patiently(lambda: sync(self._files.loop, self._asked, verb, asked), "s3")

    async def _asked(self, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        await self._files.set_session()
        client = await self._files.get_s3(self._bucket)
        answer: dict[str, Any] = await getattr(client, verb)(Bucket=self._bucket, **asked)
        if "Body" in answer:
            async with answer["Body"] as body:
                answer["Body"] = await body.read()
            if len(answer["Body"]) != answer["ContentLength"]:
                raise ConnectionError("cut short")
        return answer


class FsspecStore:
    """Any other store of fsspec's whose objects can be listed, looked at and read in parts."""

    def __init__(self, files: Any, url: str) -> None:
        self._files = files
        self._base = str(files._strip_protocol(url)).rstrip("/") + "/"
        self._scheme = url.partition("://")[0]

    def level(self, prefix: str) -> Iterator[Page]:
        """Yield what lies in a folder, as a page."""
        folder = f"{self._base}{prefix}".rstrip("/")
        entries = self._ask(lambda: self._files.ls(folder, detail=True))
        objects, folders = [], []
        for entry in entries:
            name = str(entry["name"])
            if name.rstrip("/") == folder:  # the folder is an object itself, or has one as its mark
                continue
            key = name.removeprefix(self._base)
            if entry["type"] == "directory":
                folders.append(f"{key.rstrip('/')}/")
            elif entry.get("size") is None:
                objects.append(self.look(key))
            else:
                objects.append(_of_any(key, entry))
        yield Page(sorted(objects), sorted(folders))

    def below(self, prefix: str, after: str = "") -> Iterator[list[Object]]:
        """Yield all objects below a folder, folder by folder, in order."""
        for page in self.level(prefix):
            for run in in_order(page):
                if not isinstance(run, str):
                    yield [one for one in run if one.key > after]
                elif run > after or after.startswith(run):
                    yield from self.below(run, after)

    def look(self, key: str) -> Object:
        """Return an object's size, time and version."""
        said = self._ask(lambda: self._files.info(f"{self._base}{key}"))
        if said["type"] == "directory":
            raise FileNotFoundError(ENOENT, NOTHING)
        return _of_any(key, said)

    def get(self, key: str, start: int, end: int | None, version: str) -> tuple[bytes, Object]:
        """Return an object's bytes from `start` up to `end`."""
        said = self.look(key)
        if version and said.version != version:
            raise _replaced()
        name = f"{self._base}{key}"
        stop = said.size if end is None else min(end, said.size)
        if start >= stop:
            return b"", said
        part = {} if (start, stop) == (0, said.size) else {"start": start, "end": stop}
        content: bytes = self._ask(lambda: self._files.cat_file(name, **part))
        if len(content) != stop - start or self.look(key) != said:
            raise _replaced()
        return content, said

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        return patiently(question, self._scheme)


def in_order(page: Page) -> Iterator[list[Object] | str]:
    """Yield a page's objects in runs, and its folders between them."""
    objects = page.objects
    start = 0
    for folder in page.folders:
        end = start
        while end < len(objects) and objects[end].key < folder:
            end += 1
        if end > start:
            yield objects[start:end]
        yield folder
        start = end
    if objects[start:]:
        yield objects[start:]


def patiently(question: Callable[[], Answer], scheme: str) -> Answer:
    """Return a store's answer; ask again, after longer and longer pauses, where it is busy.

    Raises
    ------
    OSError
        When it refuses, or is busy each time; FileNotFoundError where there is no such object.
    """
    pause = FIRST_PAUSE
    for tries_left in reversed(range(TRIES)):
        try:
            return question()
        except Exception as problem:
            told = _told(problem, scheme, again=bool(tries_left))
            if told is not None:
                raise told from problem
        time.sleep(pause * (1 + time.monotonic_ns() % 1000 / 1000))  # not all at the same moment
        pause *= 2
    raise AssertionError


class _EmptyError(OSError):
    """An object has none of the bytes that were requested."""


def _told(problem: Exception, scheme: str, *, again: bool) -> BaseException | None:
    """Return the error to be raised for a store's; None where the request may be made again."""
    status, said = _status(problem)
    if status in _NOTHING_THERE or isinstance(problem, FileNotFoundError | NotADirectoryError):
        is_bucket = said == "NoSuchBucket"
        return FileNotFoundError(ENOENT, "there is no such bucket" if is_bucket else NOTHING)
    if status in _NO_ENTRY or said in _EXPIRED or isinstance(problem, PermissionError):
        why = printable(said or str(status or problem))
        cold = PermissionError(EPERM, f"it is archived ({why}): restore it, and index again")
        denied = PermissionError(EACCES, f"access denied ({why}); {_log_in(scheme)}")
        return cold if why == _COLD else denied
    if status == _CHANGED:
        return _replaced()
    if status == _NO_SUCH_RANGE:
        return _EmptyError(EIO, "it is shorter than it was")
    kind = type(problem).__name__
    if "Credential" in kind or kind in ("ProfileNotFound", "TokenRetrievalError", "SSOError"):
        return PermissionError(EACCES, f"no credentials ({kind}); {_log_in(scheme)}")
    is_late = "Timeout" in kind or isinstance(problem, TimeoutError)
    is_lost = isinstance(problem, OSError) or any(
        word in kind for word in ("Connection", "Payload", "Incomplete", "Disconnected", "Closed",
                                  "Stream", "ResponseError")
    )  # fmt: skip
    if status not in _BUSY and not is_late and not is_lost:
        return problem if status is None else OSError(EIO, f"the store answers {status} {said}")
    if again:
        return None
    if status is not None:
        return OSError(EIO, f"the store answers {status} {said}, after {TRIES} tries")
    if is_late:
        return OSError(ETIMEDOUT, f"the store does not answer in time, after {TRIES} tries")
    return OSError(EIO, f"the connection to the store fails ({kind}), after {TRIES} tries")


def _status(problem: BaseException | None) -> tuple[int | None, str]:
    """Return the HTTP status and the error code in an exception of a client."""
    while problem is not None:
        answer = getattr(problem, "response", None)
        if isinstance(answer, dict):
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return status, str(answer.get("Error", {}).get("Code", ""))
        for name in ("status", "status_code", "code"):
            status = getattr(problem, name, None)
            # aiohttp's error of this name means that an answer was cut short.
            if isinstance(status, int) and "http_exceptions" not in type(problem).__module__:
                return status, str(getattr(problem, "error_code", "") or "")
        problem = problem.__cause__
    return None, ""


def _log_in(scheme: str) -> str:
    ways = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}
    return _LOG_IN.get(ways.get(scheme, scheme), "log in as other programs do")


def _replaced() -> OSError:
    return OSError(EBUSY, "it was replaced while it was read")


def _of_s3(key: str, said: dict[str, Any]) -> Object:
    size = said.get("Size", said.get("ContentLength", 0))
    if "ContentRange" in said:
        size = int(said["ContentRange"].rpartition("/")[2])
    return Object(key, size, _nanoseconds(said.get("LastModified")), said.get("ETag", ""))


def _of_any(key: str, said: dict[str, Any]) -> Object:
    times = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")
    modified = next((said[name] for name in times if said.get(name)), None)
    versions = ("ETag", "etag", "generation", "md5Hash", "content_md5")
    time_ns = _nanoseconds(modified)
    version = next((said[name] for name in versions if said.get(name)), time_ns)
    # Azure quotes an ETag where it is asked for one object, and does not in a listing.
    return Object(key, int(said["size"]), time_ns, str(version).strip('"'))


def _nanoseconds(when: Any) -> int:
    """Return a time, however a store writes it, in nanoseconds since 1970; 0 where it is none."""
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            return 0
    if isinstance(when, datetime):
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        when = aware.timestamp()
    return round(when * 1e6) * 1000 if isinstance(when, int | float) else 0
