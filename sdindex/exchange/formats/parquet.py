"""A sample as a Parquet file, with all that is known of each image."""

from collections.abc import Collection
from typing import IO, Any

from sdindex.archive.names import to_text
from sdindex.errors import OutputError
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Sampled
from sdindex.exchange.records import of_sample
from sdindex.store.fetching import batched

_TOGETHER = 10_000  # rows of a Parquet row group
_PATHS = ("path", "relative_path", "archive", "camera", "burst", "event")


def write(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    r"""Write a row for each image; labels with their sources are a list in it.

    Parquet has only Unicode: a byte of a name that is no text is written ``\xff``, and a
    backslash ``\\``, as in the index.

    Raises
    ------
    OutputError
        When pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # an extra, for this alone
        import pyarrow.parquet as pq
    except ImportError as problem:
        raise OutputError("Parquet needs pyarrow: pip install 'sdindex[parquet]'") from problem
    columns, rows = of_sample(images, relative=wishes.relative)
    schema = pa.schema([*((name, _type(name, pa)) for name in columns), ("said", _said_type(pa))])
    with pq.ParquetWriter(output, schema) as writer:
        told = (
            {**dict(zip(columns, map(_plain, columns, row), strict=True)), "said": _said(image)}
            for row, image in zip(rows, images, strict=True)
        )
        for some in batched(told, _TOGETHER):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


def _type(name: str, pa: Any) -> Any:
    if name in ("bucket", "width", "height", "number_in_burst", "burst_size"):
        return pa.uint64() if name == "bucket" else pa.int32()
    if name in ("brightness", "motion"):
        return pa.float64()
    if name == "taken_at":
        return pa.timestamp("us")
    return pa.list_(pa.string()) if name == "labels" else pa.string()


def _said_type(pa: Any) -> Any:
    box = [(name, pa.float64()) for name in ("x", "y", "width", "height")]
    return pa.list_(
        pa.struct(
            [
                ("label", pa.string()),
                ("confidence", pa.float64()),
                ("source", pa.string()),
                ("is_human", pa.bool_()),
                ("box", pa.struct(box)),
            ]
        )
    )


def _said(image: Sampled) -> list[dict[str, Any]]:
    return [
        {
            "label": said.label,
            "confidence": said.confidence,
            "source": said.source,
            "is_human": said.is_human,
            "box": None
            if said.box is None
            else {side: getattr(said.box, side) for side in ("x", "y", "width", "height")},
        }
        for said in image.said
    ]


def _plain(name: str, value: object) -> object:
    if name in _PATHS and isinstance(value, str):
        return to_text(value)
    return list(value) if isinstance(value, tuple) else value
