"""A sample as the list of paths that MegaDetector's ``run_detector_batch`` takes."""

from collections.abc import Collection
from typing import IO

from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, Sampled
from sdindex.exchange.tables import write_json


def write(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write a JSON list of paths: absolute, as they are to be opened, or relative."""
    if wishes.relative:
        write_json(map(Naming.of(images).path, images), output)
    else:
        write_json((image.path for image in images), output)
