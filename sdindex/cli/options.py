"""Options that several commands share, and the index that --db names."""

import os
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import click

from sdindex.arguments import DEFAULT_BITS, DEFAULT_WORKERS, whole
from sdindex.errors import SampleError
from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.count import sample_count

Command = Callable[..., None]
Decorator = Callable[[Command], Command]

# Whether a path can be read is found out later, where the error names the way out.
PATH = click.Path(readable=False)
SECONDS = click.FloatRange(min=0, min_open=True)


def with_index(command: Command) -> Command:
    """Give a command the index that ``--db`` names; it is closed when the command ends."""

    @click.pass_context
    def run(ctx: click.Context, /, *args: Any, **options: Any) -> None:
        from sdindex.api import Index

        ctx.invoke(command, ctx.with_resource(Index(ctx.obj, when_stuck=_end)), *args, **options)

    return update_wrapper(run, command)


def _end(why: str) -> None:
    """End this program: nothing else stops a function of SQLite."""
    click.echo(f"Error: {why}", err=True)
    os._exit(1)


bits_option = click.option(
    "--bits",
    type=click.IntRange(0, HASH_BITS),
    help="Group images by this many leading bits of their hashes: more bits, smaller buckets; 0 "
    f"is an even stride. [default: {DEFAULT_BITS}]",
)
order_option = click.option(
    "--order",
    metavar="top|centre|even|BITS",
    help="Let these bits lead: of the upper edge, of the centre, those that split the archive "
    "most evenly, or by their numbers, such as 27,28,35,36. [default: top]",
)
under_option = click.option(
    "--under",
    multiple=True,
    type=PATH,
    metavar="PATH",
    help="Only images below this folder, as a path or relative to the root of an archive; "
    "repeatable.",
)


class Count(click.ParamType[int | str]):
    """A number of images, or a share of them in percent."""

    name = "count"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Read a whole number; a share stays as it is written."""
        try:
            sample_count(value if str(value).endswith("%") else int(value))
        except (SampleError, ValueError):
            self.fail(
                f"{value!r} is no number of images from 1 on, and no share such as 10%", param, ctx
            )
        return str(value) if str(value).endswith("%") else int(value)


class Number(click.ParamType[int]):
    """A number of images, and no share of them."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a whole number from 1 on."""
        try:
            return whole("count", int(value), 1)
        except ValueError:  # a UsageError is one, too
            self.fail(f"{value!r} is no number of images from 1 on", param, ctx)


count_option = click.option(
    "-n",
    "--count",
    type=Count(),
    metavar="COUNT|SHARE%",
    required=True,
    help="Draw this many images, or this share of those that pass the filters, such as 10%.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=DEFAULT_WORKERS,
    show_default=True,
    help="Read this many files at once.",
)
progress_option = click.option(
    "--progress/--no-progress",
    default=None,
    help="Show progress bars. [default: only on a terminal]",
)


def format_option(*choices: str) -> Decorator:
    """Give a command ``--format``; the first choice is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Write a table for people, or csv or json for programs.",
    )


def with_options(options: Sequence[Decorator], command: Command) -> Command:
    """Give a command several options, which its help shows in this order."""
    for option in reversed(options):
        command = option(command)
    return command
