"""The options of a sample, which select, report and quality share."""

from dataclasses import fields
from datetime import date
from functools import update_wrapper
from typing import Any

import click

from sdindex.arguments import DEFAULT_DISTANCE, moment
from sdindex.cli.options import PATH, Command, bits_option, under_option, with_options
from sdindex.errors import UsageError
from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.options import UNITS, SampleOptions


class Time(click.ParamType[date]):
    """A day, or a moment, of the cameras' clocks."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read ISO 8601; a day stays one, so that all of it is meant."""
        try:
            return moment("a time", value)
        except UsageError as problem:
            self.fail(str(problem), param, ctx)


_SAMPLING = (
    bits_option,
    click.option(
        "--unit",
        type=click.Choice(UNITS),
        default=SampleOptions.unit,
        show_default=True,
        help="Draw images, or one image of each burst: look-alikes next to each other.",
    ),
    click.option(
        "--burst-distance",
        type=click.IntRange(0, HASH_BITS),
        default=DEFAULT_DISTANCE,
        show_default=True,
        help="Let images of a burst differ from its first by at most this many bits.",
    ),
    click.option(
        "--balance",
        metavar="camera|label|folder:K",
        help="Share the sample evenly among cameras, labels, or the first K folders of the "
        "paths, then among the buckets of each.",
    ),
    under_option,
    click.option("--since", type=Time(), help="Only images from this day or time on (EXIF)."),
    click.option("--until", type=Time(), help="Only images up to this day or time (EXIF)."),
    click.option(
        "--from",
        "files",
        type=PATH,
        metavar="FILE|-",
        help="Only the images of this list: one path a line, or JSON; - is stdin.",
    ),
    click.option(
        "--where",
        metavar="SQL",
        help="Only images that match this SQL expression, such as 'width > 2000'.",
    ),
    click.option(
        "--label",
        "labels",
        multiple=True,
        help="Only images with this label, or of this rank, such as family:canidae; repeatable.",
    ),
    click.option(
        "--not-label", "not_labels", multiple=True, help="No images with this label; repeatable."
    ),
    click.option(
        "--source",
        "sources",
        multiple=True,
        metavar="NAME",
        help="Count only labels from this source; repeatable.",
    ),
    click.option(
        "--min-confidence",
        type=click.FloatRange(0, 1),
        help="Count only labels of at least this confidence.",
    ),
    click.option("--within", metavar="NAME", help="Only images of this saved sample."),
    click.option(
        "--extend", metavar="NAME", help="Keep all images of this saved sample, and add more."
    ),
    click.option(
        "--include", type=PATH, metavar="FILE", help="Keep all images of this list, and add more."
    ),
    click.option(
        "--exclude",
        multiple=True,
        type=PATH,
        metavar="NAME|FILE",
        help="No images of this saved sample or list; repeatable.",
    ),
)


def sampling_options(command: Command) -> Command:
    """Give a command all options of a sample, as one argument `sampling`."""

    def run(*args: Any, **given: Any) -> None:
        sampling = {
            name: given.pop(name) for name in (field.name for field in fields(SampleOptions))
        }
        command(*args, sampling=sampling, **given)

    return with_options(_SAMPLING, update_wrapper(run, command))
