"""`ReviewPage`: a review's page, served to this machine until it is closed."""

import threading
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sdindex.reviewing import Review
from sdindex.web.app import Page
from sdindex.web.cache import Cache
from sdindex.web.pictures import making
from sdindex.web.serving import serving

if TYPE_CHECKING:
    from sdindex.labelling import Labelling


@contextmanager
def served(
    index: "Labelling",
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


class ReviewPage:
    """The page of a review, which is served in threads beside the program until it is closed.

    It ends with `close`, with a ``with`` block, and with the program.

    Parameters
    ----------
    index, review
        The index and the review that the page shows.
    port
        0 means any free port.
    read_only
        Let nothing be decided or saved.
    workers
        Processes that make the pictures.

    Attributes
    ----------
    address
        With the token that lets a browser in.
    review
        What the page decides on; a program may ask it, too.

    Raises
    ------
    SampleError, ArchiveError, QueryError
        When its sample cannot be drawn.
    """

    def __init__(
        self,
        index: "Labelling",
        review: Review,
        *,
        port: int = 0,
        read_only: bool = False,
        workers: int,
    ) -> None:
        review.draw(review.count, review.options)
        self.review, self._serving = review, ExitStack()
        self.address = self._serving.enter_context(
            served(index, review, port=port, read_only=read_only, workers=workers)
        )

    def show(self) -> None:
        """Open the page in a browser."""
        webbrowser.open(self.address)

    def wait(self) -> None:
        """Wait until the program is interrupted, by Ctrl-C or a notebook's stop button."""
        ended = threading.Event()
        while not ended.wait(1):  # Windows interrupts no longer wait
            pass

    def close(self) -> None:
        """End the page; what was decided is in the index."""
        self._serving.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<a review at {self.address}; close() ends it>"

    def _repr_html_(self) -> str:
        """Return a link, as notebooks show it."""
        link = escape(self.address)
        return f'<a href="{link}" target="_blank">{link}</a>; <code>close()</code> ends it'
