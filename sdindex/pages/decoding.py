"""Processes that make thumbnails, and the result of each."""

from collections.abc import Iterable
from concurrent.futures import Future

from sdindex.archive.roots import root_of
from sdindex.archive.scan import reason
from sdindex.arguments import DEFAULT_TIMEOUT
from sdindex.hashing.picture import get_ready
from sdindex.indexing.fetching import Fetching
from sdindex.pages.thumbnails import PRELOAD, Thumbnail
from sdindex.workers import Workers

_REQUESTS = 16  # requests at once for far pictures


def decoders(archives: Iterable[str], workers: int) -> Fetching | Workers:
    """Return processes that make thumbnails, fed by threads where files are far."""
    if any(root_of(archive).is_far for archive in archives):
        many = max(workers, _REQUESTS)
        return Fetching(many, DEFAULT_TIMEOUT, preload=PRELOAD, initializer=get_ready)
    return Workers(workers, DEFAULT_TIMEOUT, preload=PRELOAD, initializer=get_ready)


def picture_of(future: "Future[Thumbnail]") -> Thumbnail:
    """Return a finished thumbnail, or the reason why there is none."""
    problem = future.exception()
    if problem is None:
        return future.result()
    if isinstance(problem, FileNotFoundError):
        return Thumbnail(None, "the file is not there")
    if isinstance(problem, OSError):
        return Thumbnail(None, f"cannot be read: {reason(problem)}")
    return Thumbnail(None, "crashed the decoder")
