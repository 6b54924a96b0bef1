"""The command line: options in, the library's answer out. No logic lives here."""

import _thread
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Literal

import click

from sdindex.buckets import DEFAULT_BITS, HASH_BITS
from sdindex.errors import SdindexError
from sdindex.methods import METHODS, Method
from sdindex.names import printable

if TYPE_CHECKING:
    from sdindex.export import SampleFormat, TableFormat
    from sdindex.index import Index

INTERRUPTED = 130

# Whether a path can be read is found out where it matters, and said with the way out.
PATH = click.Path(readable=False)

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
under_option = click.option(
    "--under",
    multiple=True,
    type=PATH,
    metavar="PATH",
    help="Only images below this folder (a path, or relative to an archive's root); repeatable.",
)


def format_option(*choices: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command ``--format``; the first choice is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="A table for people, the others for programs.",
    )


class Commands(click.Group):
    """The one place where an error becomes a line for the user and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with _interruptions_come_through():
                return super().invoke(ctx)
        except SdindexError as problem:
            raise click.ClickException(str(problem)) from problem
        except OSError as problem:
            if problem.errno == errno.EPIPE:
                raise
            # The disk of the index, or the system: what is one file's alone was seen to below.
            raise click.ClickException(
                f"{printable(str(problem))}; what was stored before is kept"
            ) from problem
        except KeyboardInterrupt:
            click.echo("interrupted; what was stored is kept, and the next run goes on", err=True)
            ctx.exit(INTERRUPTED)


def with_index(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the index that ``--db`` names; it is closed when the command ends."""

    @click.pass_context
    def run(ctx: click.Context, /, *args: Any, **options: Any) -> None:
        from sdindex.index import Index

        ctx.invoke(command, ctx.with_resource(Index(ctx.obj)), *args, **options)

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
@progress_option
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary; errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say of each file that is read why it is.")
@with_index
def index(
    index: "Index",
    paths: tuple[str, ...],
    *,
    workers: int,
    method: Method | None,
    strict: bool,
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
            progress=False if quiet else progress,
        )
    if not quiet:
        click.echo(str(summary), err=True)
    if summary.unlooked:
        raise SdindexError(summary.unlooked_line())


@cli.command()
@click.option(
    "-n", "--count", type=click.IntRange(min=1), required=True, help="How many images to draw."
)
@bits_option
@under_option
@click.option("--relative", is_flag=True, help="Paths relative to their archive's root.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["paths", "null", "csv", "json"]),
    default="paths",
    show_default=True,
    help="A path a line, paths ended by a zero byte (for xargs -0), or all that is known.",
)
@output_option
@with_index
def select(
    index: "Index",
    *,
    count: int,
    bits: int,
    under: tuple[str, ...],
    relative: bool,
    form: "SampleFormat",
    output: str,
) -> None:
    """Draw a varied sample of COUNT images, without opening one.

    Images are grouped by the leading bits of their hashes; small groups are kept whole, and
    only the largest are trimmed, evenly along the natural order of the paths.
    """
    from sdindex.export import write_sample
    from sdindex.output import writing

    sample = index.select(count, bits=bits, under=under)
    with writing(output, index=index.file) as file:
        write_sample(sample, form, file, relative=relative)
    if len(sample) < count:
        where = " there" if under else ""
        click.echo(
            f"warning: {count:,} images were asked for, and the index holds {len(sample):,}{where}",
            err=True,
        )
    if form == "paths" and any("\n" in one.path for one in sample):
        click.echo("warning: a path holds a line break; --format null keeps it whole", err=True)


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
    from sdindex.export import write_buckets
    from sdindex.output import STDOUT, writing

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

    The tables are image and archive, the views image_hash and bucket. Beside SQLite's own
    functions there are hamming(a, b), bucket(dhash, bits) and dhash_hex(dhash).
    """
    from sdindex.export import write_rows
    from sdindex.output import STDOUT, writing
    from sdindex.query import stopped

    def end() -> None:
        click.echo(f"Error: {stopped(seconds)}", err=True)
        os._exit(1)

    with index.sql(query, seconds=seconds, when_stuck=end) as answer, writing(STDOUT) as stdout:
        write_rows(answer.columns, answer.rows, form, stdout)


@cli.command()
@click.option(
    "-n", "--count", type=click.IntRange(min=1), required=True, help="How many images to draw."
)
@bits_option
@under_option
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
    bits: int,
    under: tuple[str, ...],
    thumbnails: int,
    workers: int,
    progress: bool | None,
    output: str,
) -> None:
    """Make the sample of COUNT images a page to look at: one file, which needs no network."""
    from sdindex.output import writing

    with writing(output, index=index.file) as file:
        page = index.report(
            count, bits=bits, under=under, thumbnails=thumbnails, workers=workers, progress=progress
        )
        file.write(page.encode("utf-8"))


@cli.command()
@format_option("table", "json")
@with_index
def status(index: "Index", *, form: Literal["table", "json"]) -> None:
    """Show the archives, images, unreadable and missing files, and the index's size."""
    from dataclasses import asdict, astuple

    from sdindex.export import print_table, write_json
    from sdindex.output import STDOUT, writing

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
    from sdindex.export import write_unreadable
    from sdindex.output import STDOUT, writing

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
    """Forget the images that are missing. Image files are never touched."""
    click.echo(f"forgot {index.prune(archive):,} images", err=True)


@contextmanager
def _interruptions_come_through() -> Iterator[None]:
    """Have Ctrl-C come again where it could not be raised, as in the callbacks of an import.

    Python would print it there, and go on as if there had been none.
    """
    others = sys.unraisablehook

    def come_again(unraisable: "sys.UnraisableHookArgs") -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            threading.Timer(0.01, _interrupt).start()
        else:
            others(unraisable)

    sys.unraisablehook = come_again
    try:
        yield
    finally:
        sys.unraisablehook = others


def _interrupt() -> None:
    if sys.platform == "win32":  # where os.kill would end the process
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)  # unlike the other, this one wakes who waits


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
