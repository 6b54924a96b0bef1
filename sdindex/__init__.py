"""Index a camera-trap archive once, then draw a varied sample of any size at once."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdindex.errors import (
        ArchiveError,
        ArchiveUnavailableError,
        IndexMissingError,
        IndexUnusableError,
        SampleError,
        SdindexError,
    )
    from sdindex.index import Index
    from sdindex.indexing import Summary
    from sdindex.overview import ArchiveStatus, Status, UnreadableImage
    from sdindex.selection import SampledImage

__all__ = [
    "ArchiveError",
    "ArchiveStatus",
    "ArchiveUnavailableError",
    "Index",
    "IndexMissingError",
    "IndexUnusableError",
    "SampleError",
    "SampledImage",
    "SdindexError",
    "Status",
    "Summary",
    "UnreadableImage",
]

# Imported when first used, so that `sdindex --help` and a worker do not wait for the database.
_PLACES = {
    **dict.fromkeys([name for name in __all__ if name.endswith("Error")], "sdindex.errors"),
    "Index": "sdindex.index",
    "Summary": "sdindex.indexing",
    "SampledImage": "sdindex.selection",
    "ArchiveStatus": "sdindex.overview",
    "Status": "sdindex.overview",
    "UnreadableImage": "sdindex.overview",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
