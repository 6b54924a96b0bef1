"""The manifest in a folder of put files: what each file is."""

import csv
import os
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import IO

from sdindex.archive.names import printable
from sdindex.errors import OutputError
from sdindex.exchange.naming import Sampled
from sdindex.exchange.output import refuse_link, writing
from sdindex.exchange.tables import from_cell, write_csv

MANIFEST = "sdindex-manifest.csv"
_COLUMNS = ("path", "original", "hash", "bucket", "burst", "camera", "label", "sample")

Row = Mapping[str, str]


def row(image: Sampled, path: str, sample: str, *, as_indexed: bool) -> Row:
    """Return a file's row; without a hash if the file changed since it was indexed."""
    known = (image.dhash, image.bucket) if as_indexed else repeat("", 2)
    burst = "" if image.burst is None else image.burst
    values = (path, image.path, *known, burst, image.camera, "|".join(image.labels), sample)
    return dict(zip(_COLUMNS, map(str, values), strict=True))


def read(folder: str) -> dict[str, Row]:
    """Return the rows of a folder's manifest by path; empty without a manifest.

    Raises
    ------
    OutputError
        When there is something of its name that is no manifest.
    """
    path = os.path.join(folder, MANIFEST)
    refuse_link(path, "nothing was put: choose another folder, or remove the link")
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return _rows(file, path)
    except FileNotFoundError:
        return {}


def write(folder: str, rows: Iterable[Row]) -> None:
    """Write a folder's manifest anew."""
    with writing(os.path.join(folder, MANIFEST)) as output:
        write_csv(_COLUMNS, (list(row.values()) for row in rows), output)


def _rows(file: IO[str], path: str) -> dict[str, Row]:
    reader = csv.DictReader(file, strict=True)
    try:
        rows = list(reader)
        whole = all(tuple(row) == _COLUMNS and None not in row.values() for row in rows)
    except csv.Error:
        whole = False
    if not whole or tuple(reader.fieldnames or ()) != _COLUMNS:
        raise OutputError(f"{printable(path)} is no manifest of sdindex; move it away")
    texts = ({name: from_cell(cell) for name, cell in row.items()} for row in rows)
    return {row["path"]: row for row in texts}
