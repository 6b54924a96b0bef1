"""A sample as MegaDetector takes it, and as it gives it: paths, and results with boxes."""

from collections.abc import Collection
from typing import IO

from sdindex.errors import OutputError
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, Sampled
from sdindex.exchange.tables import write_json


def write(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write a JSON list of paths: absolute, as they are to be opened, or relative."""
    if wishes.relative:
        write_json(map(Naming.of(images).path, images), output)
    else:
        write_json((image.path for image in images), output)


def write_results(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write what the index knows of the images as MegaDetector's results."""
    if wishes.results is None:
        raise OutputError("results are known to an index alone: see sdindex.Index.export_labels")
    wishes.results(images, output, wishes.relative)
