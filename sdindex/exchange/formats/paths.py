"""A sample as paths, byte for byte, each ended by a newline or a zero byte."""

import os
from collections.abc import Collection, Iterable
from typing import IO

from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Sampled


def write_lines(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write a path a line."""
    write_paths(_paths(images, wishes), output, end=b"\n")


def write_null(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write paths that each end with a zero byte: no file's name has one."""
    write_paths(_paths(images, wishes), output, end=b"\0")


def write_paths(paths: Iterable[str], output: IO[bytes], *, end: bytes) -> None:
    """Write paths byte for byte, each with what ends it."""
    output.writelines(os.fsencode(path) + end for path in paths)


def _paths(images: Collection[Sampled], wishes: Wishes) -> Iterable[str]:
    return (image.relative_path if wishes.relative else image.path for image in images)
