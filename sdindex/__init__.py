"""Index a camera-trap archive once, then draw a varied sample of any size at once."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdindex.api import Index
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
    from sdindex.indexing.summary import Summary
    from sdindex.sampling.options import SampleOptions
    from sdindex.sampling.quality import Measure, Quality
    from sdindex.smartdownsample import (
        plot_bucket_distribution,
        plot_hash_similarity_scatter,
        sample_diverse,
        sample_diverse_with_stats,
    )
    from sdindex.store.labels import LabelCount, LabelImport
    from sdindex.store.overview import ArchiveStatus, Camera, Status, UnreadableImage
    from sdindex.store.samples import SavedSample
    from sdindex.store.selection import Bucket, SampledImage

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
    **dict.fromkeys([name for name in __all__ if name.islower()], "sdindex.smartdownsample"),
    "Bucket": "sdindex.store.selection",
    "Index": "sdindex.api",
    "Summary": "sdindex.indexing.summary",
    "SampledImage": "sdindex.store.selection",
    "SampleOptions": "sdindex.sampling.options",
    "SavedSample": "sdindex.store.samples",
    "Measure": "sdindex.sampling.quality",
    "Quality": "sdindex.sampling.quality",
    "LabelCount": "sdindex.store.labels",
    "LabelImport": "sdindex.store.labels",
    "ArchiveStatus": "sdindex.store.overview",
    "Camera": "sdindex.store.overview",
    "Status": "sdindex.store.overview",
    "UnreadableImage": "sdindex.store.overview",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
