"""The card of a saved sample: what a paper says of it, and the commands that draw it again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from typing import Any

from sdindex.archive.names import printable
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.spelled import command, quoted

_RULE = (
    "Images with the same leading bits in their difference hashes (dHash, 64 bits) form a bucket. "
    "Small buckets are kept whole; the largest are trimmed from the top until the sample has its "
    "size. Of a bucket, images are taken by an even stride through the natural order of the paths. "
    "Options say what else: units, balance, filters. Nothing is left to chance."
)
_MEASURES = ("measure", "of", "sample", "random", "stride")


@dataclass(frozen=True, slots=True)
class SampleCard:
    """A saved sample's card: what a paper says of the sample.

    Attributes
    ----------
    name, made_at, program, asked, drawn_from, options
        As in `sdindex.SavedSample`.
    images, missing
        How many of its images are there, and how many are missing now.
    archives
        How many images each archive gives, by its root.
    cameras, first, last
        The number of cameras, and when the first and the last image were taken.
    labels
        How many images have each label of each source.
    quality
        The measures of `sdindex.Quality`: names, and the values of the sample, of random samples
        and of a plain stride.
    split
        How it was split, and how many images each part has; None if it was not.
    paths_sha256
        SHA-256 of the relative paths in natural order, each ended by a newline: equal for two
        samples of the same images.
    """

    name: str
    made_at: datetime
    program: str
    asked: int
    drawn_from: int
    options: Mapping[str, Any]
    images: int
    missing: int
    archives: Mapping[str, int]
    cameras: int
    first: datetime | None
    last: datetime | None
    labels: Mapping[str, Mapping[str, int]]
    quality: Sequence[Any]
    split: Mapping[str, Any] | None
    paths_sha256: str

    @property
    def rule(self) -> str:
        """The rule by which samples are drawn, in words."""
        return _RULE

    @property
    def commands(self) -> list[str]:
        """The commands that draw, and split, the same sample from the same index."""
        found = [command("", self.asked, SampleOptions(**self.options), "--save", self.name)]
        if self.split is not None:
            into = ",".join(f"{part}={share:g}" for part, share in self.split["into"].items())
            split = ["sdindex", "samples", "split", self.name, "--into", into]
            split += ["--by", self.split["by"]]
            if self.split["within"] is not None:
                split += ["--within", str(self.split["within"])]
            found.append(quoted(split))
        return found

    def to_json(self) -> str:
        """Return the card as JSON."""
        known = asdict(self) | {"rule": self.rule, "commands": self.commands}
        known["quality"] = [
            dict(zip(_MEASURES, astuple(each), strict=True)) for each in self.quality
        ]
        return json.dumps(known, indent=2, default=str)

    def to_markdown(self) -> str:
        """Return the card as Markdown."""
        return "\n".join(_lines(self)) + "\n"


def _lines(card: SampleCard) -> Iterator[str]:
    yield f"# Sample: {_text(card.name)}"
    yield ""
    there = f", {card.missing:,} missing now" if card.missing else ""
    yield (
        f"{card.images:,} images{there}, {card.asked:,} asked for, drawn from {card.drawn_from:,} "
        f"on {card.made_at:%Y-%m-%d} (UTC) by sdindex {card.program}."
    )
    yield ""
    yield from _table(("archive", "images"), card.archives.items())
    if card.first is not None and card.last is not None:
        when = f"{card.first:%Y-%m-%d} to {card.last:%Y-%m-%d} (cameras' clocks)"
    else:
        when = "no times known"
    yield f"{card.cameras:,} cameras; {when}."
    for title, part in (("Rule", _rule), ("Again", _again), ("Quality", _quality)):
        yield from ("", f"## {title}", "")
        yield from part(card)
    if card.labels:
        yield from ("", "## Labels", "")
        rows = ((source, *each) for source, of in card.labels.items() for each in of.items())
        yield from _table(("source", "label", "images"), rows)
    if card.split is not None:
        yield from ("## Split", "")
        yield from _table(("part", "images"), card.split["parts"].items())


def _rule(card: SampleCard) -> Iterator[str]:
    yield card.rule
    yield ""
    yield from _table(("option", "value"), ((name, each) for name, each in card.options.items()))
    if not card.options:
        yield "All options are at their defaults."


def _again(card: SampleCard) -> Iterator[str]:
    yield from (f"    {command}" for command in card.commands)
    yield ""
    yield (
        f"SHA-256 of the relative paths, a line each: `{card.paths_sha256}`. The same index gives "
        "the same sample on every machine; archives that have grown give another."
    )


def _quality(card: SampleCard) -> Iterator[str]:
    yield from _table(_MEASURES, (astuple(each) for each in card.quality))


def _table(header: Sequence[str], rows: Any) -> Iterator[str]:
    found = [[*map(_text, row)] for row in rows]
    if found:
        yield f"| {' | '.join(header)} |"
        yield f"|{'---|' * len(header)}"
        yield from (f"| {' | '.join(row)} |" for row in found)
        yield ""


def _text(value: object) -> str:
    """Return a value as a cell of Markdown; characters with a meaning there are escaped."""
    match value:
        case None:
            text = "-"
        case float():
            text = f"{value:.3g}"
        case int():
            text = f"{value:,}"
        case list():
            text = ", ".join(map(str, value))
        case _:
            text = str(value)
    return printable(text).replace("|", "\\|").replace("<", "&lt;")
