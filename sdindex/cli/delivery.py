"""Where a sample goes, and in which form: the options for it, and the delivery itself."""

from collections.abc import Iterable, Sequence
from functools import update_wrapper
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import click

from sdindex.cli.options import PATH, Command, with_options
from sdindex.exchange.formats.registry import FORMATS, Wishes

if TYPE_CHECKING:
    from datetime import timezone
    from pathlib import Path

    from sdindex.api import Index
    from sdindex.exchange.copies import How
    from sdindex.exchange.naming import Sampled
    from sdindex.store.sampled import SampledImage


class Delivery(NamedTuple):
    """Where a sample goes, and in which form."""

    form: str
    relative: bool
    utc_offset: "timezone | None"
    output: str
    folder: "tuple[How, str] | None"
    sources: Sequence[str] = ()  # of labels

    def deliver(self, sample: "Sequence[SampledImage]", index: "Index", name: str) -> None:
        """Write the sample, or put its files in a folder; both, where both are asked for."""
        if self.folder is not None:
            how, folder = self.folder
            put = index.put_files(sample, folder, how=how, name=name, progress=None)
            click.echo(str(put), err=True)
        if self.folder is None or self.output != "-":
            self._write(sample, index)

    @property
    def tells_bursts(self) -> bool:
        """Whether what is written has the burst or the event of each image."""
        return FORMATS[self.form].tells_bursts

    @property
    def is_of_paths(self) -> bool:
        """Whether a list of paths is all that is asked for."""
        return self.folder is None and self.form in ("paths", "null")

    def write_missing(self, paths: Sequence[str], index: "Path | None") -> None:
        """Write the paths of what is missing, each ended as is asked for.

        Raises
        ------
        click.UsageError
            When more than a list of paths is asked for.
        """
        if self.relative or not self.is_of_paths:
            raise click.UsageError(
                "--missing gives absolute paths alone, as --format paths or null; the whole sample "
                "is written without it"
            )
        self.write_paths(paths, index)

    def write_paths(self, paths: Iterable[str], index: "Path | None") -> int:
        """Write paths, each ended as is asked for, as they come; return how many."""
        from sdindex.exchange.formats.paths import write_paths
        from sdindex.exchange.output import writing

        # What draws is loaded with the first path, before there is a draft: a library that finds
        # too little memory ends the program at once.
        paths = iter(paths)
        drawn = chain([*islice(paths, 1)], paths)
        with writing(self.output, index=index) as file:
            written, ends = write_paths(drawn, file, end="\0" if self.form == "null" else "\n")
        if ends > written:
            _warn_of_line_breaks()
        return written

    def _write(self, sample: "Sequence[SampledImage]", index: "Index") -> None:
        from sdindex.exchange.output import writing

        def write_results(images: "Iterable[Sampled]", file: IO[bytes], relative: bool) -> None:
            done = index.export_labels(file, images, source=self.sources, relative=relative)
            click.echo(str(done), err=True)

        wishes = Wishes(self.relative, self.utc_offset, write_results)
        with writing(self.output, index=index.file) as file:
            FORMATS[self.form].write(sample, file, wishes)
        if self.form == "paths" and any("\n" in image.path for image in sample):
            _warn_of_line_breaks()


def _warn_of_line_breaks() -> None:
    click.echo("warning: a path contains a line break; --format null keeps it whole", err=True)


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
    output_option,
    *(
        click.option(f"--{how}-to", f"{how}_to", type=PATH, metavar="DIR", help=text)
        for how, text in {
            "copy": "Copy the files into this folder, at their paths in the archive, with a "
            "manifest; a second run completes the first.",
            "link": "Make hard links there instead of copies.",
            "symlink": "Make symbolic links there instead of copies.",
        }.items()
    ),
)


def delivery_options(command: Command) -> Command:
    """Give a command all options on where a sample goes, as one argument `delivery`."""

    def run(*args: Any, **given: Any) -> None:
        folders = {how: given.pop(f"{how}_to") for how in ("copy", "link", "symlink")}
        named = [(how, folder) for how, folder in folders.items() if folder is not None]
        if len(named) > 1:
            raise click.UsageError("one of --copy-to, --link-to and --symlink-to at a time")
        wanted = {name: given.pop(name) for name in ("form", "relative", "output")}
        # Before anything is drawn, and kept.
        offset = _utc_offset(wanted["form"], given.pop("utc_offset"))
        folder = cast("tuple[How, str]", named[0]) if named else None
        command(*args, delivery=Delivery(folder=folder, utc_offset=offset, **wanted), **given)

    return with_options(_DELIVERY, update_wrapper(run, command))


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
