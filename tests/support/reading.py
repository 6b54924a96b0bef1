"""One image file read, for tests that have no archive."""

from pathlib import Path

from sdindex.archive.names import to_text
from sdindex.archive.roots import LocalRoot
from sdindex.hashing.image import read_image
from sdindex.hashing.methods import Method
from sdindex.hashing.picture import ImageRead


def read(file: Path | str, method: Method, *, whole: bool = False) -> ImageRead:
    """Read an image file by its name alone."""
    path = Path(file)
    return read_image(LocalRoot(str(path.parent)), to_text(path.name), method, whole=whole)
