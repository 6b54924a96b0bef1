"""A sample as paths, byte for byte, each ended by a newline or a zero byte."""

import os
from collections.abc import Collection, Iterable
from typing import IO

from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Sampled
from sdindex.store.fetching import batched

_TOGETHER = 1000  # paths that are written at once


def write_lines(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write a path a line."""
    write_paths(_paths(images, wishes), output, end="\n")


def write_null(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write paths that each end with a zero byte: no file's name has one."""
    write_paths(_paths(images, wishes), output, end="\0")


def write_paths(paths: Iterable[str], output: IO[bytes], *, end: str) -> tuple[int, int]:
    """Write paths byte for byte as they come, each followed by `end`.

    Return how many paths there are, and how many ends: more, if a path contains one.
    """
    written = ends = 0
    for some in batched(paths, _TOGETHER):
        text = end.join([*some, ""])
        written += len(some)
        ends += text.count(end)
        output.write(os.fsencode(text))
    return written, ends


def _paths(images: Collection[Sampled], wishes: Wishes) -> Iterable[str]:
    return (image.relative_path if wishes.relative else image.path for image in images)
