"""The command line: options in, the library's answer out. No logic lives here."""

import _thread
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Literal

import click

from sdindex.archive.names import printable
from sdindex.cli.options import (
    PATH,
    Delivery,
    bits_option,
    count_option,
    delivery_options,
    format_option,
    progress_option,
    sampling_options,
    under_option,
    workers_option,
)
from sdindex.errors import SdindexError
from sdindex.hashing.methods import METHODS, Method
from sdindex.store.fetching import no_garbage_collection

if TYPE_CHECKING:
    from sdindex.api import Index
    from sdindex.cli.terminal import TableFormat
    from sdindex.sampling.options import SampleArguments
    from sdindex.store.selection import SampledImage

INTERRUPTED, TERMINATED = 130, 143


class Commands(click.Group):
    """The one place where an error becomes a line for the user and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with _terminated_as_interrupted(), _interruptions_come_through():
                return super().invoke(ctx)
        except SdindexError as problem:
            raise click.ClickException(str(problem)) from problem
        except UnicodeEncodeError as problem:  # of an argument: no database stores such text
            raise click.ClickException(
                f"{printable(problem.object)} is no text in UTF-8"
            ) from problem
        except OSError as problem:
            if problem.errno == errno.EPIPE:
                raise
            # The disk of the index, or the system: what is one file's alone was seen to below.
            raise click.ClickException(
                f"{printable(str(problem))}; what was stored before is kept"
            ) from problem
        except KeyboardInterrupt as problem:
            click.echo("interrupted; what was stored is kept, and the next run goes on", err=True)
            ctx.exit(TERMINATED if isinstance(problem, _Terminated) else INTERRUPTED)


def with_index(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the index that ``--db`` names; it is closed when the command ends."""

    @click.pass_context
    def run(ctx: click.Context, /, *args: Any, **options: Any) -> None:
        with no_garbage_collection():  # imports make none
            from sdindex.api import Index

        ctx.invoke(command, ctx.with_resource(Index(ctx.obj)), *args, **options)

    return update_wrapper(run, command)


def with_readers_ahead(command: Callable[..., None]) -> Callable[..., None]:
    """Have the processes that read images start while the database is still imported here."""

    @click.pass_context
    def run(ctx: click.Context, /, *args: Any, **options: Any) -> None:
        if "://" not in ctx.obj and not os.path.exists(ctx.obj):  # all is to be read
            from sdindex.workers import get_ready

            get_ready()
        ctx.invoke(command, *args, **options)

    return update_wrapper(run, command)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--db",
    envvar="SDINDEX_DB",
    default="sdindex.db",
    show_default=True,
    metavar="FILE_OR_URL",
    help="The index: an SQLite file, or a SQLAlchemy URL. [env: SDINDEX_DB]",
)
@click.version_option(package_name="sdindex")
@click.pass_context
def cli(ctx: click.Context, db: str) -> None:
    """Index a camera-trap archive once, then draw a varied sample of any size at once."""
    ctx.obj = db


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=PATH)
@workers_option
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help="How images are hashed: decoded at a reduced scale, exactly as imagehash does, or by "
    "the thumbnail that the camera wrote. "
    "[default: the archive's own; scaled for the first]",
)
@click.option("--strict", is_flag=True, help="Compare ctime and inode, too, to find changes.")
@click.option(
    "--accept-shift",
    is_flag=True,
    help="Where all times are shifted by exactly an hour, as daylight saving does on exFAT, "
    "store them and read nothing.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up a file whose reading takes longer; the next run tries it again.",
)
@click.option(
    "--camera-pattern",
    metavar="REGEX",
    help="Finds the camera in a path, in its one group or the one named camera; kept with the "
    "archive. [default: the folder above the card's own numbering]",
)
@progress_option
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary; errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say of each file that is read why it is.")
@with_readers_ahead
@with_index
def index(
    index: "Index",
    paths: tuple[str, ...],
    *,
    workers: int,
    method: Method | None,
    strict: bool,
    accept_shift: bool,
    timeout: float,
    camera_pattern: str | None,
    progress: bool | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Bring the index up to date with each PATH, reading only files that changed.

    A PATH is an archive's folder, new or known, or a folder inside a known one, of which
    that part alone is brought up to date. The first run makes the index.
    """
    with _reasons_on_stderr() if verbose else nullcontext():
        summary = index.update(
            *paths,
            workers=workers,
            method=method,
            strict=strict,
            accept_shift=accept_shift,
            timeout=timeout,
            camera_pattern=camera_pattern,
            progress=False if quiet else progress,
        )
    if not quiet:
        click.echo(str(summary), err=True)
    if summary.unlooked:
        raise SdindexError(summary.unlooked_line())


@cli.command()
@count_option
@sampling_options
@click.option("--save", metavar="NAME", help="Keep the sample in the index under this name.")
@delivery_options
@with_index
def select(
    index: "Index",
    *,
    count: int,
    sampling: "SampleArguments",
    save: str | None,
    delivery: Delivery,
) -> None:
    """Draw a varied sample of COUNT images, without opening one.

    Images are grouped by the leading bits of their hashes; small groups are kept whole, and
    only the largest are trimmed, evenly along the natural order of the paths. All options
    combine.
    """
    sample = index.select(count, save=save, **sampling)
    delivery.deliver(sample, index.file, save or "")
    _warn_of_few(sample, count)


@cli.command()
@click.option(
    "-n", "--count", type=click.IntRange(min=1), help="Show what a sample of this many keeps."
)
@bits_option
@under_option
@format_option("table", "csv", "json")
@with_index
def buckets(
    index: "Index", *, count: int | None, bits: int, under: tuple[str, ...], form: "TableFormat"
) -> None:
    """Show the groups of look-alike images, and what a sample keeps of each."""
    from sdindex.cli.terminal import write_buckets
    from sdindex.exchange.output import STDOUT, writing

    held = index.buckets(count, bits=bits, under=under)
    with writing(STDOUT) as stdout:
        write_buckets(held, form, stdout)


@cli.command()
@click.argument("query")
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop the query after this time.",
)
@format_option("table", "csv", "json")
@with_index
def sql(index: "Index", *, query: str, seconds: float, form: "TableFormat") -> None:
    """Ask the index a question in SQL. Nothing is ever written, whatever the QUERY says.

    The tables are image, archive, label, sample and sample_image, the views image_hash and
    bucket. Beside SQLite's own
    functions there are hamming(a, b), bucket(dhash, bits) and dhash_hex(dhash).
    """
    from sdindex.cli.terminal import write_rows
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.store.query import stopped

    def end() -> None:
        click.echo(f"Error: {stopped(seconds)}", err=True)
        os._exit(1)

    with index.sql(query, seconds=seconds, when_stuck=end) as answer, writing(STDOUT) as stdout:
        write_rows(answer.columns, answer.rows, form, stdout)


@cli.command()
@count_option
@sampling_options
@click.option(
    "--thumbnails",
    type=click.IntRange(min=0),
    default=400,
    show_default=True,
    help="At most this many pictures of the sample, and of what is left out: an even subset.",
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
    help="The file to write.",
)
@with_index
def report(
    index: "Index",
    *,
    count: int,
    sampling: "SampleArguments",
    thumbnails: int,
    workers: int,
    progress: bool | None,
    output: str,
) -> None:
    """Make the sample of COUNT images a page to look at: one file, which needs no network."""
    from sdindex.exchange.output import writing

    with writing(output, index=index.file) as file:
        page = index.report(
            count, thumbnails=thumbnails, workers=workers, progress=progress, **sampling
        )
        file.write(page.encode("utf-8"))


@cli.group()
def samples() -> None:
    """Look at saved samples: select --save NAME keeps one."""


@samples.command("list")
@format_option("table", "csv", "json")
@with_index
def list_samples(index: "Index", *, form: "TableFormat") -> None:
    """List the saved samples, the oldest first."""
    from sdindex.cli.terminal import write_records
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.store.samples import SavedSample

    saved = index.samples()
    with writing(STDOUT) as stdout:
        write_records(SavedSample, saved, form, stdout)


@samples.command("show")
@click.argument("name")
@click.option("--missing", is_flag=True, help="The paths of those that are missing now, instead.")
@delivery_options
@with_index
def show_sample(index: "Index", *, name: str, missing: bool, delivery: Delivery) -> None:
    """Write the images of the saved sample NAME, as select does."""
    gone = index.missing_of(name)
    if missing:
        delivery.write_paths(gone, index.file)
        return
    delivery.deliver(index.sample(name), index.file, name)
    if gone:
        click.echo(
            f"warning: {len(gone):,} images of {name} are missing or unreadable now, such as "
            f"{printable(gone[0])}; all of them: --missing",
            err=True,
        )


@samples.command("drop")
@click.argument("name")
@with_index
def drop_sample(index: "Index", *, name: str) -> None:
    """Forget the saved sample NAME; its images stay in the index."""
    index.drop_sample(name)
    click.echo(f"forgot the sample {name}", err=True)


@cli.command()
@click.argument("name", required=False)
@click.option("-n", "--count", type=click.IntRange(min=1), help="Of the sample that select draws.")
@sampling_options
@format_option("table", "csv", "json")
@with_index
def quality(
    index: "Index",
    *,
    name: str | None,
    count: int | None,
    sampling: "SampleArguments",
    form: "TableFormat",
) -> None:
    """Show how good a sample is: the saved one NAME, or the one that select would draw.

    What it reaches, and how near it comes to every image, beside random samples (the mean of
    30) and a plain stride of the same size.
    """
    from sdindex.cli.terminal import write_quality
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.sampling.options import SampleOptions, sample_options

    if name is not None and sample_options(**sampling) == SampleOptions():
        sampling = {}
    found = index.quality(count, name=name, **sampling)
    with writing(STDOUT) as stdout:
        write_quality(found, form, stdout)


@cli.group()
def labels() -> None:
    """Keep labels of images: to choose by, to balance, and to hand on."""


@labels.command("import")
@click.argument("file", type=PATH)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Detections of a lower confidence are of no account.",
)
@click.option("--column", default="label", show_default=True, help="The labels' column, in CSV.")
@click.option(
    "--relative-to",
    type=PATH,
    metavar="DIR",
    help="The folder in an archive that the paths are relative to. [default: the archive's root]",
)
@click.option(
    "--source",
    metavar="NAME",
    help="Who says so; what it said before of these images is replaced. [default: FILE's name]",
)
@with_index
def import_labels(
    index: "Index",
    *,
    file: str,
    threshold: float,
    column: str,
    relative_to: str | None,
    source: str | None,
) -> None:
    """Store the labels of FILE: MegaDetector's results, or CSV with a path and a label.

    Of MegaDetector's results each category of detection is a label, with its highest
    confidence; an image without one is labelled empty; a failure is kept as such.
    """
    done = index.import_labels(
        file, threshold=threshold, column=column, relative_to=relative_to, source=source
    )
    click.echo(str(done), err=True)


@labels.command("list")
@format_option("table", "csv", "json")
@with_index
def list_labels(index: "Index", *, form: "TableFormat") -> None:
    """List the labels by source, and how many images have each."""
    from sdindex.cli.terminal import write_records
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.store.labels import LabelCount

    counted = index.labels()
    with writing(STDOUT) as stdout:
        write_records(LabelCount, counted, form, stdout)


@labels.command("drop")
@click.argument("source")
@with_index
def drop_labels(index: "Index", *, source: str) -> None:
    """Forget the labels from SOURCE."""
    click.echo(f"forgot {index.drop_labels(source):,} labels", err=True)


@cli.command()
@format_option("table", "csv", "json")
@with_index
def cameras(index: "Index", *, form: "TableFormat") -> None:
    """List the cameras: images that can be sampled, and from when until when they are."""
    from sdindex.cli.terminal import write_records
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.store.overview import Camera

    found = index.cameras()
    with writing(STDOUT) as stdout:
        write_records(Camera, found, form, stdout)


@cli.command()
@format_option("table", "json")
@with_index
def status(index: "Index", *, form: Literal["table", "json"]) -> None:
    """Show the archives, images, unreadable and missing files, and the index's size."""
    from dataclasses import asdict, astuple

    from sdindex.cli.terminal import print_table
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.exchange.tables import write_json

    held = index.status()
    with writing(STDOUT) as stdout:
        if form == "json":
            write_json([asdict(held)], stdout)
            return
        print_table(
            ["archive", "method", "images", "unreadable", "missing", "last update (UTC)"],
            [astuple(archive) for archive in held.archives],
        )
        size = "" if held.size is None else f", {held.size / 1e6:,.1f} MB"
        click.echo(f"index: {held.index}{size}, schema {held.schema}")


@cli.command()
@format_option("table", "csv", "json")
@with_index
def errors(index: "Index", *, form: Literal["table", "csv", "json"]) -> None:
    """List the files that could not be read, and why."""
    from sdindex.cli.terminal import write_unreadable
    from sdindex.exchange.output import STDOUT, writing

    unreadable = index.errors()
    with writing(STDOUT) as stdout:
        write_unreadable(unreadable, form, stdout)


@cli.command()
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@with_index
def relocate(index: "Index", *, old: str, new: str) -> None:
    """Tell the index that the archive OLD is now at NEW; nothing is read again."""
    index.relocate(old, new)
    click.echo(f"{printable(old)} is now {printable(new)}", err=True)


@cli.command()
@click.option("--archive", metavar="ROOT", type=PATH, help="Forget this whole archive instead.")
@with_index
def prune(index: "Index", *, archive: str | None) -> None:
    """Forget the images that are missing, but for those of saved samples.

    Image files are never touched.
    """
    click.echo(f"forgot {index.prune(archive):,} images", err=True)


class _Terminated(KeyboardInterrupt):
    """SIGTERM: it ends the program as Ctrl-C does."""


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Have everything tidied up when this process is told to end."""

    def terminate(*_: object) -> None:
        raise _Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _warn_of_few(sample: "Sequence[SampledImage]", count: int) -> None:
    if len(sample) < count:
        click.echo(
            f"warning: {count:,} images were asked for, and there are {len(sample):,} to draw",
            err=True,
        )


@contextmanager
def _interruptions_come_through() -> Iterator[None]:
    """Have a signal come again where it could not be raised, as in the callbacks of an import.

    Python would print it there, and go on as if there had been none.
    """
    others = sys.unraisablehook

    def come_again(unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            again = signal.SIGTERM if unraisable.exc_type is _Terminated else signal.SIGINT
            threading.Timer(0.01, _send, (again,)).start()
        else:
            others(unraisable)

    sys.unraisablehook = come_again
    try:
        yield
    finally:
        sys.unraisablehook = others


def _send(number: signal.Signals) -> None:
    if sys.platform == "win32":  # where os.kill would end the process
        _thread.interrupt_main(number)
    else:
        os.kill(os.getpid(), number)  # unlike the other, this one wakes who waits


@contextmanager
def _reasons_on_stderr() -> Iterator[None]:
    """Show what the library logs, without breaking a progress bar."""
    from tqdm.contrib.logging import logging_redirect_tqdm

    log = logging.getLogger("sdindex")
    shown, level = logging.StreamHandler(), log.level
    log.addHandler(shown)
    log.setLevel(logging.INFO)
    try:
        with logging_redirect_tqdm([log]):
            yield
    finally:
        log.removeHandler(shown)
        log.setLevel(level)
