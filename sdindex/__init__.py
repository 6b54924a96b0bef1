"""Index a camera-trap archive once, then draw a varied sample of any size at once."""

# Nothing is imported here, so that `python -m sdindex` can first take the current folder off the
# path of imports; and a worker, or `sdindex --help`, does not wait for the database.
TYPE_CHECKING = False  # as type checkers know it

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
        ReadingError,
        SampleError,
        SdindexError,
        UsageError,
    )
    from sdindex.exchange.card import SampleCard
    from sdindex.exchange.copies import FilesPut
    from sdindex.exchange.label_export import LabelExport
    from sdindex.exchange.label_import import LabelImport
    from sdindex.indexing.summary import Summary
    from sdindex.reviewing import Review
    from sdindex.sample import Sample
    from sdindex.sampling.options import Clock, SampleOptions
    from sdindex.sampling.quality import Measure, Quality
    from sdindex.smartdownsample import (
        plot_bucket_distribution,
        plot_hash_similarity_scatter,
        sample_diverse,
        sample_diverse_with_stats,
    )
    from sdindex.store.decisions import Decision
    from sdindex.store.labels import LabelCount
    from sdindex.store.likeness import DuplicateGroup, DuplicateImage, Duplicates, SimilarImage
    from sdindex.store.overview import ArchiveStatus, Camera, Status, UnreadableImage
    from sdindex.store.query import Answer
    from sdindex.store.sampled import SampledImage
    from sdindex.store.samples import SavedSample
    from sdindex.store.selection import Bucket
    from sdindex.store.splits import SplitPart

    __version__: str

__all__ = [
    "Answer",
    "ArchiveError",
    "ArchiveStatus",
    "ArchiveUnavailableError",
    "Bucket",
    "Camera",
    "Clock",
    "Decision",
    "DuplicateGroup",
    "DuplicateImage",
    "Duplicates",
    "FilesPut",
    "Index",
    "IndexMissingError",
    "IndexUnusableError",
    "LabelCount",
    "LabelExport",
    "LabelFileError",
    "LabelImport",
    "Measure",
    "OutputError",
    "Quality",
    "QueryError",
    "ReadingError",
    "Review",
    "Sample",
    "SampleCard",
    "SampleError",
    "SampleOptions",
    "SampledImage",
    "SavedSample",
    "SdindexError",
    "SimilarImage",
    "SplitPart",
    "Status",
    "Summary",
    "UnreadableImage",
    "UsageError",
    "__version__",
    "plot_bucket_distribution",
    "plot_hash_similarity_scatter",
    "sample_diverse",
    "sample_diverse_with_stats",
]

_MODULES = {
    **dict.fromkeys([name for name in __all__ if name.endswith("Error")], "sdindex.errors"),
    **dict.fromkeys([name for name in __all__ if name[0].islower()], "sdindex.smartdownsample"),
    "Answer": "sdindex.store.query",
    "Bucket": "sdindex.store.selection",
    "Clock": "sdindex.sampling.options",
    "Decision": "sdindex.store.decisions",
    "FilesPut": "sdindex.exchange.copies",
    "Index": "sdindex.api",
    "Review": "sdindex.reviewing",
    "Summary": "sdindex.indexing.summary",
    "Sample": "sdindex.sample",
    "SampleCard": "sdindex.exchange.card",
    "SampledImage": "sdindex.store.sampled",
    "SampleOptions": "sdindex.sampling.options",
    "SavedSample": "sdindex.store.samples",
    "SplitPart": "sdindex.store.splits",
    "Measure": "sdindex.sampling.quality",
    "Quality": "sdindex.sampling.quality",
    **dict.fromkeys(
        ["DuplicateGroup", "DuplicateImage", "Duplicates", "SimilarImage"], "sdindex.store.likeness"
    ),
    "LabelCount": "sdindex.store.labels",
    "LabelExport": "sdindex.exchange.label_export",
    "LabelImport": "sdindex.exchange.label_import",
    "ArchiveStatus": "sdindex.store.overview",
    "Camera": "sdindex.store.overview",
    "Status": "sdindex.store.overview",
    "UnreadableImage": "sdindex.store.overview",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("sdindex")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
