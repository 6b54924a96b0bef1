"""`Naming`: unique relative names for images and cameras of several archives; and `Sampled`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Protocol

from sdindex.archive.natural import sort_key


class Boxed(Protocol):
    """The box of a label in an image: fractions of its width and height, from the top left."""

    @property
    def label(self) -> str:
        """The label."""

    @property
    def x(self) -> float:
        """The left edge."""

    @property
    def y(self) -> float:
        """The upper edge."""

    @property
    def width(self) -> float:
        """From the left to the right edge."""

    @property
    def height(self) -> float:
        """From the upper to the lower edge."""


class SaidOf(Protocol):
    """A label of an image from a source: one for each box."""

    @property
    def label(self) -> str:
        """The label."""

    @property
    def confidence(self) -> float | None:
        """From 0 to 1; None where none is given."""

    @property
    def source(self) -> str:
        """The label's source."""

    @property
    def is_human(self) -> bool:
        """Whether the source is a person."""

    @property
    def box(self) -> Boxed | None:
        """Its box, or None."""


class InArchive(Protocol):
    """An image of an archive."""

    @property
    def relative_path(self) -> str:
        """Relative to the archive's root, with forward slashes."""

    @property
    def archive(self) -> str:
        """The archive's root."""


class Sampled(InArchive, Protocol):
    """An image of a sample with its properties; `sdindex.SampledImage` is one."""

    @property
    def path(self) -> str:
        """Absolute, as ``os`` functions take it."""

    @property
    def bucket(self) -> int:
        """The leading bits of the hash, as an unsigned number."""

    @property
    def dhash(self) -> str:
        """The hash as 16 hexadecimal digits."""

    @property
    def taken_at(self) -> datetime | None:
        """The camera's local time."""

    @property
    def width(self) -> int:
        """In pixels."""

    @property
    def height(self) -> int:
        """In pixels."""

    @property
    def camera(self) -> str:
        """A folder relative to the archive, empty for its root, or a name."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Each once, in an order that stays the same."""

    @property
    def boxes(self) -> Sequence[Boxed]:
        """The boxes of labels that have any."""

    @property
    def said(self) -> Sequence[SaidOf]:
        """Each label with its source and box."""

    @property
    def split(self) -> str | None:
        """The part of a split sample that it is in."""

    @property
    def burst(self) -> str | None:
        """The path in the archive of the first image of its burst."""

    @property
    def event(self) -> str | None:
        """The path in the archive of the first image of its event."""

    @property
    def number_in_burst(self) -> int | None:
        """Which image of its burst it is, counted from 1."""

    @property
    def burst_size(self) -> int | None:
        """How many images its burst has."""


class Naming:
    """Unique names for the images of some archives, and for their cameras.

    Parameters
    ----------
    roots
        The roots of the archives.
    """

    def __init__(self, roots: Iterable[str]) -> None:
        self._archives = archive_names(roots)

    @classmethod
    def of(cls, images: Iterable[Sampled]) -> "Naming":
        """Return the naming of the images of a sample."""
        return cls({image.archive for image in images})

    @property
    def only_archive(self) -> str:
        """The archive's name where there is a single archive, else empty text."""
        return next(iter(self._archives.values())) if len(self._archives) == 1 else ""

    def path(self, image: InArchive) -> str:
        """Return an image's path, with forward slashes, in a folder of images of all archives.

        With one archive it is the path in the archive; with several, the archive's name is put
        before it.
        """
        return self.path_of(image.archive, image.relative_path)

    def path_of(self, archive: str, path: str) -> str:
        """Return the same, given the archive's root and the path in it."""
        return path if len(self._archives) == 1 else f"{self._archives[archive]}/{path}"

    def camera(self, image: Sampled) -> str:
        """Return the camera's name: see `camera_name`."""
        return self.camera_name(image.archive, image.camera)

    def camera_name(self, archive: str, camera: str) -> str:
        """Return the name of a camera of an archive, given the archive's root.

        It is never empty: a camera that is an archive's root has the archive's name.
        """
        if len(self._archives) == 1 and camera:
            return camera
        return f"{self._archives[archive]}/{camera}".rstrip("/")


def archive_names(roots: Iterable[str]) -> dict[str, str]:
    """Return a name for each archive, by its root: the folder's, numbered where two are equal.

    The names differ by more than case, and have no slash.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for root in sorted(set(roots), key=sort_key):
        name = own = PurePath(root).name or "disk"
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{own}-{number}"
        taken.add(name.casefold())
        names[root] = name
    return names


def local_time(time: datetime) -> str:
    """Return a camera's time to the second, as most programs read it."""
    return time.isoformat(" ", "seconds")
