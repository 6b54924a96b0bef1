"""How images of a sample are named where no archive's root stands before them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Protocol

from sdindex.archive.natural import sort_key


class Sampled(Protocol):
    """What is known of an image of a sample; `sdindex.SampledImage` is one."""

    @property
    def path(self) -> str:
        """Absolute, as ``os`` functions take it."""

    @property
    def relative_path(self) -> str:
        """Relative to the archive's root, with forward slashes."""

    @property
    def archive(self) -> str:
        """The archive's root."""

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
    def burst(self) -> int | None:
        """The same number for the images of one burst, and for no others."""


def places(images: Sequence[Sampled]) -> list[str]:
    """Return a path for each image, with forward slashes, that no other image has.

    It is relative to the archive or, where the images are from several, to a folder that
    holds each archive in a folder of its own.
    """
    prefixes = _prefixes(image.archive for image in images)
    return [prefixes[image.archive] + image.relative_path for image in images]


def cameras(images: Sequence[Sampled]) -> list[str]:
    """Return a name for the camera of each image: see `camera_names`."""
    return camera_names([(image.archive, image.camera) for image in images])


def camera_names(cameras: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each camera of an archive, which those of other archives do not have.

    It is never empty: a camera that is an archive's root has the archive's name.
    """
    names = archive_names(archive for archive, _ in cameras)
    several = len(names) > 1
    return [
        f"{names[archive]}/{camera}".rstrip("/") if several or not camera else camera
        for archive, camera in cameras
    ]


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


def _prefixes(roots: Iterable[str]) -> dict[str, str]:
    names = archive_names(roots)
    return {root: f"{name}/" if len(names) > 1 else "" for root, name in names.items()}
