"""Paths of images in a dataset with parts, such as train and val."""

import posixpath
from collections.abc import Collection, Iterable

from sdindex.exchange.naming import Naming, Sampled

TRAIN = "train"  # the part when the sample is not split


def part_of(image: Sampled) -> str:
    """Return the part that an image is in."""
    return image.split or TRAIN


def parts(images: Iterable[Sampled]) -> list[str]:
    """Return the parts that images are in, train first."""
    found = {part_of(image) for image in images}
    return sorted(found, key=lambda part: (part != TRAIN, part))


def paths_by_stem(images: Collection[Sampled], below: str = "") -> list[str]:
    """Return a path for each image, in its part's folder; no two differ only in their suffix.

    Else ``a.jpg`` and ``a.png`` would share a file of labels; the second becomes ``a.png.png``.
    """
    naming = Naming.of(images)
    taken: set[str] = set()
    found = []
    for image in images:
        path = f"{below}{part_of(image)}/{naming.path(image)}"
        stem, end = posixpath.splitext(path)
        while stem.casefold() in taken:
            stem += end
        taken.add(stem.casefold())
        found.append(stem + end)
    return found
