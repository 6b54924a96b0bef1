"""Reading the files that a survey listed, and storing what they hold in batches."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdindex.archive.changes import Reason
from sdindex.archive.names import from_text, printable
from sdindex.archive.roots import Identity
from sdindex.archive.scan import reason
from sdindex.errors import ArchiveUnavailableError, UsageError
from sdindex.hashing.methods import METHODS, Method
from sdindex.hashing.picture import PRELOAD, ImageRead, get_ready, read_image
from sdindex.indexing.summary import Summary
from sdindex.indexing.survey import folder_identity, unavailable
from sdindex.progress import bar
from sdindex.store import images, selection, worklist
from sdindex.store.archives import Part
from sdindex.store.database import Session
from sdindex.store.labels import spoken_for
from sdindex.store.tables import utc_now
from sdindex.store.worklist import FileToRead

if TYPE_CHECKING:
    from tqdm import tqdm

# An interruption loses at most one batch.
BATCH_FILES = 256
BATCH_SECONDS = 2.0

# Why a file is read again that need not have changed.
_SAME_FILE = (Reason.METHOD, Reason.UNSETTLED)

log = logging.getLogger("sdindex")

Submit = Callable[[FileToRead], Future[ImageRead]]


@dataclass(frozen=True)
class Reading:
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


def read_listed(
    session: Session, part: Part, to_read: int, reading: Reading, summary: Summary
) -> None:
    """Read the files that the survey listed, `to_read` of them, and store the results."""
    with ExitStack() as stack:
        workers = min(reading.workers, to_read)
        submit = _submit(stack, part, workers, reading)
        shown = bar(to_read, "reading", show=reading.progress)
        _read(session, part, submit, workers, summary, stack.enter_context(shown))


def _submit(stack: ExitStack, part: Part, workers: int, reading: Reading) -> Submit:
    """Return what gives a file to a worker."""
    from sdindex.workers import Workers

    pool = reading.executor or stack.enter_context(
        Workers(workers, reading.timeout, preload=PRELOAD, initializer=get_ready)
    )

    def read(file: FileToRead) -> Future[ImageRead]:
        log.info("%s: %s", file.reason, printable(from_text(file.path)))
        return pool.submit(read_image, part.root, file.path, part.archive.method)

    return read


def _read(
    session: Session,
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
    batch = _Batch(session, part, summary)
    files = worklist.files(session)
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
            elif file.image_id is not None:
                batch.add_gone(file.image_id)
        batch.store_when_due()
    batch.store()


def _is_systems(result: ImageRead | None) -> bool:
    """Say whether a file was not given, so that the whole disk may be gone."""
    return result is None or (result.error is not None and not result.settled)


def _is_same_folder(part: Part, identity: Identity) -> bool:
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

    def __init__(self, session: Session, part: Part, summary: Summary) -> None:
        self._session = session
        self._part = part
        self._summary = summary
        self._new: dict[str, ImageRead] = {}
        self._known: dict[int, ImageRead] = {}
        self._rewritten: list[int] = []
        self._gone: list[int] = []
        self._since = time.monotonic()

    def add(self, file: FileToRead, result: ImageRead) -> None:
        if file.image_id is None:
            self._new[file.path] = result
        else:
            self._known[file.image_id] = result
            if file.reason not in _SAME_FILE:
                self._rewritten.append(file.image_id)

    def add_gone(self, image_id: int) -> None:
        """Record that a changed file is gone: its old hash is none of what it was last."""
        self._gone.append(image_id)

    def store_when_due(self) -> None:
        full = len(self._new) + len(self._known) >= BATCH_FILES
        if full or time.monotonic() - self._since >= BATCH_SECONDS:
            self.store()

    def store(self) -> None:
        images.add(self._session, self._part.archive, self._new)
        self._count_what_is_kept()
        images.replace(self._session, self._part.archive, self._known)
        images.set_missing(self._session, self._gone, utc_now())
        self._session.commit()
        self._new.clear()
        self._known.clear()
        self._rewritten.clear()
        self._gone.clear()
        self._since = time.monotonic()

    def _count_what_is_kept(self) -> None:
        """Count the images that show something else now, and have labels of what they showed."""
        before = selection.hashes(self._session, self._rewritten)
        pictures = {row: self._known[row].picture for row in before}
        other = [row for row, it in pictures.items() if it and it.dhash != before[row]]
        labelled, sampled = spoken_for(self._session, other)
        self._summary.labels_kept += labelled
        self._summary.samples_kept += sampled
