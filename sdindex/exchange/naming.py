"""How images of a sample are named where no archive's root stands before them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Protocol

from sdindex.archive.natural import sort_key


class Boxed(Protocol):
    """Where in an image a label is: fractions of its width and height, from the top left."""

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
        """From the left edge to the right one."""

    @property
    def height(self) -> float:
        """From the upper edge to the lower one."""


class SaidOf(Protocol):
    """A label that a source gives an image, once for each box."""

    @property
    def label(self) -> str:
        """The label."""

    @property
    def confidence(self) -> float | None:
        """From 0 to 1; None where none is given."""

    @property
    def source(self) -> str:
        """Who says so."""

    @property
    def is_human(self) -> bool:
        """Whether that is a person."""

    @property
    def box(self) -> Boxed | None:
        """Where it is; None where that is not said."""


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
        """Where those of the labels are that have boxes."""

    @property
    def said(self) -> Sequence[SaidOf]:
        """Who says which label, and where."""

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
    """Names for the images of some archives, and for their cameras, which no others have.

    Parameters
    ----------
    roots
        Those of the archives that images are named of.
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
        """Return a path with forward slashes, below a folder made for these images.

        It is relative to the archive or, where there are several, to a folder that contains each
        archive in a folder of its own.
        """
        return self.path_of(image.archive, image.relative_path)

    def path_of(self, archive: str, path: str) -> str:
        """Return such a path, given the archive's root and the path that is relative to it."""
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
    """Return a folder's name for each archive: its own, with a number where two are the same.

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
