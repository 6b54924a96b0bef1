"""Sentences for a report: how a sample was drawn, and what a saved one stands beside."""

from collections.abc import Iterator

from sdindex.archive.names import printable
from sdindex.sampling.options import SampleOptions

_SHOWN = {
    "moved": "the image in which most moved",
    "first": "its first image",
    "middle": "its middle image",
    "last": "its last image",
}
_ORDERS = {"top": "", "centre": ", from the centre on", "even": ", those that split most evenly"}


def is_plain(options: SampleOptions) -> bool:
    """Say whether only buckets decided, so that the smaller ones were kept whole."""
    return (
        options.bits > 0
        and options.unit == "image"
        and not options.balance
        and not options.share
        and not options.extend
        and not options.include
        and options.review is None
    )


def sentences(options: SampleOptions) -> Iterator[str]:
    """Yield sentences on how a sample was drawn."""
    if options.review is not None:
        yield f"It is what the review {printable(options.review)} made of it."
    if options.extend is not None:
        yield f"All images of the sample {printable(options.extend)} are in it."
    if options.unit != "image":
        yield f"One image of each {options.unit} was drawn: {_SHOWN[options.show]}."
    if options.share:
        yield f"Fixed shares of it are {printable(str(options.share))}."
    if options.balance:
        kinds = ", within each of these by ".join(map(printable, options.balance))
        most = "" if options.at_most is None else f", at most {options.at_most:,} of each"
        yield f"It was shared out evenly by {kinds}{most}."
    if not options.bits:
        yield "Images were taken by an even stride along the archive."
        return
    bits = "bit" if options.bits == 1 else f"{options.bits} bits"
    order = _ORDERS.get(str(options.order), ", in an order of their own")
    yield f"Look-alike images were grouped by the first {bits} of their hashes{order}."
    if is_plain(options):
        yield "Small groups were kept whole; only the largest were trimmed, evenly along the"
        yield "archive."
    else:
        yield "The largest groups were trimmed first, evenly along the archive."
    if options.prefer is not None:
        yield "Of the images that each one stands for, the most moved was taken."


def beside(options: SampleOptions, drawn_from: int) -> str:
    """Return a sentence on the images that a saved sample is compared with."""
    given = {"--from": options.files, "--exclude": options.exclude}
    lists = [flag for flag, images in given.items() if images]
    listed = f" ({' and '.join(lists)}: as these lists are now)" if lists else ""
    return (
        f"It was drawn when the index had {drawn_from:,} images that could be sampled; beside it "
        f"are those that pass its filters now{listed}."
    )
