"""Reviewing in a browser: the server, until it is told to end."""

import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sdindex.reviewing import Review
from sdindex.web.app import Page
from sdindex.web.cache import Cache
from sdindex.web.pictures import making
from sdindex.web.serving import serving

if TYPE_CHECKING:
    from sdindex.api import Index


@contextmanager
def served(
    index: "Index",
    review: Review,
    *,
    port: int = 0,
    read_only: bool = False,
    workers: int,
    cache: Path | None = None,
) -> Iterator[str]:
    """Serve a review's page to this machine while the block runs, and give its address."""
    archives = {archive.root for archive in index.status().archives}
    with making(archives, workers, Cache(cache)) as pictures:
        page = Page(index, review, pictures, read_only=read_only)
        with serving(page.app(), port) as address:
            yield address


def run(
    index: "Index",
    review: Review,
    say: Callable[[str], object],
    *,
    port: int,
    read_only: bool,
    browser: bool,
    workers: int,
) -> None:
    """Serve a review's page until this process is interrupted.

    Raises
    ------
    SampleError, ArchiveError, QueryError
        When its sample cannot be drawn.
    """
    review.draw(review.count, review.options)
    with served(index, review, port=port, read_only=read_only, workers=workers) as address:
        say(address)
        if browser:
            webbrowser.open(address)
        ended = threading.Event()
        while not ended.wait(1):  # Windows interrupts no longer wait
            pass
