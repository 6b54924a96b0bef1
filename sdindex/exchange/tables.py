"""Writing rows as CSV and JSON, as they come; and showing one value in a table."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import IO, Literal

from sdindex.archive.names import printable

RowFormat = Literal["csv", "json"]

# The beginnings of cells that a spreadsheet runs as a formula (the last four are wide forms, which
# some take for the same), and the apostrophe, which marks text there.
_ACTING = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    form: RowFormat,
    output: IO[bytes],
) -> None:
    """Write rows as CSV or JSON, as they come."""
    if form == "csv":
        write_csv(columns, rows, output)
        return
    names = _distinct(columns)
    finite = ([_finite(value) for value in row] for row in rows)
    write_json((dict(zip(names, row, strict=True)) for row in finite), output)


def write_csv(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    output: IO[bytes],
    *,
    for_people: bool = True,
) -> None:
    """Write rows as CSV with a header, in UTF-8; names that are no UTF-8 are written byte for byte.

    With `for_people`, text that a spreadsheet would run as a formula, or that begins with an
    apostrophe, gets an apostrophe in front: see `from_cell`.
    """
    inert = _inert if for_people else _as_it_is
    text = io.TextIOWrapper(
        output, encoding="utf-8", errors="surrogateescape", newline="", write_through=True
    )
    try:
        writer = csv.writer(text)
        writer.writerow([inert(column) for column in columns])
        writer.writerows([inert(_plain(value)) for value in row] for row in rows)
    finally:
        text.detach()  # else the wrapper would close the output


def write_json(records: Iterable[object], output: IO[bytes]) -> None:
    r"""Write records, or plain values, as a JSON array, a line each, in ASCII.

    Bytes of a name that are no text become escapes such as ``\udcff``, which Python's
    ``json`` and ``os.fsencode`` turn back into the bytes.
    """
    before = b"[\n"
    for record in records:
        output.write(before + json.dumps(record, default=_plain).encode("ascii"))
        before = b",\n"
    output.write((b"\n" if before == b",\n" else b"[\n") + b"]\n")


def from_cell(cell: str) -> str:
    """Return the text of a cell that `write_csv` wrote: without the apostrophe in front."""
    return cell.removeprefix("'")


def shown(value: object) -> str:
    """Return a value as a table for people shows it."""
    match value:
        case None:
            return "-"
        case datetime():
            return value.isoformat(" ", "seconds")
        case bytes():
            return value.hex()
        case bool():
            return _truth(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case Mapping():
            return printable(_listed(value))
    return printable(str(value))


def _distinct(names: Sequence[str]) -> list[str]:
    """Return distinct names: a query may give two columns the same name."""
    distinct: list[str] = []
    for name in names:
        free = name
        for number in count(2):
            if free not in distinct and (free == name or free not in names):
                break
            free = f"{name}_{number}"
        distinct.append(free)
    return distinct


def _finite(value: object) -> object:
    """Return a value for JSON, which has neither infinity nor NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _as_it_is(value: object) -> object:
    return value


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_ACTING) else value


def _truth(value: object) -> str:
    return "true" if value else "false"


def _plain(value: object) -> object:
    match value:
        case bool():
            return _truth(value)
        case datetime():
            return value.isoformat(" ")
        case tuple():  # labels
            return "|".join(value)
        case bytes():
            return value.hex()
        case Mapping():  # a saved sample's options
            return _listed(value)
    return value


def _listed(options: Mapping[str, object]) -> str:
    return "; ".join(
        f"{name}={', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in options.items()
    )
