"""One image file read, for tests that have no archive."""

import sys
from pathlib import Path

from sdindex.archive.names import to_text
from sdindex.archive.roots import LocalRoot
from sdindex.hashing.image import read_image
from sdindex.hashing.methods import Method
from sdindex.hashing.picture import ImageRead, get_ready


def read(file: Path | str, method: Method, *, whole: bool = False) -> ImageRead:
    """Read an image file by its name alone."""
    path = Path(file)
    return read_image(LocalRoot(str(path.parent)), to_text(path.name), method, whole=whole)


def imported_to_get_ready() -> list[str]:
    """Return what this process imports until it has read its first image."""
    before = set(sys.modules)
    get_ready()
    return sorted(set(sys.modules) - before)
