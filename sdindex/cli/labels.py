"""Commands on labels: import, list, export, drop."""

from typing import TYPE_CHECKING, Any

import click

from sdindex.arguments import (
    DEFAULT_CLASSIFICATION_THRESHOLD,
    DEFAULT_COLUMN,
    DEFAULT_THRESHOLD,
)
from sdindex.cli.delivery import output_option
from sdindex.cli.options import PATH, format_option, progress_option, with_index
from sdindex.exchange.readers.file_formats import KINDS

if TYPE_CHECKING:
    from sdindex.api import Index
    from sdindex.cli.terminal import TableFormat


@click.group()
def labels() -> None:
    """Import, list, export and drop labels of images."""


@labels.command("import")
@click.argument("file", type=PATH)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=DEFAULT_THRESHOLD,
    show_default=True,
    help="Ignore detections with a lower confidence.",
)
@click.option(
    "--classification-threshold",
    type=click.FloatRange(0, 1),
    default=DEFAULT_CLASSIFICATION_THRESHOLD,
    show_default=True,
    help="Label a detection with its likeliest species if its confidence is at least this; else "
    "with the detector's category.",
)
@click.option(
    "--column", default=DEFAULT_COLUMN, show_default=True, help="Read labels from this CSV column."
)
@click.option(
    "--confidence-column",
    metavar="NAME",
    help="Read confidences from this CSV column. [default: confidence or conf, if there]",
)
@click.option(
    "--source-column",
    metavar="NAME",
    help="Read the source of each label, such as the person who gave it, from this CSV column.",
)
@click.option(
    "--relative-to",
    type=PATH,
    metavar="DIR",
    help="Take paths in FILE as relative to this folder of an archive. "
    "[default: the root of the archive]",
)
@click.option(
    "--source",
    metavar="NAME",
    help="Store the labels under this source, in place of its earlier labels of these images; "
    "labels that FILE says a machine gave under 'NAME (machine)'. [default: the source that FILE "
    "names, else the name of FILE]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(KINDS),
    help="Read FILE in this format. [default: its content shows it]",
)
@progress_option
@with_index
def import_labels(index: "Index", *, file: str, **options: Any) -> None:
    """Store the labels of FILE: results, a table, or an export.

    Results are those of MegaDetector, SpeciesNet (its predictions.json, too), AddaxAI or Zamba.
    Each detection becomes a label with its box: the likeliest species, or the detector's category.
    An image without detections gets the label empty; a failure is stored, too.

    A table is a CSV with a column of paths and a column of labels; Timelapse's CSV is read by its
    own columns. Exports are those of Camtrap DP (the folder, or its observations.csv), COCO, Label
    Studio (JSON), CVAT (CVAT for images, XML) and YOLO (the folder, or its data.yaml). Labels by
    people and by a machine are stored as two sources.
    """
    click.echo(str(index.import_labels(file, **options)), err=True)


@labels.command("list")
@format_option("table", "csv", "json")
@with_index
def list_labels(index: "Index", *, form: "TableFormat") -> None:
    """List the labels of each source with their image counts."""
    from sdindex.cli.terminal import write_records
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.store.labels import LabelCount

    counted = index.labels()
    with writing(STDOUT) as stdout:
        write_records(LabelCount, counted, form, stdout)


@labels.command("export")
@click.option(
    "--source", multiple=True, metavar="NAME", help="Only labels from this source; repeatable."
)
@click.option(
    "--relative",
    is_flag=True,
    help="Write relative paths even when there are several archives. [default: relative for a "
    "single archive, absolute for several]",
)
@output_option
@with_index
def export_labels(index: "Index", *, source: tuple[str, ...], relative: bool, output: str) -> None:
    """Write all labels and boxes as MegaDetector writes its results.

    Imported results are written as they were, under the present paths of the images. To write those
    of a sample: sdindex select --format megadetector-results
    """
    from sdindex.exchange.output import writing

    with writing(output, index=index.file) as file:
        done = index.export_labels(file, source=source, relative=relative)
    click.echo(str(done), err=True)


@labels.command("drop")
@click.argument("source")
@with_index
def drop_labels(index: "Index", *, source: str) -> None:
    """Remove all labels from SOURCE."""
    click.echo(f"removed {index.drop_labels(source):,} labels", err=True)
