"""The options for where a sample is written and in which format; and the writing itself."""

from collections.abc import Iterable, Sequence
from functools import update_wrapper
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import click

from sdindex.cli.options import PATH, Command, with_options
from sdindex.errors import UsageError
from sdindex.exchange.formats.registry import FORMATS, wishes_of
from sdindex.sampling.spelled import flag

if TYPE_CHECKING:
    from pathlib import Path

    from sdindex.api import Index
    from sdindex.exchange.copies import How
    from sdindex.exchange.formats.registry import WishArguments
    from sdindex.store.sampled import SampledImage


class Delivery(NamedTuple):
    """Where a sample is written, and in which format."""

    form: str
    wishes: "WishArguments"
    output: str
    folder: "tuple[How, str] | None"
    sources: Sequence[str] = ()  # of labels

    def deliver(self, sample: "Sequence[SampledImage]", index: "Index", name: str) -> None:
        """Write the sample, put its files in a folder, or both."""
        if FORMATS[self.form].is_folder:
            how, folder = self.folder or (None, self.output)
            self._export(sample, folder, index, name, how)
            click.echo(
                f"a sample of {len(sample):,} images written as {self.form} in {folder}", err=True
            )
            return
        if self.folder is not None:
            how, folder = self.folder
            put = index.put_files(sample, folder, how=how, name=name, progress=None)
            click.echo(str(put), err=True)
        if self.folder is None or self.output != "-":
            self._write(sample, index, name)

    @property
    def relative(self) -> bool:
        """Whether paths are to be relative."""
        return self.wishes.get("relative", False)

    @property
    def tells_bursts(self) -> bool:
        """Whether the format has the burst or the event of each image."""
        return FORMATS[self.form].tells_bursts

    @property
    def is_of_paths(self) -> bool:
        """Whether only paths are to be written."""
        return self.folder is None and self.form in ("paths", "null")

    def write_missing(self, paths: Sequence[str], index: "Path | None") -> None:
        """Write the paths of missing images, each ended by the format's newline or zero byte.

        Raises
        ------
        click.UsageError
            When another format, or relative paths, are asked for.
        """
        if self.relative or not self.is_of_paths:
            raise click.UsageError(
                "--missing gives absolute paths alone, as --format paths or null; the whole sample "
                "is written without it"
            )
        self.write_paths(paths, index)

    def write_paths(self, paths: Iterable[str], index: "Path | None") -> int:
        """Write paths as they come, each with the format's end; return how many."""
        from sdindex.exchange.formats.paths import write_paths
        from sdindex.exchange.output import writing

        # The first path is taken before a file is begun: it loads numpy, which ends the program at
        # once where it finds too little memory.
        paths = iter(paths)
        drawn = chain([*islice(paths, 1)], paths)
        with writing(self.output, index=index) as file:
            written, ends = write_paths(drawn, file, end="\0" if self.form == "null" else "\n")
        if ends > written:
            _warn_of_line_breaks()
        return written

    def _write(self, sample: "Sequence[SampledImage]", index: "Index", name: str) -> None:
        from sdindex.exchange.output import writing

        with writing(self.output, index=index.file) as file:
            self._export(sample, file, index, name, None)
        if self.form == "paths" and any("\n" in image.path for image in sample):
            _warn_of_line_breaks()

    def _export(
        self,
        sample: "Sequence[SampledImage]",
        target: "str | IO[bytes]",
        index: "Index",
        name: str,
        how: "How | None",
    ) -> None:
        wishes: WishArguments = {**self.wishes, "name": name}
        put = index.export(
            sample,
            target,
            self.form,
            how=how,
            source=self.sources,
            progress=None,
            say=lambda line: click.echo(line, err=True),
            **wishes,
        )
        if put is not None:
            click.echo(str(put), err=True)


def _warn_of_line_breaks() -> None:
    click.echo("warning: a path contains a line break; --format null keeps it whole", err=True)


_WISHES = (
    "relative", "utc_offset", "without_time", "deployments", "url_prefix", "label_column",
    "flag_column",
)  # fmt: skip

output_option = click.option(
    "-o",
    "--output",
    type=PATH,
    default="-",
    metavar="FILE",
    help="Write to this file instead of stdout.",
)
_DELIVERY = (
    click.option(
        "--relative", is_flag=True, help="Write paths relative to the root of their archive."
    ),
    click.option(
        "--format",
        "form",
        type=click.Choice(list(FORMATS)),
        default="paths",
        show_default=True,
        help="Choose what is written. "
        + "; ".join(f"{known.name}: {known.summary}" for known in FORMATS.values())
        + ".",
    ),
    click.option(
        "--utc-offset",
        metavar="+HH:MM",
        help="State the UTC offset of the cameras' clocks, for camtrap-dp.",
    ),
    click.option(
        "--without-time",
        type=click.Choice(["fail", "skip"]),
        default="fail",
        show_default=True,
        help="Skip images without an EXIF time, or fail, for camtrap-dp.",
    ),
    click.option(
        "--deployments",
        type=PATH,
        metavar="CSV",
        help="Read coordinates and periods of cameras from this file, for camtrap-dp.",
    ),
    click.option(
        "--url-prefix",
        metavar="URL",
        help="Put this before the path of each image, for label-studio. "
        "[default: /data/local-files/?d=]",
    ),
    click.option(
        "--label-column",
        metavar="NAME",
        help="Write the labels into this column of the template, for timelapse.",
    ),
    click.option(
        "--flag-column",
        metavar="NAME",
        help="Write true into this column of the template, for timelapse.",
    ),
    output_option,
    *(
        click.option(f"--{how}-to", f"{how}_to", type=PATH, metavar="DIR", help=text)
        for how, text in {
            "copy": "Copy the files into this folder, at their paths in the archive, with a "
            "manifest; a second run completes the first.",
            "link": "The same, with hard links instead of copies.",
            "symlink": "The same, with symbolic links instead of copies.",
        }.items()
    ),
)


def delivery_options(command: Command) -> Command:
    """Give a command the options on where a sample is written; it gets a `Delivery`."""

    def run(*args: Any, **given: Any) -> None:
        folders = {how: given.pop(f"{how}_to") for how in ("copy", "link", "symlink")}
        named = [(how, folder) for how, folder in folders.items() if folder is not None]
        if len(named) > 1:
            raise click.UsageError("one of --copy-to, --link-to and --symlink-to at a time")
        form, output = given.pop("form"), given.pop("output")
        wishes = {name: given.pop(name) for name in _WISHES}
        if FORMATS[form].is_folder and named and output != "-":
            raise click.UsageError(f"{form} is written into the folder of the images, without -o")
        # Checked before anything is drawn and saved.
        folder = cast("tuple[How, str]", named[0]) if named else None
        delivery = Delivery(form, _checked(form, wishes), output, folder)
        if FORMATS[form].is_folder and not named:
            _require_folder(form, output)
        command(*args, delivery=delivery, **given)

    return with_options(_DELIVERY, update_wrapper(run, command))


def _checked(form: str, wishes: dict[str, Any]) -> "WishArguments":
    """Return the options of a format that were given, checked."""
    said = {name: value for name, value in wishes.items() if value is not None}
    wanted = cast("WishArguments", said)
    try:
        wishes_of(FORMATS[form], wanted)
    except UsageError as problem:
        raise click.UsageError(problem.text_with(flag)) from problem
    return wanted


def _require_folder(form: str, output: str) -> None:
    if FORMATS[form].has_images:
        raise click.UsageError(
            f"{form} has the images, too: name its folder with --copy-to, --link-to or --symlink-to"
        )
    if output == "-":
        raise click.UsageError(
            f"{form} is a folder: name it with -o; or with --copy-to, --link-to or --symlink-to, "
            "to have the images there, too"
        )
