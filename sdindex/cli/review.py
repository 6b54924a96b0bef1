"""The command that opens the local page: review."""

from typing import TYPE_CHECKING

import click

from sdindex.cli.options import Count, with_index, workers_option
from sdindex.cli.sampling import sampling_options
from sdindex.sampling.spelled import quoted

if TYPE_CHECKING:
    from sdindex.api import Index
    from sdindex.sampling.options import SampleArguments


@click.command()
@click.argument("name", required=False)
@click.option(
    "-n",
    "--count",
    type=Count(),
    metavar="COUNT|SHARE%",
    help="Begin with this many images, or this share of those that pass the filters. "
    "[default: 100]",
)
@sampling_options
@click.option(
    "--observer", metavar="NAME", help="Who decides. [default: the user of this computer]"
)
@click.option("--read-only", is_flag=True, help="Let nothing be decided or saved.")
@click.option("--no-browser", is_flag=True, help="Print the address alone.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Listen on this port. [default: any that is free]",
)
@workers_option
@with_index
def review(
    index: "Index",
    *,
    name: str | None,
    count: int | str | None,
    sampling: "SampleArguments",
    observer: str | None,
    read_only: bool,
    no_browser: bool,
    port: int,
    workers: int,
) -> None:
    """Look at a sample in a browser, keep and reject.

    The page is served to this machine alone, until Ctrl-C ends it. NAME is a review to go on with,
    or a saved sample. A rejected image is replaced at once, and each decision is stored at once.
    """
    from sdindex.web import require_installed

    require_installed()
    from sdindex.web.page import ReviewPage

    found = index.review(name, count, observer=observer, **sampling)
    try:
        with ReviewPage(index, found, port=port, read_only=read_only, workers=workers) as page:
            click.echo(page.address)
            if not no_browser:
                page.show()
            page.wait()
    except KeyboardInterrupt as problem:
        if type(problem) is not KeyboardInterrupt:  # SIGTERM
            raise
        if found.name is not None and not read_only:
            place = ["--db", found.db] if found.db else []
            click.echo(f"go on with: {quoted(['sdindex', *place, 'review', found.name])}", err=True)
