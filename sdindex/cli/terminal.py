"""Results as tables that fit a terminal; CSV and JSON are left to `exchange.tables`."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from itertools import islice
from operator import attrgetter
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from sdindex.archive.names import printable
from sdindex.exchange import records
from sdindex.exchange.tables import shown
from sdindex.exchange.tables import write_rows as write_for_programs

if TYPE_CHECKING:
    from sdindex.sampling.quality import Quality
    from sdindex.store.overview import Camera, UnreadableImage
    from sdindex.store.selection import Bucket

TableFormat = Literal["table", "csv", "json"]

# What a table shows at most, as it is laid out in memory.
_TABLE_ROWS = 1000
_TABLE_CHARACTERS = 1 << 20
_CELL_CHARACTERS = 10_000
_BAR_WIDTH = 24
_TIME_UNITS = {3600: "h", 60: "min", 1: "s"}


def write_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    form: TableFormat,
    output: IO[bytes],
) -> None:
    """Write rows in a format; a table goes to stdout, whatever `output` is."""
    if form == "table":
        print_table(columns, rows)
    else:
        write_for_programs(columns, rows, form, output)


def write_records(kind: type, found: Iterable[Any], form: TableFormat, output: IO[bytes]) -> None:
    """Write objects of one dataclass; the columns are its fields."""
    write_rows(*records.of_records(kind, found), form, output)


def write_unreadable(
    unreadable: "Sequence[UnreadableImage]", form: TableFormat, output: IO[bytes]
) -> None:
    """Write the files that could not be read, and why."""
    from sdindex.store.overview import UnreadableImage

    if form == "table":
        print_table(["path", "reason"], [(image.path, image.reason) for image in unreadable])
    else:
        write_records(UnreadableImage, unreadable, form, output)


def write_cameras(cameras: "Sequence[Camera]", form: TableFormat, output: IO[bytes]) -> None:
    """Write the cameras; a table leaves out the columns pattern and timer where all are empty."""
    from sdindex.store.overview import Camera

    if form != "table":
        write_records(Camera, cameras, form, output)
        return
    told = [
        field.name
        for field in fields(Camera)
        if field.default is MISSING or any(getattr(one, field.name) for one in cameras)
    ]
    if "timer" not in told:
        print_table(told, map(attrgetter(*told), cameras))
        return
    *told, _ = told
    rows = ((*attrgetter(*told)(one), _every(one.timer)) for one in cameras)
    print_table([*told, "timer"], rows)


def _every(seconds: int | None) -> str:
    """Return a timer's interval in the largest unit of time in which it is a whole number."""
    if seconds is None:
        return ""
    near = next((unit for unit in _TIME_UNITS if seconds >= unit and _is_near(seconds, unit)), 1)
    return f"every {round(seconds / near):,} {_TIME_UNITS[near]}"


def _is_near(seconds: int, unit: int) -> bool:
    """Say whether so many seconds are a whole number of units of time, give or take a second."""
    return (seconds + 1) % unit <= 2


def write_buckets(buckets: "Sequence[Bucket]", form: TableFormat, output: IO[bytes]) -> None:
    """Write the buckets; a table has a small bar for each, and the sums at its foot."""
    if form != "table":
        write_for_programs(*records.of_buckets(buckets), form, output)
        return
    largest = max((bucket.images for bucket in buckets), default=1)
    images = sum(bucket.images for bucket in buckets)
    keeps = sum(bucket.keeps for bucket in buckets)
    print_table(
        ["bits", "images", "keeps", "left out", "", "first path"],
        [
            (bucket.bits, bucket.images, bucket.keeps, _left_out(bucket.keeps, bucket.images),
             _bar(bucket, largest), bucket.first_path)
            for bucket in buckets
        ],
        foot=(f"{len(buckets):,} buckets", images, keeps, _left_out(keeps, images), "", ""),
    )  # fmt: skip


def write_quality(quality: "Quality", form: TableFormat, output: IO[bytes]) -> None:
    """Write a sample's quality, a line for each measure; the note on it goes to stderr."""
    of_quality = records.quality_for_people if form == "table" else records.of_quality
    write_rows(*of_quality(quality), form, output)
    if quality.note:
        click.echo(quality.note, err=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], foot: Sequence[object] = ()
) -> None:
    """Print a table on stdout that fits the terminal; numbers are aligned to the right.

    At most 1,000 rows, fewer where these are long: more belong into a file. `foot` is a last row of
    sums.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    remaining = iter(rows)
    first = list(_first(remaining))
    numeric = [
        bool(first) and all(row[number][1] for row in first) for number in range(len(columns))
    ]
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_footer=bool(foot)
    )
    for number, column in enumerate(columns):
        table.add_column(
            Text(printable(column)),
            Text(shown(foot[number]) if foot else ""),
            justify="right" if numeric[number] else "left",
            overflow="fold",
        )
    for row in first:
        table.add_row(*(Text(text) for text, _ in row))
    # In a pipe, each row is one line, however long.
    Console(width=None if sys.stdout.isatty() else 100_000).print(table)
    if next(remaining, None) is not None:
        click.echo(f"the first {len(first):,} rows; all of them: --format csv", err=True)


def _first(rows: Iterator[Sequence[object]]) -> Iterator[list[tuple[str, bool]]]:
    """Yield the rows that a table shows: the text of each cell, and whether it is a number."""
    remaining = _TABLE_CHARACTERS
    for row in islice(rows, _TABLE_ROWS):
        cells = [(_cut(shown(value)), _is_number(value)) for value in row]
        yield cells
        remaining -= sum(len(text) for text, _ in cells)
        if remaining < 0:
            return


def _cut(text: str) -> str:
    return text if len(text) <= _CELL_CHARACTERS else f"{text[:_CELL_CHARACTERS]}…"


def _left_out(keeps: int, images: int) -> str:
    return f"{records.left_out(keeps, images):.0%}"


def _bar(bucket: "Bucket", largest: int) -> str:
    """Return a bucket as a bar: full for the images kept, light for those left out."""
    whole = max(1, round(_BAR_WIDTH * bucket.images / largest))
    kept = round(whole * bucket.keeps / bucket.images)
    return "█" * kept + "░" * (whole - kept)


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, int | float) or str(value).endswith("%")
