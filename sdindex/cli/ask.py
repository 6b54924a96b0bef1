"""Commands that ask the index: status, errors, sql."""

import shlex
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import click

from sdindex.archive.names import printable
from sdindex.arguments import DEFAULT_SECONDS
from sdindex.cli.options import SECONDS, format_option, with_index
from sdindex.errors import QueryError

if TYPE_CHECKING:
    from sdindex.api import Index
    from sdindex.cli.terminal import TableFormat


@click.command()
@click.argument("query")
@click.option(
    "--timeout",
    "seconds",
    type=SECONDS,
    default=DEFAULT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Stop the query after this time.",
)
@format_option("table", "csv", "json")
@with_index
def sql(index: "Index", *, query: str, seconds: float, form: "TableFormat") -> None:
    """Run one SQL query on the index. Nothing is written, whatever QUERY says.

    Tables: image, archive, label, sample, sample_image, review,
    decision. Views: image_hash, bucket. Functions
    beside those of the database: hamming(a, b), bucket(dhash, bits), dhash_hex(dhash). A table
    shows the first 1,000 rows; csv and json write all.
    """
    from sdindex.cli.terminal import write_rows
    from sdindex.exchange.output import STDOUT, writing

    with index.sql(query, seconds=seconds) as answer, writing(STDOUT) as stdout:
        write_rows(answer.columns, _in_time(answer.rows, seconds), form, stdout)


def _in_time(rows: Iterator[tuple[Any, ...]], seconds: float) -> Iterator[tuple[Any, ...]]:
    """Yield rows within `seconds`; the time in which stdout's reader is slow does not count."""
    from sdindex.store.query import stopped

    started = time.process_time()
    for row in rows:
        if time.process_time() - started > seconds:
            raise QueryError(stopped(seconds))
        yield row


@click.command()
@format_option("table", "json")
@with_index
def status(index: "Index", *, form: Literal["table", "json"]) -> None:
    """Show the archives, their image counts, and the index's size."""
    from dataclasses import asdict, astuple

    from sdindex.cli.terminal import print_table
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.exchange.tables import write_json

    found = index.status()
    with writing(STDOUT) as stdout:
        if form == "json":
            write_json([asdict(found)], stdout)
            return
        print_table(
            ["archive", "method", "images", "unreadable", "missing", "last update (UTC)"],
            [astuple(archive)[:-2] for archive in found.archives],
        )
        for archive in found.archives:
            if archive.excluded:
                globs = printable(shlex.join(archive.excluded))
                click.echo(f"excluded from {printable(archive.root)}: {globs}")
            if archive.shard:
                root = printable(archive.root)
                click.echo(f"only shard {archive.shard} of {root}: join all with sdindex merge")
        size = f"{found.size / 1e6:,.1f} MB"
        click.echo(f"index: {found.index}, {size}, schema {found.schema}")


@click.command()
@format_option("table", "csv", "json")
@with_index
def errors(index: "Index", *, form: "TableFormat") -> None:
    """List the files that could not be read, with the reasons."""
    from sdindex.cli.terminal import write_unreadable
    from sdindex.exchange.output import STDOUT, writing

    unreadable = index.errors()
    with writing(STDOUT) as stdout:
        write_unreadable(unreadable, form, stdout)
