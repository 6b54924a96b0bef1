"""Commands on archives: index, merge, relocate, prune and copy."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

import click

from sdindex.archive.names import printable
from sdindex.arguments import DEFAULT_TIMEOUT
from sdindex.cli.options import PATH, SECONDS, progress_option, with_index, workers_option
from sdindex.errors import SdindexError
from sdindex.hashing.methods import METHODS, Method

if TYPE_CHECKING:
    from sdindex.api import Index
    from sdindex.indexing.summary import Summary


quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Show no progress and no summary, only errors."
)
accept_loss_option = click.option(
    "--accept-loss",
    is_flag=True,
    help="Take gone images as deleted even where a folder lost most of them at once. Without it "
    "such a folder is kept as it was, as its disk may be away.",
)


def with_readers_ahead(command: Callable[..., None]) -> Callable[..., None]:
    """Start the processes that read images while the database is still imported here."""

    @click.pass_context
    def run(ctx: click.Context, /, *args: Any, **options: Any) -> None:
        # A new index: every file is read.
        if options["paths"] and "://" not in ctx.obj and not os.path.exists(ctx.obj):
            from sdindex.hashing.picture import PRELOAD
            from sdindex.workers import get_ready

            get_ready(*PRELOAD)
        ctx.invoke(command, *args, **options)

    return update_wrapper(run, command)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=PATH)
@workers_option
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help="Hash images decoded at a reduced size (scaled), exactly as imagehash does (exact), or "
    "by the thumbnail that the camera stored (thumbnail). "
    "[default: the archive's method; for a new archive that of the others, else scaled]",
)
@click.option(
    "--strict", is_flag=True, help="Take a file as changed also when its ctime or inode is."
)
@click.option(
    "--verify",
    is_flag=True,
    help="Read the whole of every file again, changed or not; name the damaged ones, and exit with "
    "1 if there are any.",
)
@click.option(
    "--regrey",
    is_flag=True,
    help="Also read the unchanged images that an older sdindex indexed without their greys. Until "
    "then their motion comes from their hashes.",
)
@click.option(
    "--accept-shift",
    is_flag=True,
    help="If all times differ by exactly one hour, as on exFAT when daylight saving time changes, "
    "store the new times and read nothing.",
)
@accept_loss_option
@click.option(
    "--timeout",
    type=SECONDS,
    default=DEFAULT_TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="Give up reading a file after this time; the next run tries it again.",
)
@click.option(
    "--camera-pattern",
    metavar="REGEX",
    help="Find the camera in a path with this pattern: its only group, or the group named "
    "camera. Stored with the archive. [default: the camera's folder, above "
    "DCIM and folders such as 100RECNX]",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out what this glob matches, relative to PATH and by the rules of .gitignore, such "
    "as 'test/', '/site1/setup' or '*_thumb.jpg'; repeatable. Stored with the archive, in place "
    "of earlier ones; '' leaves nothing out.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Read only the files of shard I of N, into an index of its own; join all with sdindex "
    "merge. A file's path alone decides in which shard it is.",
)
@click.option(
    "--dask",
    metavar="ADDRESS|local",
    help="Have a Dask cluster read: its scheduler's address, such as tcp://host:8786, or local for "
    "a cluster on this machine. Its workers must see PATH as it is here.",
)
@progress_option
@quiet_option
@click.option("-v", "--verbose", is_flag=True, help="Say why each file is read.")
@with_readers_ahead
@with_index
def index(
    index: "Index",
    paths: tuple[str, ...],
    *,
    quiet: bool,
    verbose: bool,
    progress: bool | None,
    method: Method | None,
    exclude: tuple[str, ...],
    **options: Any,
) -> None:
    """Read the new and changed images of each PATH into the index.

    A PATH is the folder of an archive, or a folder inside a known archive: then only that folder is
    brought up to date. Without a PATH, all known archives are; those that are not there are named
    at the end, with exit status 1. The first run makes the index.
    """
    if options["dask"] is not None:  # the summary says in one line what the reasons say in many
        for name in ("distributed", "distributed.client", "tornado.application"):
            logging.getLogger(name).disabled = True
    with _reasons_on_stderr() if verbose else nullcontext():
        summary = index.update(
            *paths,
            method=method,
            progress=False if quiet else progress,
            exclude=exclude or None,
            **options,
        )
    _tell(summary, quiet=quiet)


@click.command()
@click.argument("shards", nargs=-1, required=True, metavar="SHARD...", type=PATH)
@accept_loss_option
@progress_option
@quiet_option
@with_index
def merge(
    index: "Index",
    shards: tuple[str, ...],
    *,
    accept_loss: bool,
    quiet: bool,
    progress: bool | None,
) -> None:
    """Join the indexes of all shards into this index.

    Each SHARD is an index made by sdindex index --shard. The result is that of one run over the
    whole archive; the archive itself is not looked at. The index may be new, or know the archive.
    Merging the same shards again changes nothing.
    """
    shown = False if quiet else progress
    _tell(index.merge(*shards, accept_loss=accept_loss, progress=shown), quiet=quiet)


def _tell(summary: "Summary", *, quiet: bool) -> None:
    """Print what was done, and what could not be done."""
    if not quiet and (summary.found or not summary.away):
        click.echo(str(summary), err=True)
    for damaged in summary.damaged:
        click.echo(f"{printable(damaged.path)}: {damaged.reason}", err=True)
    failed = [summary.unlooked_line()] if summary.unlooked else []
    failed += [summary.damaged_line()] if summary.damaged else []
    failed += [summary.away_line()] if summary.away else []
    for line in failed[:-1]:
        click.echo(f"Error: {line}", err=True)
    if failed:
        raise SdindexError(failed[-1])


@click.command()
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@with_index
def relocate(index: "Index", *, old: str, new: str) -> None:
    """Tell the index that archive OLD is now in folder NEW. No image is read."""
    index.relocate(old, new)
    click.echo(f"{printable(old)} is now {printable(new)}", err=True)


@click.command()
@click.option(
    "--archive", metavar="ROOT", type=PATH, help="Remove this whole archive from the index instead."
)
@with_index
def prune(index: "Index", *, archive: str | None) -> None:
    """Remove missing images from the index.

    Images of saved samples stay. Image files are never touched.
    """
    click.echo(f"removed {index.prune(archive):,} images from the index", err=True)


@click.command()
@click.argument("source", metavar="INDEX", type=PATH)
@click.argument("target", metavar="NEW_INDEX", type=PATH)
@progress_option
def copy(source: str, target: str, *, progress: bool | None) -> None:
    """Copy an index into a new one, with its samples and labels.

    Each is a file or a postgresql:// URL. No image is read.
    """
    from sdindex.api import Index

    with Index(source) as index:
        index.copy(target, progress=progress)


@contextmanager
def _reasons_on_stderr() -> Iterator[None]:
    """Print what the library logs to stderr, without breaking a progress bar."""
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
