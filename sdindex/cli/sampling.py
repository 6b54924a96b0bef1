"""The options of a sample, which select, report, quality and review share."""

from dataclasses import fields
from datetime import date
from functools import update_wrapper
from typing import Any

import click

from sdindex.arguments import DEFAULT_DISTANCE, moment
from sdindex.cli.options import (
    PATH,
    Command,
    Decorator,
    bits_option,
    order_option,
    under_option,
    with_options,
)
from sdindex.errors import UsageError
from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.options import (
    PREFERRED,
    PURPOSES,
    SHOWN,
    UNITS,
    SampleOptions,
    for_purpose,
)
from sdindex.sampling.stratum_kinds import KINDS


class Time(click.ParamType[date]):
    """A date, or a time, of the cameras' clocks."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read ISO 8601; a date stays a date, so that all of the day is meant."""
        try:
            return moment("it", value)
        except UsageError as problem:
            self.fail(str(problem), param, ctx)


def _with_default(option: str, help_: str, **settings: Any) -> Decorator:
    """Return an option that is None unless given; its help shows the default of `SampleOptions`."""
    usual = getattr(SampleOptions, option.removeprefix("--").replace("-", "_"))
    return click.option(option, default=None, help=f"{help_} [default: {usual}]", **settings)


def _only_one(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> str | None:
    """Refuse an option that is given twice: the first value would be lost without a word."""
    if len(given) > 1:
        raise UsageError(
            f"--{option.name} is given once; write all of it in one, as label:deer=20%,fox=80%"
        )
    return given[0] if given else None


_SAMPLING = (
    click.option(
        "--for",
        "purpose",
        type=click.Choice([*PURPOSES]),
        help="Set the options that serve a purpose best, except those that you give. "
        "labelling: --unit burst --show moved --order centre --balance camera.",
    ),
    bits_option,
    order_option,
    click.option(
        "--prefer",
        type=click.Choice(PREFERRED),
        help="motion: at each step of the stride, draw the image with the most motion, not the "
        "first.",
    ),
    _with_default(
        "--unit",
        "Draw single images, or one image of each burst (one moment) or event (one visit).",
        type=click.Choice(UNITS),
    ),
    _with_default(
        "--show",
        "Draw this image of a burst or event: the one in which most moved, the first, middle or "
        "last.",
        type=click.Choice(SHOWN),
    ),
    _with_default(
        "--burst-seconds",
        "End a burst at a longer gap between two images.",
        type=click.IntRange(min=0),
        metavar="SECONDS",
    ),
    click.option(
        "--burst-distance",
        type=click.IntRange(0, HASH_BITS),
        metavar="BITS",
        help="End a burst also at an image whose hash differs from the first in more bits. "
        f"[default: only images without a time, at {DEFAULT_DISTANCE} bits]",
    ),
    _with_default(
        "--event-minutes",
        "End an event at a longer gap between two bursts of its camera.",
        type=click.IntRange(min=0),
        metavar="MINUTES",
    ),
    click.option(
        "--balance",
        multiple=True,
        metavar="|".join(KINDS),
        help="Draw evenly from all cameras, labels, folders (the first K of the path), and so on. "
        "Given again, draw evenly within each, too.",
    ),
    click.option(
        "--at-most",
        type=click.IntRange(min=1),
        metavar="K",
        help="Draw at most so many images, or bursts or events, of each camera (or what else is "
        "balanced); with several --balance, of each combination.",
    ),
    click.option(
        "--share",
        multiple=True,
        callback=_only_one,
        metavar="KIND:NAME=P%",
        help="Fix these shares of the sample, such as label:deer=20%,fox=80%; all that is not "
        "named shares the rest.",
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
        help="Only images with this label; family:canidae, or another rank, means all labels of "
        "that family; repeatable.",
    ),
    click.option(
        "--not-label", "not_labels", multiple=True, help="No image with this label; repeatable."
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
        help="No image of this saved sample or list, nor the image at this path; repeatable.",
    ),
    click.option(
        "--review",
        metavar="NAME",
        help="Keep what this review kept, and replace what it rejected by the next best.",
    ),
    click.option(
        "--rejected-by",
        metavar="OBSERVER",
        help="Only images that this observer rejected, in whichever review.",
    ),
)


def sampling_options(command: Command) -> Command:
    """Give a command all options of a sample; it gets those that were given as `sampling`."""
    names = ["purpose", *(field.name for field in fields(SampleOptions))]

    def run(*args: Any, **given: Any) -> None:
        taken = {name: given.pop(name) for name in names}
        sampling = {name: value for name, value in taken.items() if value not in (None, ())}
        if "purpose" in sampling:
            _write_out(sampling)
        command(*args, sampling=sampling, **given)

    return with_options(_SAMPLING, update_wrapper(run, command))


def _write_out(sampling: dict[str, Any]) -> None:
    """Print the options that a purpose sets."""
    purpose = sampling["purpose"]
    meant = for_purpose(purpose, sampling)
    said = [
        f"--{name} {each}"
        for name in PURPOSES[purpose]
        for each in ([meant[name]] if isinstance(meant[name], str) else meant[name])
    ]
    click.echo(f"--for {purpose}: {' '.join(said)}", err=True)
