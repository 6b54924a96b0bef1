"""Index a camera-trap archive once, then draw a varied sample of any size at once."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdindex.compat import (
        plot_bucket_distribution,
        plot_hash_similarity_scatter,
        sample_diverse,
        sample_diverse_with_stats,
    )
    from sdindex.errors import (
        ArchiveError,
        ArchiveUnavailableError,
        IndexMissingError,
        IndexUnusableError,
        LabelFileError,
        OutputError,
        QueryError,
        SampleError,
        SdindexError,
        UsageError,
    )
    from sdindex.index import Index
    from sdindex.labels import LabelCount, LabelImport
    from sdindex.options import SampleOptions
    from sdindex.overview import ArchiveStatus, Camera, Status, UnreadableImage
    from sdindex.quality import Measure, Quality
    from sdindex.samples import SavedSample
    from sdindex.selection import Bucket, SampledImage
    from sdindex.update import Summary

__all__ = [
    "ArchiveError",
    "ArchiveStatus",
    "ArchiveUnavailableError",
    "Bucket",
    "Camera",
    "Index",
    "IndexMissingError",
    "IndexUnusableError",
    "LabelCount",
    "LabelFileError",
    "LabelImport",
    "Measure",
    "OutputError",
    "Quality",
    "QueryError",
    "SampleError",
    "SampleOptions",
    "SampledImage",
    "SavedSample",
    "SdindexError",
    "Status",
    "Summary",
    "UnreadableImage",
    "UsageError",
    "plot_bucket_distribution",
    "plot_hash_similarity_scatter",
    "sample_diverse",
    "sample_diverse_with_stats",
]

# Imported when first used, so that `sdindex --help` and a worker do not wait for the database.
_PLACES = {
    **dict.fromkeys([name for name in __all__ if name.endswith("Error")], "sdindex.errors"),
    **dict.fromkeys([name for name in __all__ if name.islower()], "sdindex.compat"),
    "Bucket": "sdindex.selection",
    "Index": "sdindex.index",
    "Summary": "sdindex.update",
    "SampledImage": "sdindex.selection",
    "SampleOptions": "sdindex.options",
    "SavedSample": "sdindex.samples",
    "Measure": "sdindex.quality",
    "Quality": "sdindex.quality",
    "LabelCount": "sdindex.labels",
    "LabelImport": "sdindex.labels",
    "ArchiveStatus": "sdindex.overview",
    "Camera": "sdindex.overview",
    "Status": "sdindex.overview",
    "UnreadableImage": "sdindex.overview",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
