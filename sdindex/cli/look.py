"""Commands that show an index and samples of it: buckets, report, quality and cameras."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from sdindex.archive.names import printable
from sdindex.arguments import DEFAULT_PIXELS, DEFAULT_THUMBNAILS, PIXELS
from sdindex.cli.options import (
    PATH,
    Count,
    Decorator,
    bits_option,
    format_option,
    order_option,
    progress_option,
    under_option,
    with_index,
    workers_option,
)
from sdindex.cli.sampling import sampling_options
from sdindex.progress import elapsed

if TYPE_CHECKING:
    from sdindex.api import Index
    from sdindex.cli.terminal import TableFormat
    from sdindex.sampling.options import SampleArguments


def _count_option(help_: str) -> Decorator:
    return click.option("-n", "--count", type=Count(), metavar="COUNT|SHARE%", help=help_)


@click.command()
@_count_option("Show what a sample of this many images, or of this share such as 10%, keeps.")
@bits_option
@order_option
@under_option
@format_option("table", "csv", "json")
@with_index
def buckets(
    index: "Index",
    *,
    count: int | str | None,
    bits: int | None,
    order: str | None,
    under: tuple[str, ...],
    form: "TableFormat",
) -> None:
    """Show the buckets, and how many images a sample keeps of each."""
    from sdindex.cli.terminal import write_buckets
    from sdindex.exchange.output import STDOUT, writing

    found = index.buckets(count, bits=bits, order=order, under=under)
    with writing(STDOUT) as stdout:
        write_buckets(found, form, stdout)


@click.command()
@click.argument("name", required=False)
@_count_option("Show the sample that select would draw: so many images, or a share such as 10%.")
@sampling_options
@click.option(
    "--thumbnails",
    type=click.IntRange(min=0),
    default=DEFAULT_THUMBNAILS,
    show_default=True,
    help="Show at most this many images of the sample, and of those left out.",
)
@click.option(
    "--pixels",
    type=click.IntRange(*PIXELS),
    default=DEFAULT_PIXELS,
    show_default=True,
    help="Make the longer side of a picture this long.",
)
@workers_option
@progress_option
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="FILE",
    default="report.html",
    show_default=True,
    help="Write the page to this file.",
)
@with_index
def report(
    index: "Index",
    *,
    name: str | None,
    count: int | str | None,
    sampling: "SampleArguments",
    output: str,
    **shown: Any,
) -> None:
    """Show a sample as an HTML page.

    The sample is the saved sample NAME, or with -n the one that select would draw. The page is
    one file, which needs no network.
    """
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.sampling.options import SampleOptions, sample_options

    # Made before a file is begun: numpy ends the program at once where it finds too little memory.
    import_module("sdindex.pages.report")
    if name is not None and sample_options(**sampling) == SampleOptions():
        sampling = {}
    with writing(output, index=index.file) as file:
        page = index.report(count, name=name, say=_say, **shown, **sampling)
        file.write(page.encode("utf-8"))
    if output != STDOUT:
        _say(f"the report is in {printable(os.path.abspath(output))}")


def _say(line: str) -> None:
    click.echo(line, err=True)


@click.command()
@click.argument("name", required=False)
@_count_option("Measure the sample that select would draw: so many, or a share such as 10%.")
@sampling_options
@format_option("table", "csv", "json")
@with_index
def quality(
    index: "Index",
    *,
    name: str | None,
    count: int | str | None,
    sampling: "SampleArguments",
    form: "TableFormat",
) -> None:
    """Measure how well a sample stands for its archive.

    The sample is the saved sample NAME, or with -n the one that select would draw. Show how many
    labels, rare labels, cameras, bursts, events and days it reaches, which share of it has another
    image of the same burst or event, and how far all images are from it; beside random samples (the
    mean of 30) and a plain stride of its size.

    With -n, how many labels smaller and larger samples reach is shown, too. A saved sample is
    compared with all images, whatever it was drawn from; sdindex report NAME compares it with the
    images that it was drawn from.
    """
    from sdindex.cli.terminal import write_quality
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.sampling.options import SampleOptions, sample_options

    if name is not None and sample_options(**sampling) == SampleOptions():
        sampling = {}
    with elapsed("measuring"):
        found = index.quality(count, name=name, **sampling)
    with writing(STDOUT) as stdout:
        write_quality(found, form, stdout)


@click.command()
@click.option(
    "--pattern",
    metavar="REGEX",
    help="First find the cameras of an archive with this pattern, as index --camera-pattern does; "
    "'' goes back to folders. The disk may be away.",
)
@click.option(
    "--archive",
    metavar="ROOT",
    type=PATH,
    help="The archive that --pattern is for. [default: the only one]",
)
@format_option("table", "csv", "json")
@with_index
def cameras(
    index: "Index", *, pattern: str | None, archive: str | None, form: "TableFormat"
) -> None:
    """List cameras with their image counts and first and last dates.

    Also show the pattern that is stored with an archive, or change it.
    """
    from sdindex.cli.terminal import write_cameras
    from sdindex.exchange.output import STDOUT, writing

    if pattern is not None:
        index.set_camera_pattern(pattern, archive)
    elif archive is not None:
        raise click.UsageError("--archive goes with --pattern")
    found = index.cameras()
    with writing(STDOUT) as stdout:
        write_cameras(found, form, stdout)
