"""Results as bytes for programs, and as tables for people."""

import csv
import io
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, fields, replace
from datetime import datetime
from itertools import count, islice
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from sdindex.archive.names import printable
from sdindex.store.overview import UnreadableImage
from sdindex.store.samples import SavedSample
from sdindex.store.selection import Bucket, SampledImage

if TYPE_CHECKING:
    from sdindex.sampling.quality import Quality

SampleFormat = Literal["paths", "null", "csv", "json"]
TableFormat = Literal["table", "csv", "json"]

QUALITY_COLUMNS = ("measure", "of", "sample", "random", "stride")

_TABLE_ROWS = 1000
# How a cell begins that a spreadsheet runs as a formula; the last four are the wide forms that
# some take for the same. An apostrophe says that text follows, and so is one that is text itself.
_ACTING = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BAR_WIDTH = 24


def write_sample(
    sample: Sequence[SampledImage], form: SampleFormat, output: IO[bytes], *, relative: bool
) -> None:
    """Write a sample.

    `paths` and `null` give each path byte for byte, ended by a newline or a zero byte;
    `csv` and `json` give all that is known of each image.
    """
    match form:
        case "paths" | "null":
            paths = (one.relative_path if relative else one.path for one in sample)
            write_paths(paths, output, end=b"\n" if form == "paths" else b"\0")
        case "csv" | "json":
            write_rows(*_records(sample, relative=relative), form, output)


def write_paths(paths: Iterable[str], output: IO[bytes], *, end: bytes) -> None:
    """Write paths byte for byte, each with what ends it."""
    for path in paths:
        output.write(os.fsencode(path) + end)


def write_records(kind: type, records: Iterable[Any], form: TableFormat, output: IO[bytes]) -> None:
    """Write dataclass objects of one kind; the columns are their fields."""
    write_rows(_columns(kind), map(astuple, records), form, output)


def write_saved(saved: Sequence[SavedSample], form: TableFormat, output: IO[bytes]) -> None:
    """Write what is kept of saved samples."""
    if form == "json":
        write_json([asdict(one) for one in saved], output)
        return
    columns = _columns(SavedSample)
    options = ("; ".join(f"{name}={value}" for name, value in one.options.items()) for one in saved)
    rows = (
        [text if name == "options" else getattr(one, name) for name in columns]
        for one, text in zip(saved, options, strict=True)
    )
    write_rows(columns, rows, form, output)


def write_unreadable(
    unreadable: Sequence[UnreadableImage], form: TableFormat, output: IO[bytes]
) -> None:
    """Write the files that could not be read, and why."""
    if form == "table":
        print_table(["path", "reason"], [(one.path, one.reason) for one in unreadable])
    else:
        write_rows(_columns(UnreadableImage), map(astuple, unreadable), form, output)


def write_buckets(buckets: Sequence[Bucket], form: TableFormat, output: IO[bytes]) -> None:
    """Write the buckets: with a small bar, and the sums at the foot, where people read it."""
    if form != "table":
        rows = [(*astuple(one), _left_out(one.keeps, one.images)) for one in buckets]
        write_rows([*_columns(Bucket), "left_out"], rows, form, output)
        return
    largest = max((one.images for one in buckets), default=1)
    images, keeps = sum(one.images for one in buckets), sum(one.keeps for one in buckets)
    print_table(
        ["bits", "images", "keeps", "left out", "", "first path"],
        [
            (one.bits, one.images, one.keeps, f"{_left_out(one.keeps, one.images):.0%}",
             _bar(one, largest), one.first_path)
            for one in buckets
        ],
        foot=(
            f"{len(buckets):,} buckets", images, keeps, f"{_left_out(keeps, images):.0%}", "", "",
        ),
    )  # fmt: skip


def write_quality(quality: "Quality", form: TableFormat, output: IO[bytes]) -> None:
    """Write how good a sample is, a line for each measure; what was measured goes to stderr."""
    rows = quality_rows(quality) if form == "table" else map(astuple, quality.measures)
    write_rows(QUALITY_COLUMNS, rows, form, output)
    if quality.note:
        click.echo(quality.note, err=True)


def quality_rows(quality: "Quality") -> list[tuple[object, ...]]:
    """Return the figures of a sample for people: a share in percent."""
    return [
        (one.measure, one.of, *(f"{value:.0%}" for value in one.values))
        if one.measure == "near-duplicates"
        else astuple(one)
        for one in quality.measures
    ]


def write_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    form: TableFormat,
    output: IO[bytes],
) -> None:
    """Write rows in the format that is asked for; a table goes to stdout."""
    match form:
        case "table":
            print_table(columns, rows)
        case "csv":
            write_csv(columns, rows, output)
        case "json":
            names = _distinct(columns)
            finite = ([_finite(value) for value in row] for row in rows)
            write_json((dict(zip(names, row, strict=True)) for row in finite), output)


def _left_out(keeps: int, images: int) -> float:
    return round(1 - keeps / images, 4) if images else 0.0


def _bar(one: Bucket, largest: int) -> str:
    """Return a bucket as a bar: what is kept full, what is left light."""
    whole = max(1, round(_BAR_WIDTH * one.images / largest))
    kept = round(whole * one.keeps / one.images)
    return "█" * kept + "░" * (whole - kept)


def write_csv(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    output: IO[bytes],
    *,
    for_people: bool = True,
) -> None:
    """Write rows as CSV with a header, in UTF-8; a name that is no text byte for byte.

    Text that a spreadsheet would run as a formula has an apostrophe in front, and so has text
    that begins with one: see `from_cell`. Not so where a program is to read it.
    """
    inert = _inert if for_people else _as_it_is
    text = io.TextIOWrapper(
        output, encoding="utf-8", errors="surrogateescape", newline="", write_through=True
    )
    writer = csv.writer(text)
    writer.writerow([inert(column) for column in columns])
    writer.writerows([inert(_plain(value)) for value in row] for row in rows)
    text.detach()


def write_json(records: Iterable[object], output: IO[bytes]) -> None:
    r"""Write records, or plain values, as a JSON array, a line each, in ASCII.

    Bytes of a name that are no text become escapes such as ``\udcff``, which Python's
    ``json`` and ``os.fsencode`` turn back into the bytes.
    """
    lines = (json.dumps(record, default=_plain) for record in records)
    output.write(b"[")
    for place, line in enumerate(lines):
        output.write((b",\n" if place else b"\n") + line.encode("ascii"))
    output.write(b"\n]\n")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], foot: Sequence[object] = ()
) -> None:
    """Print an aligned table on stdout, fit to the terminal; numbers are set to the right.

    At most 1,000 rows: who wants more wants a file. `foot` is a last row, of sums.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    remaining = iter(rows)
    shown = [tuple(row) for row in islice(remaining, _TABLE_ROWS)]
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_footer=bool(foot)
    )
    for place, column in enumerate(columns):
        numbers = bool(shown) and all(_is_number(row[place]) for row in shown)
        table.add_column(
            Text(printable(column)),
            Text(cell(foot[place]) if foot else ""),
            justify="right" if numbers else "left",
            overflow="fold",
        )
    for row in shown:
        table.add_row(*(Text(cell(value)) for value in row))
    # Into a pipe goes every row on one line, however long.
    Console(width=None if sys.stdout.isatty() else 100_000).print(table)
    if next(remaining, None) is not None:
        click.echo(f"the first {_TABLE_ROWS:,} rows; all of them: --format csv", err=True)


def cell(value: object) -> str:
    """Return a value as a table shows it."""
    match value:
        case None:
            return "-"
        case datetime():
            return value.isoformat(" ", "seconds")
        case bytes():
            return value.hex()
        case bool():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
    return printable(str(value))


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, int | float) or str(value).endswith("%")


def _columns(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names for an object's members: a query may name two columns alike."""
    distinct: list[str] = []
    for name in names:
        free = name
        for number in count(2):
            if free not in distinct and (free == name or free not in names):
                break
            free = f"{name}_{number}"
        distinct.append(free)
    return distinct


def _records(
    sample: Iterable[SampledImage], *, relative: bool
) -> tuple[list[str], Iterator[tuple[object, ...]]]:
    """Return the columns and the rows of a sample; `path` is relative where that is asked for."""
    columns = _columns(SampledImage)
    if not relative:
        return columns, map(astuple, sample)
    columns.remove("relative_path")
    replaced = (replace(one, path=one.relative_path) for one in sample)
    return columns, (tuple(getattr(one, name) for name in columns) for one in replaced)


def _finite(value: object) -> object:
    """Return a value that JSON has: it has no number that is infinite, or none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_cell(cell: str) -> str:
    """Return the text that `write_csv` was given, from a cell of what it wrote."""
    return cell.removeprefix("'")


def _as_it_is(value: object) -> object:
    return value


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_ACTING) else value


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, tuple):  # labels
        return "|".join(value)
    return value.hex() if isinstance(value, bytes) else value
