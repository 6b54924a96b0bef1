"""Bringing an index up to date: survey each archive, then read what is new or changed."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sdindex.archive import cameras
from sdindex.archive.names import absolute, from_text, is_inside, printable
from sdindex.archive.natural import sort_key
from sdindex.archive.scan import Unlooked, reason
from sdindex.errors import ArchiveError, ArchiveUnavailableError, UsageError
from sdindex.hashing.methods import METHODS, Method, stored_name
from sdindex.hashing.picture import ImageRead, read_image
from sdindex.indexing.survey import (
    FileToRead,
    Survey,
    files_to_read,
    folder_identity,
    survey,
    unavailable,
)
from sdindex.progress import bar
from sdindex.store import archives, frames
from sdindex.store.archives import Part
from sdindex.store.clock import utc_now
from sdindex.store.database import Store
from sdindex.store.tables import archive as archive_table
from sdindex.store.tables import image

if TYPE_CHECKING:
    from tqdm import tqdm

DEFAULT_WORKERS = 4
DEFAULT_TIMEOUT = 60.0  # seconds; a read that takes longer hangs
# An interruption loses at most one batch.
BATCH_FILES = 256
BATCH_SECONDS = 2.0

# What is stored of a `Picture`; nothing of an image that could not be read.
_STORED = ("dhash", "brightness", "width", "height", "taken_at")

log = logging.getLogger("sdindex")

Submit = Callable[[FileToRead], Future[ImageRead]]


@dataclass
class Summary:
    """What an update did, in numbers of files, and how long it took.

    Each file found counts once: as `new` or `changed` (read and hashed), `moved`,
    `unchanged`, `unreadable` (read now or before), or `skipped` (gone before it was read).
    `without_thumbnail` are those that ``--method thumbnail`` had to read whole.
    `missing` files were there at the last update, and are not now. `read` files were opened.
    `unlooked` names the places that could not be looked at, each with the reason.
    """

    found: int = 0
    new: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    missing: int = 0
    unreadable: int = 0
    skipped: int = 0
    read: int = 0
    without_thumbnail: int = 0
    seconds: float = 0.0
    unlooked: list[Unlooked] = field(default_factory=list)

    def add(self, part: Part, surveyed: Survey) -> None:
        """Count what a survey has settled without reading."""
        self.found += surveyed.found
        self.moved += surveyed.moved
        self.unchanged += surveyed.unchanged
        self.missing += surveyed.missing
        self.unreadable += surveyed.unreadable
        self.unlooked += [
            Unlooked(absolute(part.archive.root, place.path), place.reason)
            for place in surveyed.unlooked
        ]

    def unlooked_line(self) -> str:
        """Return one line on the places that could not be looked at."""
        first = self.unlooked[0]
        others = f" and {len(self.unlooked) - 1:,} more" if len(self.unlooked) > 1 else ""
        return (
            f"could not look at {printable(first.path)} ({first.reason}){others}; "
            "what was known there is kept: make it readable and index again"
        )

    def __str__(self) -> str:
        counted = (
            f"{self.found:,} files: {self.new:,} new, {self.changed:,} changed, "
            f"{self.moved:,} moved, {self.unchanged:,} unchanged, {self.unreadable:,} unreadable"
        )
        skipped = f", {self.skipped:,} skipped" if self.skipped else ""
        whole = (
            f", {self.without_thumbnail:,} of them whole, for want of a thumbnail"
            if self.without_thumbnail
            else ""
        )
        rate = f" ({self.read / self.seconds:,.0f} images/s)" if self.read else ""
        return (
            f"{counted}{skipped}; {self.missing:,} missing; "
            f"{self.read:,} read in {self.seconds:.1f} s{rate}{whole}"
        )


def update(
    store: Store,
    paths: Sequence[str],
    *,
    workers: int = DEFAULT_WORKERS,
    method: Method | None = None,
    strict: bool = False,
    camera_pattern: str | None = None,
    accept_shift: bool = False,
    timeout: float = DEFAULT_TIMEOUT,
    progress: bool | None = False,
    executor: Executor | None = None,
) -> Summary:
    """Bring the index up to date with each folder; see `sdindex.Index.update`."""
    if camera_pattern:
        cameras.camera_pattern(camera_pattern)  # refuses what is none before anything is done
    if strict and accept_shift:
        raise UsageError("strict compares what changes with every shift: not with accept_shift")
    for path in paths:
        archives.require_folder(path)
    outermost = _outermost(paths)

    def parts(connection: sa.Connection) -> Iterator[Part]:
        for path in outermost:
            part = _part(connection, path, method)
            if camera_pattern is not None:
                archives.set_camera_pattern(connection, part.archive, camera_pattern or None)
                part = _part(connection, path, method)
            yield part
            if camera_pattern and archives.names_no_camera(
                connection, part.archive, camera_pattern
            ):
                log.warning(
                    "the camera pattern finds nothing in any path of %s: its cameras are folders",
                    printable(part.archive.root),
                )

    reading = _Reading(workers, method, timeout, executor, progress)
    return _update(store, parts, reading, strict=strict, accept_shift=accept_shift)


def update_files(
    store: Store,
    files: Sequence[str],
    *,
    workers: int = DEFAULT_WORKERS,
    method: Method | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    progress: bool | None = False,
    executor: Executor | None = None,
) -> Summary:
    """Bring the index up to date with single files; see `sdindex.Index.update_files`."""

    def parts(connection: sa.Connection) -> Iterator[Part]:
        return iter(archives.parts_of_files(connection, files, method))

    reading = _Reading(workers, method, timeout, executor, progress)
    return _update(store, parts, reading, strict=False)


@dataclass(frozen=True)
class _Reading:
    """How images are to be read: by whom, how, and with what to be seen of it."""

    workers: int
    method: Method | None
    timeout: float
    executor: Executor | None
    progress: bool | None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"workers must be 1 or more, not {self.workers}")
        if self.method not in (None, *METHODS):
            raise UsageError(f"method must be one of {', '.join(METHODS)}, not {self.method!r}")
        if not self.timeout > 0:
            raise UsageError(f"timeout must be more than 0 seconds, not {self.timeout}")


def _update(
    store: Store,
    parts: Callable[[sa.Connection], Iterator[Part]],
    reading: _Reading,
    *,
    strict: bool,
    accept_shift: bool = False,
) -> Summary:
    started = time.monotonic()
    summary = Summary()
    with store.writing(create=True) as connection:
        for part in parts(connection):
            surveyed = survey(
                store,
                connection,
                part,
                strict=strict,
                accept_shift=accept_shift,
                workers=1 if reading.executor else reading.workers,
                progress=reading.progress,
            )
            connection.commit()
            summary.add(part, surveyed)
            if surveyed.to_read:
                with ExitStack() as stack:
                    workers = min(reading.workers, surveyed.to_read)
                    submit = _submit(stack, part, workers, reading)
                    shown = bar(surveyed.to_read, "reading", show=reading.progress)
                    _read(connection, part, submit, workers, summary, stack.enter_context(shown))
            _stamp(connection, part)
        frames.bring_up_to_date(connection)
        connection.commit()
    summary.seconds = time.monotonic() - started
    return summary


def _outermost(paths: Sequence[str]) -> list[str]:
    """Return the folders without those that are named twice, or lie in another one named."""
    places = [os.path.realpath(path) for path in paths]
    return [
        path
        for number, (path, place) in enumerate(zip(paths, places, strict=True))
        if not any(
            is_inside(place, other) and (place != other or earlier < number)
            for earlier, other in enumerate(places)
            if earlier != number
        )
    ]


def _part(connection: sa.Connection, path: str, method: Method | None) -> Part:
    """Return the part of an archive that a path names: a new archive where it lies in none."""
    part = archives.locate(path, archives.all_archives(connection))
    if part is None:
        return Part(archives.add(connection, path, method), "")
    if method is None or method == part.archive.method:
        return part
    if part.under:
        raise ArchiveError(
            f"{printable(path)} is part of an archive hashed with --method {part.archive.method}, "
            f"and two methods do not mix; change the whole: sdindex index --method {method} "
            f"{printable(part.archive.root)}"
        )
    connection.execute(
        archive_table.update().where(archive_table.c.id == part.archive.id).values(method=method)
    )
    return Part(part.archive._replace(method=method), "")


def _submit(stack: ExitStack, part: Part, workers: int, reading: _Reading) -> Submit:
    """Return what gives a file to a worker."""
    from sdindex.workers import Workers

    pool = reading.executor or stack.enter_context(Workers(workers, reading.timeout))

    def read(file: FileToRead) -> Future[ImageRead]:
        log.info("%s: %s", file.reason, printable(from_text(file.path)))
        place = absolute(part.archive.root, file.path)
        return pool.submit(read_image, place, part.archive.method)

    return read


def _read(
    connection: sa.Connection,
    part: Part,
    submit: Submit,
    workers: int,
    summary: Summary,
    bar: "tqdm[Any]",
) -> None:
    """Read what the survey listed, and store the results in batches."""
    from sdindex.workers import IN_FLIGHT_PER_WORKER, completed

    in_flight = workers * IN_FLIGHT_PER_WORKER
    identity = folder_identity(part)
    batch = _Batch(connection, part)
    files = files_to_read(connection)
    for done in completed(files, submit, in_flight=in_flight, wait_seconds=BATCH_SECONDS):
        if done is not None:
            file, future = done
            result = _outcome(file, future)
            if _is_systems(result) and not _is_same_folder(part, identity):
                batch.store()
                raise unavailable(part, "went away while it was being read")
            _count(summary, file, result, part.archive.method)
            bar.update()
            if result is not None:
                batch.add(file, result)
        batch.store_when_due()
    batch.store()


def _is_systems(result: ImageRead | None) -> bool:
    """Say whether a file was not given, so that the whole disk may be gone."""
    return result is None or (result.error is not None and not result.settled)


def _is_same_folder(part: Part, identity: tuple[int, int]) -> bool:
    try:
        return folder_identity(part) == identity
    except ArchiveUnavailableError:
        return False


def _outcome(file: FileToRead, future: Future[ImageRead]) -> ImageRead | None:
    """Return what reading a file gave; None when the file is gone."""
    from sdindex.workers import WorkerDiedError

    problem = future.exception()
    if problem is None:
        return future.result()
    if isinstance(problem, FileNotFoundError | NotADirectoryError):
        return None
    # What failed for the system's sake may work next time: such a file stays unsettled.
    failed = ImageRead(file.state, settled=False, read_at=utc_now())
    if isinstance(problem, TimeoutError) and not isinstance(problem.errno, int):  # not a network's
        return failed._replace(error="reading it hung, and was given up (see --timeout)")
    if isinstance(problem, WorkerDiedError):
        return failed._replace(error="its reader died: the decoder crashed, or memory ran out")
    if isinstance(problem, MemoryError):
        return failed._replace(error="too large for the memory of this machine")
    if isinstance(problem, OSError):
        return failed._replace(error=f"cannot be read: {reason(problem)}")
    raise problem


def _count(summary: Summary, file: FileToRead, result: ImageRead | None, method: Method) -> None:
    if result is None:
        summary.skipped += 1
        return
    summary.read += 1
    if result.error is not None:
        summary.unreadable += 1
    elif file.image_id is None:
        summary.new += 1
    else:
        summary.changed += 1
    if method == "thumbnail" and result.picture and not result.picture.thumbnail:
        summary.without_thumbnail += 1
    for note in result.notes:
        log.info("%s: %s", printable(from_text(file.path)), printable(note))


class _Batch:
    """Results that are stored together: a commit each would cost more than the reading."""

    def __init__(self, connection: sa.Connection, part: Part) -> None:
        self._connection = connection
        self._part = part
        self._new: list[dict[str, Any]] = []
        self._known: list[dict[str, Any]] = []
        self._since = time.monotonic()

    def add(self, file: FileToRead, result: ImageRead) -> None:
        row = {
            "method": stored_name(self._part.archive.method),
            "error": result.error,
            "settled": result.settled,
            "indexed_at": result.read_at,
            "missing_since": None,
            **result.state._asdict(),
            **{name: getattr(result.picture, name, None) for name in _STORED},
        }
        if file.image_id is None:
            row |= {
                "archive_id": self._part.archive.id,
                "path": file.path,
                "sort_key": sort_key(from_text(file.path)),
                "camera": self._part.archive.camera_of(file.path),
            }
            self._new.append(row)
        else:
            self._known.append(row | {"row": file.image_id})

    def store_when_due(self) -> None:
        full = len(self._new) + len(self._known) >= BATCH_FILES
        if full or time.monotonic() - self._since >= BATCH_SECONDS:
            self.store()

    def store(self) -> None:
        if self._new or self._known:
            frames.discard(self._connection)
        if self._new:
            self._connection.execute(image.insert(), self._new)
        if self._known:
            self._connection.execute(
                image.update().where(image.c.id == sa.bindparam("row")), self._known
            )
        self._connection.commit()
        self._new.clear()
        self._known.clear()
        self._since = time.monotonic()


def _stamp(connection: sa.Connection, part: Part) -> None:
    connection.execute(
        archive_table.update()
        .where(archive_table.c.id == part.archive.id)
        .values(updated_at=utc_now())
    )
    connection.commit()
