"""Pictures of images for the page: decoded in isolated processes, small ones kept."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sdindex.archive.names import to_text
from sdindex.archive.roots import root_of
from sdindex.pages.decoding import decoders, picture_of
from sdindex.pages.thumbnails import Thumbnail, thumbnail
from sdindex.store.sampled import SampledImage
from sdindex.web.cache import Cache

SIDES = (360, 1600, 3200)  # pixels: in the sheet, and enlarged on screens of two sizes


class Pictures:
    """Makes pictures of images, or returns why there is none.

    Parameters
    ----------
    pool
        Processes that decode.
    cache
        Keeps the pictures of the sheet.
    """

    def __init__(self, pool: Any, cache: Cache) -> None:
        self._pool, self._cache = pool, cache

    async def of(self, image: SampledImage, side: int) -> Thumbnail:
        """Return a picture of an image, at most `side` pixels large."""
        root = root_of(image.archive)
        stamp = f"{image.dhash}:{image.width}x{image.height}:{image.taken_at}"
        key = f"{image.path}\0{stamp}\0{side}"
        if side == SIDES[0]:
            kept = await asyncio.to_thread(self._cache.get, key)
            if kept is not None:
                return Thumbnail(kept, None)
        future = self._pool.submit(thumbnail, root, to_text(image.relative_path), side)
        await asyncio.gather(asyncio.wrap_future(future), return_exceptions=True)
        found = picture_of(future)
        if side == SIDES[0] and found.jpeg is not None:
            await asyncio.to_thread(self._cache.put, key, found.jpeg)
        return found


@contextmanager
def making(archives: set[str], workers: int, cache: Cache) -> Iterator[Pictures]:
    """Give a `Pictures` while the block runs; unfinished pictures are not waited for."""
    with ExitStack() as stack:
        processes = stack.enter_context(decoders(archives, workers))
        try:
            yield Pictures(processes, cache)
        finally:
            ended = KeyboardInterrupt()
            stack.pop_all().__exit__(KeyboardInterrupt, ended, None)
