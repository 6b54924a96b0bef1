"""Commands on images that look alike: similar and duplicates."""

from typing import TYPE_CHECKING, Literal

import click

from sdindex.arguments import DEFAULT_SIMILAR, DEFAULT_WITHIN
from sdindex.cli.options import PATH, Number, format_option, progress_option, with_index
from sdindex.hashing.bits import HASH_BITS

if TYPE_CHECKING:
    from sdindex.api import Index
    from sdindex.cli.terminal import TableFormat


@click.command()
@click.argument("file", type=PATH)
@click.option(
    "-n",
    "--count",
    type=Number(),
    default=DEFAULT_SIMILAR,
    show_default=True,
    help="List at most this many images.",
)
@click.option(
    "--within",
    type=click.IntRange(0, HASH_BITS),
    default=HASH_BITS,
    show_default=True,
    metavar="BITS",
    help="Only images whose hashes differ in at most this many bits.",
)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="List all images of a burst, and those of the burst of FILE, too.",
)
@format_option("table", "csv", "json")
@with_index
def similar(
    index: "Index", *, file: str, count: int, within: int, every: bool, form: "TableFormat"
) -> None:
    """List the images that are most like FILE, the nearest first.

    FILE may be any image file; one that the index does not have is read. Of each burst only one
    image is listed, and none of the burst that FILE is in.
    """
    from sdindex.cli.terminal import write_rows
    from sdindex.exchange.output import STDOUT, writing

    found = index.similar(file, count, within=within, every=every)
    rows = (
        (near.bits, image.path, image.camera, image.taken_at, "|".join(image.labels))
        for near, image in ((near, near.image) for near in found)
    )
    with writing(STDOUT) as stdout:
        write_rows(("bits", "path", "camera", "taken_at", "labels"), rows, form, stdout)


@click.command()
@click.option(
    "--within",
    type=click.IntRange(0, HASH_BITS),
    default=DEFAULT_WITHIN,
    show_default=True,
    metavar="BITS",
    help="Group images whose hashes differ in at most this many bits from the one that leads the "
    "group; 0 for equal hashes.",
)
@progress_option
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "csv", "json", "paths")),
    default="table",
    show_default=True,
    help="Write a table of the groups; or each image with its group (csv, json); or, for select "
    "--exclude, the paths of all images but the one that leads each group (paths).",
)
@with_index
def duplicates(
    index: "Index",
    *,
    within: int,
    progress: bool | None,
    form: Literal["table", "csv", "json", "paths"],
) -> None:
    """List groups of near-duplicates, the largest first."""
    from sdindex.cli.terminal import write_records
    from sdindex.exchange.formats.paths import write_paths
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.store.likeness import DuplicateGroup, DuplicateImage

    found = index.duplicates(within, progress=progress)
    with writing(STDOUT) as stdout:
        match form:
            case "table":
                write_records(DuplicateGroup, iter(found), form, stdout)
            case "paths":
                write_paths(found.others(), stdout, end="\n")
            case _:
                write_records(DuplicateImage, found.members(), form, stdout)
    groups = "group" if found.groups == 1 else "groups"
    click.echo(f"{found.images:,} images in {found.groups:,} {groups}", err=True)
