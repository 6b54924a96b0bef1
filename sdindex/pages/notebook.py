"""A sample in a notebook: a few of its pictures, side by side."""

from collections.abc import Sequence

from sdindex.arguments import DEFAULT_WORKERS
from sdindex.pages.sheet import even, pictures, rendered, tile
from sdindex.store.sampled import SampledImage

MOST, SIDE = 24, 240  # pictures, and the pixels of each


def sheet(images: Sequence[SampledImage]) -> str:
    """Return an even subset of a sample as HTML, without styles that would act elsewhere."""
    shown = even(images, MOST)
    made = pictures([(image, SIDE) for image in shown], DEFAULT_WORKERS, progress=False)
    return rendered(
        "notebook.html.j2",
        images=len(images),
        cameras=len({(image.archive, image.camera) for image in images}),
        tiles=[tile(image, picture) for image, picture in zip(shown, made, strict=True)],
    )
