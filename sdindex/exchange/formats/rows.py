"""A sample as CSV or JSON with all that is known of each image."""

from collections.abc import Collection
from typing import IO

from sdindex.exchange import tables
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Sampled
from sdindex.exchange.records import of_sample


def write_csv(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write a row for each image."""
    tables.write_rows(*of_sample(images, relative=wishes.relative), "csv", output)


def write_json(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write an object for each image."""
    tables.write_rows(*of_sample(images, relative=wishes.relative), "json", output)
