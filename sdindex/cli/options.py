"""The options that several commands share: how a sample is drawn, and where it goes."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from sdindex.exchange.formats.registry import FORMATS, Wishes
from sdindex.sampling.bursts import DEFAULT_DISTANCE
from sdindex.sampling.options import UNITS, SampleArguments
from sdindex.sampling.trim import DEFAULT_BITS, HASH_BITS

if TYPE_CHECKING:
    from datetime import timezone
    from pathlib import Path

    from sdindex.exchange.copies import How
    from sdindex.store.selection import SampledImage

Command = Callable[..., None]
Decorator = Callable[[Command], Command]

# Whether a path can be read is found out where it matters, and said with the way out.
PATH = click.Path(readable=False)


class Time(click.ParamType[date]):
    """A day, or a moment, of the cameras' clocks."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> date | datetime:
        """Read ISO 8601; a day stays one, so that all of it is meant."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-04-03 or 2026-04-03T19:59:27", param, ctx)
        if moment.tzinfo is not None:
            self.fail("a camera's clock knows no time zone; leave it out", param, ctx)
        return moment


output_option = click.option(
    "-o",
    "--output",
    type=PATH,
    default="-",
    metavar="FILE",
    help="Write to this file instead of stdout.",
)
bits_option = click.option(
    "--bits",
    type=click.IntRange(1, HASH_BITS),
    default=DEFAULT_BITS,
    show_default=True,
    help="Leading bits of the hash that make a bucket: more bits, finer groups.",
)
under_option = click.option(
    "--under",
    multiple=True,
    type=PATH,
    metavar="PATH",
    help="Only images below this folder (a path, or relative to an archive's root); repeatable.",
)
count_option = click.option(
    "-n", "--count", type=click.IntRange(min=1), required=True, help="How many images to draw."
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="How many files are read at once.",
)
progress_option = click.option(
    "--progress/--no-progress",
    default=None,
    help="Show progress bars, or not. [default: only on a terminal]",
)


def format_option(*choices: str) -> Decorator:
    """Give a command ``--format``; the first choice is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="A table for people, the others for programs.",
    )


def _with(options: Sequence[Decorator], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


_SAMPLING = (
    bits_option,
    click.option(
        "--unit",
        type=click.Choice(UNITS),
        default="image",
        show_default=True,
        help="Draw images, or bursts: look-alikes next to each other, one image for each.",
    ),
    click.option(
        "--burst-distance",
        type=click.IntRange(0, HASH_BITS),
        default=DEFAULT_DISTANCE,
        show_default=True,
        help="Bits by which an image of a burst differs at most from the burst's first.",
    ),
    click.option(
        "--balance",
        metavar="camera|label|folder:K",
        help="Share evenly among cameras, labels, or the first K folders of the paths, and "
        "within each among its buckets.",
    ),
    under_option,
    click.option("--since", type=Time(), help="Only images from this day or moment on (EXIF)."),
    click.option("--until", type=Time(), help="Only images up to this day or moment (EXIF)."),
    click.option(
        "--from",
        "files",
        type=PATH,
        metavar="FILE|-",
        help="Only the images of this list: a path a line, or JSON; - is stdin.",
    ),
    click.option(
        "--where", metavar="SQL", help="Only images for which this is true, such as 'width > 2000'."
    ),
    click.option("--label", "labels", multiple=True, help="Only images so labelled; repeatable."),
    click.option(
        "--not-label", "not_labels", multiple=True, help="No images so labelled; repeatable."
    ),
    click.option("--within", metavar="NAME", help="Only images of this saved sample."),
    click.option("--extend", metavar="NAME", help="All images of this saved sample, and more."),
    click.option("--include", type=PATH, metavar="FILE", help="All images of this list, and more."),
    click.option(
        "--exclude",
        multiple=True,
        type=PATH,
        metavar="NAME|FILE",
        help="No images of this saved sample, or list; repeatable.",
    ),
)


def sampling_options(command: Command) -> Command:
    """Give a command all options of a sample, as one argument `sampling`."""

    def run(*args: Any, **given: Any) -> None:
        sampling = {name: given.pop(name) for name in SampleArguments.__annotations__}
        command(*args, sampling=sampling, **given)

    return _with(_SAMPLING, update_wrapper(run, command))


class Delivery(NamedTuple):
    """Where a sample goes, and in which form."""

    form: str
    relative: bool
    utc_offset: "timezone | None"
    output: str
    place: "tuple[How, str] | None"

    def deliver(self, sample: "Sequence[SampledImage]", index: "Path | None", name: str) -> None:
        """Write the sample, or put its files in a folder; both, where both are asked for."""
        if self.place is not None:
            from sdindex.exchange.copies import place

            how, folder = self.place
            click.echo(str(place(sample, folder, how=how, sample=name, progress=None)), err=True)
        if self.place is None or self.output != "-":
            self._write(sample, index)

    def write_paths(self, paths: Sequence[str], index: "Path | None") -> None:
        """Write paths alone, each ended as is asked for.

        Raises
        ------
        click.UsageError
            When more than a list of paths is asked for.
        """
        if self.relative or self.place is not None or self.form not in ("paths", "null"):
            raise click.UsageError(
                "--missing gives absolute paths alone, as --format paths or null; the whole sample "
                "is written without it"
            )
        from sdindex.exchange.formats.paths import write_paths
        from sdindex.exchange.output import writing

        with writing(self.output, index=index) as file:
            write_paths(paths, file, end=b"\0" if self.form == "null" else b"\n")

    def _write(self, sample: "Sequence[SampledImage]", index: "Path | None") -> None:
        from sdindex.exchange.output import writing

        with writing(self.output, index=index) as file:
            FORMATS[self.form].write(sample, file, Wishes(self.relative, self.utc_offset))
        if self.form == "paths" and any("\n" in one.path for one in sample):
            click.echo("warning: a path holds a line break; --format null keeps it whole", err=True)


_DELIVERY = (
    click.option("--relative", is_flag=True, help="Paths relative to their archive's root."),
    click.option(
        "--format",
        "form",
        type=click.Choice(list(FORMATS)),
        default="paths",
        show_default=True,
        help="A path a line, paths ended by a zero byte (for xargs -0), all that is known, or "
        "what another program reads.",
    ),
    click.option(
        "--utc-offset",
        metavar="+HH:MM",
        help="That of the cameras' clocks, which camtrap-dp asks for.",
    ),
    output_option,
    *(
        click.option(f"--{how}-to", f"{how}_to", type=PATH, metavar="DIR", help=text)
        for how, text in {
            "copy": "Copy the files below this folder, at their paths in the archive, with a "
            "manifest; a second run completes the first.",
            "link": "The same with hard links.",
            "symlink": "The same with symbolic links.",
        }.items()
    ),
)


def delivery_options(command: Command) -> Command:
    """Give a command all options on where a sample goes, as one argument `delivery`."""

    def run(*args: Any, **given: Any) -> None:
        folders = {how: given.pop(f"{how}_to") for how in ("copy", "link", "symlink")}
        places = [(how, folder) for how, folder in folders.items() if folder is not None]
        if len(places) > 1:
            raise click.UsageError("one of --copy-to, --link-to and --symlink-to at a time")
        wanted = {name: given.pop(name) for name in ("form", "relative", "output")}
        # Before anything is drawn, and kept.
        offset = _utc_offset(wanted["form"], given.pop("utc_offset"))
        place = cast("tuple[How, str]", places[0]) if places else None
        command(*args, delivery=Delivery(place=place, utc_offset=offset, **wanted), **given)

    return _with(_DELIVERY, update_wrapper(run, command))


def _utc_offset(form: str, text: str | None) -> "timezone | None":
    if (text is not None) != ("utc_offset" in FORMATS[form].needs):
        raise click.UsageError(
            "--format camtrap-dp and --utc-offset go together: it wants times with the offset of "
            "the cameras' clocks, such as +01:00"
        )
    if text is None:
        return None
    from sdindex.exchange.formats.camtrap_dp import parse_utc_offset

    return parse_utc_offset(text)
