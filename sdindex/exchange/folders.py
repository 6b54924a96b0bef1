"""Writing the folder of a format: a new one, whole or not at all, or one with images."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from sdindex.archive.names import printable
from sdindex.archive.roots import root_of
from sdindex.archive.scan import reason
from sdindex.errors import OutputError
from sdindex.exchange.manifest import MANIFEST
from sdindex.exchange.output import draft_suffix, refuse_link, replacing


class Folder:
    """A folder that the files of a format are written into.

    Attributes
    ----------
    has_images
        Whether the images of the sample lie in it, too.
    """

    def __init__(self, path: str, *, has_images: bool) -> None:
        self._path = path
        self.has_images = has_images

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """Give a file to write to; its path is below the folder, with forward slashes."""
        path = os.path.join(self._path, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        refuse_link(path, "choose another folder, or remove the link")
        with replacing(path) as file:
            yield file


@contextmanager
def new_folder(path: str, archives: Iterable[str]) -> Iterator[Folder]:
    """Give a new folder to write into; it gets its name when the block ends without an error.

    Parameters
    ----------
    archives
        The archives' roots: nothing is written into them.

    Raises
    ------
    OutputError
        When its name is taken, but for an empty folder, or it cannot be written.
    """
    refuse_inside(path, archives)
    refuse_link(path, "name the folder itself, or remove the link")
    was_there = os.path.lexists(path)
    if was_there and not _removed(path):
        raise OutputError(f"{printable(path)} is there already; name a new folder")
    draft = path.rstrip(os.sep) + draft_suffix()
    try:
        os.makedirs(draft)
        try:
            yield Folder(draft, has_images=False)
            os.rename(draft, path)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            if was_there:
                os.mkdir(path)
            raise
    except OSError as problem:
        raise OutputError(f"cannot write {printable(path)}: {reason(problem)}") from problem


@contextmanager
def folder_of_images(path: str) -> Iterator[Folder]:
    """Give the folder that images were put in, to write the format's files there.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    try:
        yield Folder(path, has_images=True)
    except OSError as problem:
        raise OutputError(f"cannot write {printable(path)}: {reason(problem)}") from problem


def refuse_foreign(path: str) -> None:
    """Refuse a folder with other files, which the format's files might replace.

    Raises
    ------
    OutputError
        When it is not empty and has no manifest of ours.
    """
    is_ours = os.path.exists(os.path.join(path, MANIFEST))
    if os.path.lexists(path) and not is_ours and not _removed(path):
        raise OutputError(f"{printable(path)} has other files; name a new folder")


def refuse_inside(folder: str, archives: Iterable[str]) -> None:
    """Refuse a folder in an archive: the next update would take the files for new images.

    Raises
    ------
    OutputError
        When the folder lies in one, or is a URL.
    """
    if "://" in folder:
        raise OutputError(f"{printable(folder)} is a URL; files are put in folders only")
    real = os.path.realpath(folder)
    for archive in archives:
        if root_of(root_of(archive).real()).within(real) is not None:
            raise OutputError(
                f"{printable(folder)} lies in the archive {printable(archive)}, whose next update "
                "would take what is put there for new images; choose a folder outside"
            )


def _removed(path: str) -> bool:
    """Remove a folder that is empty; say whether it was."""
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True
