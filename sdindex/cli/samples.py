"""Commands on samples: select, which draws one, and samples, for saved ones."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from sdindex.archive.names import printable
from sdindex.cli.delivery import Delivery, delivery_options, output_option
from sdindex.cli.options import count_option, format_option, with_index
from sdindex.cli.sampling import sampling_options
from sdindex.hashing.bits import HASH_BITS
from sdindex.progress import elapsed
from sdindex.sampling.idle import refuse_idle
from sdindex.sampling.options import sample_options

if TYPE_CHECKING:
    from sdindex.api import Index
    from sdindex.cli.terminal import TableFormat
    from sdindex.sampling.options import SampleArguments


@click.command()
@count_option
@sampling_options
@click.option("--save", metavar="NAME", help="Save the sample in the index under this name.")
@delivery_options
@with_index
def select(
    index: "Index",
    *,
    count: int | str,
    sampling: "SampleArguments",
    save: str | None,
    delivery: Delivery,
) -> None:
    """Draw a varied sample of COUNT images. No image is opened.

    Images with the same leading bits in their hashes form a bucket. Small buckets are kept
    whole; only the largest are trimmed, evenly along the natural order of the paths. All
    options combine.
    """
    refuse_idle(
        sampling, sample_options(**sampling), with_bursts=delivery.tells_bursts or bool(save)
    )
    if delivery.is_of_paths:  # millions are written as they are fetched
        with _saying() as say:
            paths = index.paths(
                count, relative=delivery.relative, save=save, when_drawn=say, **sampling
            )
        with closing(paths):
            drawn = delivery.write_paths(paths, index.file)
    else:
        bursts = delivery.tells_bursts
        with _saying() as say:
            sample = index.select(count, save=save, with_bursts=bursts, when_drawn=say, **sampling)
        delivery = delivery._replace(sources=tuple(sampling.get("sources", ())))
        delivery.deliver(sample, index, save or "")
        drawn = len(sample)
    if drawn < (count if isinstance(count, int) else 1):
        capped = sampling.get("at_most")
        fewer = f"--at-most {capped:,} gives" if capped else "there are"
        limit = f"{fewer} {drawn:,}{'' if capped else ' to draw'}"
        asked = f"{count:,}" if isinstance(count, int) else f"{count} of the"
        click.echo(f"warning: {asked} images were asked for, and {limit}", err=True)


@contextmanager
def _saying() -> Iterator[Callable[[str], None] | None]:
    """Show on a terminal how long drawing takes; give what writes a line there, else None."""
    with elapsed("drawing") as stop:

        def say(line: str) -> None:
            if stop is not None:
                stop()
            click.echo(line, err=True)

        yield None if stop is None else say


@click.group()
def samples() -> None:
    """List, show, split, describe and drop saved samples.

    Save one with: sdindex select --save NAME
    """


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
@click.option("--missing", is_flag=True, help="Write the paths of the missing images instead.")
@click.option(
    "--decisions",
    type=click.Choice(("table", "csv", "json")),
    help="Write what people decided on its images instead, also of a review of that name.",
)
@click.option("--split", metavar="PART", help="Only the images of this part of a split sample.")
@delivery_options
@with_index
def show_sample(
    index: "Index",
    *,
    name: str,
    missing: bool,
    decisions: "TableFormat | None",
    split: str | None,
    delivery: Delivery,
) -> None:
    """Write the images of the saved sample NAME, as select does."""
    if decisions is not None:
        _show_decisions(index, name, decisions, delivery)
        return
    gone = index.missing_of(name)
    if missing:
        delivery.write_missing(gone, index.file)
        return
    sample = index.sample(name, with_bursts=delivery.tells_bursts, split=split)
    delivery.deliver(sample, index, name)
    if gone:
        click.echo(
            f"warning: {len(gone):,} images of {name} are missing or unreadable now, such as "
            f"{printable(gone[0])}; all of them: --missing",
            err=True,
        )


def _show_decisions(index: "Index", name: str, form: "TableFormat", delivery: Delivery) -> None:
    from sdindex.cli.terminal import write_records
    from sdindex.exchange.output import writing
    from sdindex.store.decisions import Decision

    decided = index.decisions(name)
    with writing(delivery.output, index=index.file) as output:
        write_records(Decision, decided, form, output)


class Parts(click.ParamType[dict[str, float]]):
    """Parts of a split, with their shares in percent."""

    name = "parts"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, float]:
        """Read text such as ``train=80,val=20``; each name once."""
        if isinstance(value, dict):
            return value
        pairs = [part.rpartition("=") for part in str(value).split(",")]
        try:
            found = {name.strip(): float(share.removesuffix("%")) for name, _, share in pairs}
        except ValueError:
            found = {}
        if len(found) < len(pairs) or not all(0 < share < 100 for share in found.values()):
            self.fail(f"{value!r} is not such as train=80,val=10,test=10", param, ctx)
        return found


@samples.command("split")
@click.argument("name")
@click.option(
    "--into",
    type=Parts(),
    metavar="PART=P,PART=P",
    default="train=80,val=10,test=10",
    show_default=True,
    help="Make these parts, each with its share of the images in percent.",
)
@click.option(
    "--by",
    metavar="camera|folder:K|event|none",
    default="camera",
    show_default=True,
    help="Keep images of one camera, folder (the first K of the path) or event in one part.",
)
@click.option(
    "--within",
    type=click.IntRange(0, HASH_BITS),
    metavar="BITS",
    help="Keep near-duplicates in one part, too: groups within this many of 64 bits.",
)
@format_option("table", "csv", "json")
@with_index
def split_sample(
    index: "Index",
    *,
    name: str,
    into: dict[str, float],
    by: str,
    within: int | None,
    form: "TableFormat",
) -> None:
    """Split the saved sample NAME into parts, such as train, val and test.

    No camera (see --by) is split between two parts. Within that, each part has its share of all
    images, and of each label, as nearly as can be; the table shows each part's share, and the label
    that is farthest from its own. The split is stored in the index, and is the same on every run.
    Write a part with: sdindex samples show NAME --split PART
    """
    from sdindex.cli.terminal import write_records
    from sdindex.exchange.output import STDOUT, writing
    from sdindex.store.splits import SplitPart

    with elapsed("splitting"):
        parts = index.split(name, into, by=by, within=within)
    with writing(STDOUT) as stdout:
        write_records(SplitPart, parts, form, stdout)


@samples.command("card")
@click.argument("name")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
    help="Write Markdown for people, or json for programs.",
)
@output_option
@with_index
def sample_card(index: "Index", *, name: str, form: str, output: str) -> None:
    """Write the card of the saved sample NAME, to cite in a paper.

    The card says what a paper needs: the archives, cameras, period and labels of the images, the
    rule, options and version by which they were drawn, the sample's quality and split, and the
    commands that draw and split it again.
    """
    from sdindex.exchange.output import writing

    card = index.card(name)
    text = card.to_markdown() if form == "markdown" else f"{card.to_json()}\n"
    with writing(output, index=index.file) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


@samples.command("drop")
@click.argument("name")
@with_index
def drop_sample(index: "Index", *, name: str) -> None:
    """Remove the saved sample NAME. Its images stay in the index."""
    index.drop_sample(name)
    click.echo(f"removed the saved sample {name}", err=True)
