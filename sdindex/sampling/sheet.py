"""A sample in groups, as a contact sheet shows it, and its figures."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex.sampling.frame import Numbers, distinct, needed, turns
from sdindex.sampling.sample import Candidates
from sdindex.sampling.strata import strata
from sdindex.sampling.stratum_kinds import kind_of

GROUPINGS = ("camera", "bucket", "label", "day", "burst")
_COUNTED = {"camera": "cameras", "bucket": "buckets", "label": "labels", "day": "days"}
_NEIGHBOURS = 4  # images before and after a burst that are shown
_MOST_IMAGES = 60  # images of a burst that are shown, at most
SHEET_COLUMNS = ("camera", "folder", "time", "label", "burst")  # of candidates


class Group(NamedTuple):
    """Images that are shown together.

    Attributes
    ----------
    name
        Of the camera, the bits of the bucket, the label, or the day; empty where there is none,
        and for bursts.
    images
        How many there are to draw from.
    sample
        The positions of the sampled ones, in order.
    """

    name: str
    images: int
    sample: Numbers


class Figure(NamedTuple):
    """How many of something a sample has, and how many there are."""

    number: int
    of: int
    what: str


class _Grouped(NamedTuple):
    numbers: NDArray[Any]
    names: list[str]
    images: Numbers
    order: list[int]  # in which groups are shown


class Sheets:
    """The groupings for samples of the same candidates; each is made once."""

    def __init__(self, found: Candidates) -> None:
        self.found = found
        self._grouped: dict[str, _Grouped] = {}

    def groups(self, sample: Numbers, by: str) -> list[Group]:
        """Return the groups that have an image of a sample, with all their sampled images."""
        grouped = self._by(by)
        numbers = grouped.numbers[sample]
        order = np.argsort(numbers, kind="stable")
        starts = np.flatnonzero(turns(numbers[order])) if len(order) else order
        parts = np.split(sample[order], starts[1:])
        of = {int(grouped.numbers[part[0]]): part for part in parts if len(part)}
        shown = grouped.order if len(grouped.order) <= len(of) else sorted(of, key=self._rank(by))
        return [
            Group(grouped.names[number], int(grouped.images[number]), of[number])
            for number in shown
            if number in of
        ]

    def figures(self, sample: Numbers) -> list[Figure]:
        """Return how many of the images, cameras, buckets, labels and days a sample has."""
        found = [Figure(len(sample), len(self.found), "images")]
        for by, what in _COUNTED.items():
            grouped = self._by(by)
            is_one = np.array([bool(name) or by == "camera" for name in grouped.names], bool)
            numbers = grouped.numbers[sample]
            if is_one.any():
                reached = distinct(numbers[is_one[numbers]])
                found.append(Figure(reached, int(np.count_nonzero(is_one)), what))
        return found

    def _rank(self, by: str) -> Any:
        rank = {number: at for at, number in enumerate(self._by(by).order)}
        return rank.__getitem__

    def _by(self, by: str) -> _Grouped:
        if by not in self._grouped:
            self._grouped[by] = self._grouping(by)
        return self._grouped[by]

    def _grouping(self, by: str) -> _Grouped:
        frame = self.found.frame
        if by == "burst":
            numbers = self.found.kin.units.unit_of
            return _counted(numbers, [""] * len(self.found.kin.units))
        if by == "bucket":
            bits = len(self.found.leading)
            values, numbers = np.unique(frame.buckets(self.found.leading), return_inverse=True)
            return _counted(numbers, [f"{value:0{bits}b}" if bits else "all" for value in values])
        if by == "label" and not needed(frame.labels).names:
            return _counted(np.zeros(len(frame), np.uint8), [""])
        kind = strata(frame, kind_of("by", by))
        grouped = _counted(kind.numbers, kind.names)
        if by == "camera":
            return grouped
        order = sorted(range(len(kind.names)), key=lambda at: (not kind.names[at], kind.names[at]))
        return grouped._replace(order=order)


def around(starts: Numbers, position: int, images: int) -> tuple[range, range]:
    """Return the positions of an image's burst; and of the burst with a few images on both sides.

    Parameters
    ----------
    starts
        The positions at which bursts start.
    images
        How many there are.
    """
    burst = int(np.searchsorted(starts, position, side="right")) - 1
    end = int(starts[burst + 1]) if burst + 1 < len(starts) else images
    first = max(int(starts[burst]), position - _MOST_IMAGES)
    end = min(end, position + _MOST_IMAGES)
    return range(first, end), range(max(0, first - _NEIGHBOURS), min(images, end + _NEIGHBOURS))


def _counted(numbers: NDArray[Any], names: list[str]) -> _Grouped:
    images = np.bincount(numbers, minlength=len(names))
    return _Grouped(numbers, names, images, [*range(len(names))])
