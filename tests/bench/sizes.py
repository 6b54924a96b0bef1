"""How much each part of the benchmark does."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sizes:
    """How often each side runs, and on how many files and images; where other programs are."""

    runs: int = 5
    originals: int = 300  # of 8 megapixels, to hash
    decoded: int = 20  # of 8 megapixels, in each format that is no JPEG
    far: int = 3200  # small files, 20 ms away each
    files: int = 100_000  # to scan
    images: int = 1_000_000  # to select from
    archives: int = 1  # of so many images each, in a PostgreSQL database
    shards: int = 64  # to merge
    pictures: Path = Path()  # the folder of originals
    peer: Path | None = None  # the programs of smartdownsample's environment
