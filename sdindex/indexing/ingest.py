"""Reading the files that a survey listed, and storing the results in batches."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sdindex.archive.changes import Reason
from sdindex.archive.names import from_text, printable
from sdindex.archive.scan import Unlooked, reason
from sdindex.arguments import choice
from sdindex.errors import ArchiveUnavailableError, ReadingError, UsageError
from sdindex.hashing.methods import METHODS, Method, head_of
from sdindex.hashing.picture import PRELOAD, ImageRead, get_ready, read_image
from sdindex.indexing.executors import refuse_to_run_modules_here
from sdindex.indexing.outcomes import Refused, outcome, submitted
from sdindex.indexing.summary import Summary
from sdindex.indexing.survey import folder_identity, unavailable
from sdindex.indexing.vanished import Vanished
from sdindex.progress import bar
from sdindex.store import images, selection, worklist
from sdindex.store.archives import Again, Part
from sdindex.store.database import Session
from sdindex.store.labels import with_labels_or_samples
from sdindex.store.tables import utc_now
from sdindex.store.worklist import FileToRead

if TYPE_CHECKING:
    from sdindex.indexing.fetching import Fetching
    from sdindex.workers import Workers

# Files and seconds of a batch: an interruption loses at most one batch.
BATCH_FILES = 256
BATCH_SECONDS = 2.0

# A disk that works does not refuse so many files in a row.
MOST_REFUSALS = 20

# Reasons to read a file again that may not have changed.
_SAME_FILE = (Reason.METHOD, Reason.UNSETTLED, Reason.ASKED)
# Reasons after which a file with the same hash counts as unchanged; with `verify`, so does a copy
# with a new time.
_PERHAPS_SAME = (Reason.UNSETTLED, Reason.ASKED)
_COPIED = (Reason.MTIME, Reason.LATER, Reason.EARLIER, Reason.CTIME, Reason.INODE)

_ANOTHER = "shows something else than before, with the same size and time"

log = logging.getLogger("sdindex")

Submit = Callable[[FileToRead], Future[ImageRead]]


@dataclass(frozen=True)
class ReadingOptions:
    """How images are to be read: by which workers, by which method, with which progress."""

    workers: int
    method: Method | None
    timeout: float
    executor: Executor | None
    progress: bool | None
    verify: bool = False  # also unchanged files, and the whole of each
    regrey: bool = False  # also unchanged files without greys
    dask: str | None = None  # the address of a Dask cluster that reads
    ahead: int | None = None  # files that the executor has under way, at most

    @property
    def again(self) -> Again | None:
        """Return which unchanged images are read again: all, those without greys, or none."""
        return "all" if self.verify else "without grey" if self.regrey else None

    def __post_init__(self) -> None:
        if self.method is not None:
            choice("method", self.method, METHODS)
        if self.executor is not None and self.dask is not None and self.ahead is None:
            raise UsageError("an executor or dask reads, and not both")
        if self.executor is not None:
            refuse_to_run_modules_here(self.executor)


def read_listed(
    session: Session, part: Part, to_read: int, reading: ReadingOptions, summary: Summary
) -> None:
    """Read the files that the survey listed, `to_read` of them, and store the results.

    Raises
    ------
    ArchiveUnavailableError
        When another folder is mounted over the archive's.
    ReadingError
        When files can no longer be read at all; what was read before is stored.
    """
    from sdindex.workers import IN_FLIGHT_PER_WORKER, completed

    workers = min(reading.workers, to_read)
    root = part.root
    batch = _Batch(session, part, summary, verify=reading.verify)
    vanished = Vanished(session, part)
    refusals = _Refusals(part, summary, vanished)
    with ExitStack() as stack:
        submit = _submit(stack, part, workers, reading)
        shown = stack.enter_context(bar(to_read, "reading", show=reading.progress))
        jobs = completed(
            worklist.files(session),
            submit,
            in_flight=reading.ahead or workers * IN_FLIGHT_PER_WORKER,
            wait_seconds=BATCH_SECONDS,
        )
        try:
            for done in jobs:
                if done is not None:
                    file, future = done
                    elsewhere = reading.executor is not None
                    result = outcome(future, root, file.path, elsewhere=elsewhere)
                    refusals.look_at(file, result)
                    _count(summary, file, result)
                    if reading.verify and (why := _broken(result)) is not None:
                        summary.damaged.append(Unlooked(root.location(file.path), why))
                    batch.add(file, result)
                    shown.update()
                batch.store_when_due()
        except (ArchiveUnavailableError, ReadingError):
            batch.store()
            raise
    batch.store()
    summary.keep(part, vanished.settle())


def _submit(stack: ExitStack, part: Part, workers: int, reading: ReadingOptions) -> Submit:
    """Return the function that gives a file to a worker."""
    pool: Any = reading.executor  # or anything with its submit
    how: dict[str, Any] = {"whole": True} if reading.verify else {}
    if pool is None:
        pool = stack.enter_context(_pool(part, workers, reading.timeout))
        if part.root.is_far:
            how["head"] = head_of(part.archive.method, whole=reading.verify)

    whole, method = part.root, part.archive.method

    def read(file: FileToRead) -> Future[ImageRead]:
        log.info("%s: %s", file.reason, printable(from_text(file.path)))
        root = whole.at_version(file.version) if file.version else whole
        return submitted(partial(pool.submit, read_image, root, file.path, method, **how))

    return read


def _pool(part: Part, workers: int, timeout: float) -> "Fetching | Workers":
    """Return the program's own processes; threads fetch far files for them."""
    if part.root.is_far:
        from sdindex.indexing.fetching import Fetching

        return Fetching(workers, timeout, preload=PRELOAD, initializer=get_ready)
    from sdindex.workers import Workers

    return Workers(workers, timeout, preload=PRELOAD, initializer=get_ready)


class _Refusals:
    """Watches whether a disk fails, or was replaced, while its files are read."""

    def __init__(self, part: Part, summary: Summary, vanished: Vanished) -> None:
        self._part = part
        self._summary = summary
        self._vanished = vanished
        self._identity = folder_identity(part)
        self._in_a_row = 0

    def look_at(self, file: FileToRead, result: ImageRead | Refused | None) -> None:
        """Raise when a file's result shows that not the file is at fault, but the disk."""
        if isinstance(result, ImageRead):
            self._in_a_row = 0
            return
        self._require_same_folder()
        if result is None:
            self._vanished.add(file)
            return
        if result.failing:
            self._vanished.look_after(file.path)
        path = self._part.root.location(file.path)
        self._summary.refused.append(Unlooked(path, result.why))
        self._in_a_row += result.failing
        if self._in_a_row >= MOST_REFUSALS:
            disk = "store" if self._part.root.is_far else "disk"
            raise ReadingError(
                f"{MOST_REFUSALS} files in a row were not given, the last {printable(path)} "
                f"({result.why}): its {disk} may be failing. What is known of them is kept, and "
                f"what was read is stored; look after the {disk}, and index again"
            )

    def _require_same_folder(self) -> None:
        went = "went away while it was being read"
        try:
            if self._part.root.identity(self._part.under) == self._identity:
                return
        except OSError as problem:
            if self._part.root.is_far:  # the reason says whether to log in, or to wait
                went += f": {reason(problem)}"
            raise unavailable(self._part, went) from problem
        raise unavailable(self._part, went)


def _broken(result: ImageRead | Refused | None) -> str | None:
    if isinstance(result, Refused):
        return result.why
    return None if result is None else result.error


def _count(summary: Summary, file: FileToRead, result: ImageRead | Refused | None) -> None:
    if result is None:
        summary.skipped += 1
        return
    summary.read += 1
    if isinstance(result, Refused):
        summary.unreadable += 1
        return
    if result.error is not None:
        summary.unreadable += 1
    elif file.image_id is None:
        summary.new += 1
    else:
        summary.changed += 1
    if result.picture and result.picture.without_thumbnail:
        summary.without_thumbnail += 1
    for note in result.notes:
        log.info("%s: %s", printable(from_text(file.path)), printable(note))


class _Batch:
    """Results that are stored together, as a commit for each would cost more than reading."""

    def __init__(self, session: Session, part: Part, summary: Summary, *, verify: bool) -> None:
        self._verify = verify
        self._session = session
        self._part = part
        self._summary = summary
        self._new: dict[str, ImageRead] = {}
        self._known: dict[int, ImageRead] = {}
        self._refused: dict[int, ImageRead] = {}
        self._rewritten: list[int] = []
        self._asked: list[int] = []
        self._perhaps_same: list[int] = []
        self._since = time.monotonic()

    def add(self, file: FileToRead, result: ImageRead | Refused | None) -> None:
        if result is None:
            return
        if isinstance(result, Refused):
            failed = ImageRead(file.state, settled=False, read_at=utc_now(), error=result.why)
            if file.image_id is None:
                self._new[file.path] = failed
            else:
                self._refused[file.image_id] = failed
        elif file.image_id is None:
            self._new[file.path] = result
        else:
            self._known[file.image_id] = result
            if file.reason not in _SAME_FILE:
                self._rewritten.append(file.image_id)
            if result.picture is None:
                return
            if file.reason is Reason.ASKED:
                self._summary.regreyed += self._part.again == "without grey"
                self._asked.append(file.image_id)
            if file.reason in _PERHAPS_SAME or (self._verify and file.reason in _COPIED):
                self._perhaps_same.append(file.image_id)

    def store_when_due(self) -> None:
        full = len(self._new) + len(self._known) >= BATCH_FILES
        if full or time.monotonic() - self._since >= BATCH_SECONDS:
            self.store()

    def store(self) -> None:
        images.add(self._session, self._part.archive, self._new)
        self._count_what_is_kept()
        images.replace(self._session, self._part.archive, self._known)
        images.refuse(self._session, self._part.archive, self._refused)
        self._session.commit()
        self._new.clear()
        self._known.clear()
        self._refused.clear()
        self._rewritten.clear()
        self._asked.clear()
        self._perhaps_same.clear()
        self._since = time.monotonic()

    def _count_what_is_kept(self) -> None:
        """Count changed images that show something else now, and have labels or samples."""
        before = selection.hashes(self._session, [*self._rewritten, *self._perhaps_same])
        pictures = {row: self._known[row].picture for row in before}
        other = [row for row, it in pictures.items() if it and it.dhash != before[row]]
        same = len(set(self._perhaps_same).intersection(before).difference(other))
        self._summary.changed -= same
        self._summary.unchanged += same
        rotten = set(self._asked).intersection(other if self._verify else ())
        for _, path in images.paths_of(self._session, rotten):
            self._summary.damaged.append(Unlooked(self._part.root.location(path), _ANOTHER))
        labelled, sampled = with_labels_or_samples(self._session, other)
        self._summary.labels_kept += labelled
        self._summary.samples_kept += sampled
