"""Results as bytes for programs, and as tables for people."""

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import IO, Any, Literal

from sdindex.names import printable
from sdindex.overview import UnreadableImage
from sdindex.selection import SampledImage

SampleFormat = Literal["paths", "null", "csv", "json"]
TableFormat = Literal["table", "csv", "json"]


def write_sample(
    sample: Sequence[SampledImage], form: SampleFormat, output: IO[bytes], *, relative: bool
) -> None:
    """Write a sample.

    `paths` and `null` give each path byte for byte, ended by a newline or a zero byte;
    `csv` and `json` give all that is known of each image.
    """
    match form:
        case "paths" | "null":
            end = b"\n" if form == "paths" else b"\0"
            for one in sample:
                output.write(os.fsencode(one.relative_path if relative else one.path) + end)
        case "csv":
            write_csv(_records(sample, relative=relative), _columns(relative=relative), output)
        case "json":
            write_json(_records(sample, relative=relative), output)


def write_unreadable(
    unreadable: Sequence[UnreadableImage], form: TableFormat, output: IO[bytes]
) -> None:
    """Write the files that could not be read, and why."""
    if form == "table":
        print_table(["path", "reason"], [(one.path, one.reason) for one in unreadable])
    elif form == "csv":
        names = [field.name for field in fields(UnreadableImage)]
        write_csv(map(asdict, unreadable), names, output)
    else:
        write_json(map(asdict, unreadable), output)


def write_csv(records: Iterable[dict[str, Any]], columns: Sequence[str], output: IO[bytes]) -> None:
    """Write records as CSV with a header, in UTF-8; a name that is no text byte for byte."""
    text = io.TextIOWrapper(
        output, encoding="utf-8", errors="surrogateescape", newline="", write_through=True
    )
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in record.items()} for record in records)
    text.detach()


def write_json(records: Iterable[dict[str, Any]], output: IO[bytes]) -> None:
    r"""Write records as a JSON array, a line each, in ASCII.

    Bytes of a name that are no text become escapes such as ``\udcff``, which Python's
    ``json`` and ``os.fsencode`` turn back into the bytes.
    """
    lines = (json.dumps(record, default=_plain) for record in records)
    output.write(b"[")
    for place, line in enumerate(lines):
        output.write((b",\n" if place else b"\n") + line.encode("ascii"))
    output.write(b"\n]\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print an aligned table on stdout, fit to the terminal; numbers are set to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown = [list(row) for row in rows]
    for place, column in enumerate(columns):
        numbers = all(isinstance(row[place], int | float | None) for row in shown)
        table.add_column(column, justify="right" if numbers and shown else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(_cell(value)) for value in row))
    # Into a pipe goes every row on one line, however long.
    Console(width=None if sys.stdout.isatty() else 100_000).print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float | datetime):
        return printable(str(value))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:,}"


def _columns(*, relative: bool) -> list[str]:
    names = [field.name for field in fields(SampledImage)]
    return [name for name in names if name != "relative_path"] if relative else names


def _records(sample: Iterable[SampledImage], *, relative: bool) -> Iterable[dict[str, Any]]:
    for one in sample:
        record = asdict(one)
        if relative:
            record["path"] = record.pop("relative_path")
        yield record


def _plain(value: object) -> object:
    return value.isoformat(" ") if isinstance(value, datetime) else value
