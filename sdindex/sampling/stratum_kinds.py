"""The kinds of strata that `balance` and `share` name, such as ``folder:2``: read from text."""

import re
from fractions import Fraction
from typing import NamedTuple

from sdindex.errors import Option, SampleError

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "common")
KINDS = ("camera", "label", "label:RANK", "folder:K", "day", "month", "hour", "night", "motion")

_DEEPEST = 10_000  # folders; no path has more
_KIND = re.compile(
    rf"(camera|day|month|hour|night|motion)()|(folder):0*([1-9]\d*)|(label)(?::({'|'.join(RANKS)})(?=:|$))?"
)
QUOTAS = "such as label:deer=20%,fox=80%"


class Kind(NamedTuple):
    """A kind of stratum: what images are told apart by, such as their cameras.

    `detail` is the number of folders of ``folder:K``, or the rank of ``label:RANK``; else empty.
    """

    name: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.detail}" if self.detail else self.name

    @property
    def folders(self) -> int:
        """How many leading folders of a path are meant."""
        return min(int(self.detail), _DEEPEST)


class Quotas(NamedTuple):
    """Fixed shares of a sample: the percent of each named stratum; all others share the rest."""

    kind: Kind
    percent: dict[str, Fraction]

    def counts(self, count: int) -> dict[str, int]:
        """Return how many of `count` images each name gets, by the largest remainders.

        Of equal remainders, the first name comes first, and what is not named last.
        """
        rest = 100 - sum(self.percent.values())
        parts = [count * percent / 100 for percent in [*self.percent.values(), rest]]
        counts = [int(part) for part in parts]
        by_remainder = sorted(range(len(parts)), key=lambda at: counts[at] - parts[at])
        for at in by_remainder[: count - sum(counts)]:
            counts[at] += 1
        return dict(zip(self.percent, counts, strict=False))

    def most(self, name: str, images: int) -> int:
        """Return how large a sample can be when only so many images have the name."""
        return int(images * 100 / self.percent[name])


def kind_of(name: str, text: str) -> Kind:
    """Return the kind that a text names.

    Raises
    ------
    SampleError
        When the text names no kind; `name` is the option.
    """
    found = _KIND.fullmatch(text)
    if found is None:
        raise SampleError(
            Option(name),
            " is camera, label, label:RANK such as label:genus, folder:K with K from 1 on, "
            f"day, month, hour, night or motion, not {text!r}",
        )
    return _kind(found)


def quotas_of(text: str) -> Quotas:
    """Return the fixed shares that a text gives, such as ``label:deer=20%,fox=80%``.

    Raises
    ------
    SampleError
        When it gives none, one twice, or more than 100% in all.
    """
    found = _KIND.match(text)
    if found is None or text[found.end() : found.end() + 1] != ":":
        raise SampleError(Option("share"), f" is KIND:NAME=PERCENT%, {QUOTAS}, not {text!r}")
    percent: dict[str, Fraction] = {}
    for part in text[found.end() + 1 :].split(","):
        name, _, number = part.rpartition("=")
        if not name or name in percent:
            raise SampleError(Option("share"), f" names each stratum once, {QUOTAS}, not {text!r}")
        percent[name] = _percent(number, text)
    if sum(percent.values()) > 100:
        raise SampleError(
            f"the shares add up to {float(sum(percent.values())):g}%; give no more than 100% in all"
        )
    return Quotas(_kind(found), percent)


def _kind(found: re.Match[str]) -> Kind:
    name, detail = (found[at] or found[at + 2] or found[at + 4] or "" for at in (1, 2))
    return Kind(name, detail)


def _percent(number: str, text: str) -> Fraction:
    try:
        percent = Fraction(number.strip().removesuffix("%"))
    except (ValueError, ZeroDivisionError):
        percent = Fraction(0)
    if not number.strip().endswith("%") or not 0 < percent <= 100:
        raise SampleError(f"a share is more than 0% and at most 100%, {QUOTAS}, not {text!r}")
    return percent
