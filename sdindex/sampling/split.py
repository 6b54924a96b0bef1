"""Splitting a sample into parts: groups stay whole, labels are as even as that allows."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex.sampling.frame import NONE, Numbers, by_appearance

# The version of the rule, stored with a split. Raise it when the same images and options would be
# split in another way.
SPLIT_RULE = 1

_ROUNDS = 20  # rounds of moving groups, at most
_MOVED = 20_000  # groups; of more, none matters
_EXCHANGED = 200  # groups: of each two
_LEAST = 1e-9  # gain of a move

_Counts = tuple[tuple[int, int], ...]  # how many images have each label, by the label's number
Parts = NDArray[np.int16]


class _Alike(NamedTuple):
    """Groups with the same labels, equally often; the first number counts all images."""

    counts: _Counts
    groups: list[int]


def joined(groups: NDArray[Any], others: NDArray[Any]) -> Numbers:
    """Return groups that join images with a common group, or a common group among `others`.

    Parameters
    ----------
    groups, others
        For each image, numbers from 0 on.
    """
    roots = np.arange(int(groups.max(initial=-1)) + 1)
    first = np.full(int(others.max(initial=-1)) + 1, -1, np.int64)
    first[others[::-1]] = groups[::-1]  # for each other group, the group of its first image
    edges = np.unique(np.stack([groups.astype(np.int64), first[others]]), axis=1)
    while True:
        one, two = roots[edges]
        apart = one != two
        if not apart.any():
            found: Numbers = roots[groups]
            return found
        edges = edges[:, apart]
        low, high = np.minimum(one, two)[apart], np.maximum(one, two)[apart]
        np.minimum.at(roots, high, low)
        while (roots[roots] != roots).any():
            roots = roots[roots]


def split(groups: NDArray[Any], labels: Numbers, shares: Sequence[float]) -> Parts:
    """Return the part, by number, that each image comes into.

    Each group, the largest first, goes to the part that most lacks its images and labels. Then
    groups are moved as long as that brings the parts nearer to their shares, of all images and of
    each label. Groups that have the same labels equally often are spread evenly, and stay. No part
    is empty, and nothing is random.

    Parameters
    ----------
    groups
        The number of each image's group, in natural order.
    labels
        The number of each image's label, or `NONE`.
    shares
        Of the parts: they add up to 1.

    Raises
    ------
    ValueError
        When there are fewer groups than parts.
    """
    kinds = int(groups.max(initial=-1)) + 1
    numbers = by_appearance(groups, kinds).astype(np.int64)
    found = int(numbers.max(initial=-1)) + 1
    if found < len(shares):
        raise ValueError(f"{found} groups, and {len(shares)} parts")
    alike, totals = _alike(numbers, labels, found)
    filling = _Filling(totals, shares)
    part_of = np.zeros(found, np.int16)
    for some in alike:
        part_of[some.groups] = filling.add(some)
    singles = {some.groups[0]: some.counts for some in alike if len(some.groups) == 1}
    if len(singles) <= _MOVED:
        filling.improve(part_of, singles)
    filling.fill_empty(part_of, alike)
    parts: Parts = part_of[numbers]
    return parts


def _alike(numbers: Numbers, labels: Numbers, groups: int) -> tuple[list[_Alike], list[int]]:
    """Return the groups by their labels, the largest and rarest first; and the labels' counts."""
    sizes = np.bincount(numbers, minlength=groups)
    has_label = labels != NONE
    width = int(labels.max(initial=NONE)) + 2
    totals = [len(numbers), *np.bincount(labels[has_label], minlength=width - 1).tolist()]
    pairs, of_pair = np.unique(
        numbers[has_label] * width + labels[has_label] + 1, return_counts=True
    )
    counts: list[list[tuple[int, int]]] = [[] for _ in range(groups)]
    for group, label, images in zip(
        (pairs // width).tolist(), (pairs % width).tolist(), of_pair.tolist(), strict=True
    ):
        counts[group].append((label, images))
    found: dict[_Counts, list[int]] = {}
    for group, (size, of_group) in enumerate(zip(sizes.tolist(), counts, strict=True)):
        found.setdefault(((0, size), *of_group), []).append(group)

    def rank(some: _Alike) -> tuple[int, int, int]:
        (_, size), *of_labels = some.counts
        rarest = min((totals[label] for label, _ in of_labels), default=len(numbers) + 1)
        return -size, rarest, some.groups[0]

    return sorted((_Alike(*each) for each in found.items()), key=rank), totals


class _Filling:
    """The parts while they are filled: how much of each label, and of all images, each still lacks.

    Parts are rated by the sum of the squares of what is lacking, divided by what is wanted. A
    group's score in a part is how much it lowers this.
    """

    def __init__(self, totals: Sequence[int], shares: Sequence[float]) -> None:
        self._weights = [1 / total if total else 0.0 for total in totals]
        self._shares = shares
        self._missing = [[share * total for total in totals] for share in shares]
        self._groups = [0] * len(shares)

    def add(self, some: _Alike) -> NDArray[np.int16]:
        """Put groups that are alike into parts; return the part of each, in their order."""
        scores = [self._score(part, some.counts) for part in range(len(self._shares))]
        step = 2 * sum(images * images * self._weights[label] for label, images in some.counts)
        counts = _filled(scores, [step / share for share in self._shares], len(some.groups))
        for part, taken in enumerate(counts):
            if taken:
                self._put(part, some.counts, taken)
        return _evenly(counts)

    def improve(self, part_of: NDArray[np.int16], groups: dict[int, _Counts]) -> None:
        """Move groups to other parts as long as that is better; few are exchanged, too."""
        for _ in range(_ROUNDS):
            moved = self._move_all(part_of, groups)
            if len(groups) <= _EXCHANGED:
                moved |= self._exchange_all(part_of, groups)
            if not moved:
                return

    def _move_all(self, part_of: NDArray[np.int16], groups: dict[int, _Counts]) -> bool:
        moved = False
        for group, counts in groups.items():
            part = int(part_of[group])
            if self._groups[part] > 1:
                self._put(part, counts, -1)
                scores = [self._score(each, counts) for each in range(len(self._shares))]
                best = _best(scores)
                better = scores[best] > scores[part] + _LEAST
                part_of[group] = best if better else part
                self._put(int(part_of[group]), counts, 1)
                moved |= better
        return moved

    def _exchange_all(self, part_of: NDArray[np.int16], groups: dict[int, _Counts]) -> bool:
        moved = False
        for (one, counts), (other, others) in combinations(groups.items(), 2):
            here, there = int(part_of[one]), int(part_of[other])
            if here == there:
                continue
            self._put(here, counts, -1)
            self._put(there, others, -1)
            as_it_is = self._score(here, counts) + self._score(there, others)
            exchanged = self._score(there, counts) + self._score(here, others)
            if exchanged > as_it_is + _LEAST:
                here, there, moved = there, here, True
                part_of[one], part_of[other] = here, there
            self._put(here, counts, 1)
            self._put(there, others, 1)
        return moved

    def fill_empty(self, part_of: NDArray[np.int16], alike: Sequence[_Alike]) -> None:
        """Give each part that has no group one of the smallest."""
        for part in (at for at, groups in enumerate(self._groups) if not groups):
            for some in reversed(alike):
                movable = [group for group in some.groups if self._groups[part_of[group]] > 1]
                if movable:
                    self._put(int(part_of[movable[0]]), some.counts, -1)
                    self._put(part, some.counts, 1)
                    part_of[movable[0]] = part
                    break

    def _score(self, part: int, counts: _Counts) -> float:
        missing, weights = self._missing[part], self._weights
        gained = sum(
            images * (2 * missing[label] - images) * weights[label] for label, images in counts
        )
        return gained / self._shares[part]

    def _put(self, part: int, counts: _Counts, groups: int) -> None:
        missing = self._missing[part]
        for label, images in counts:
            missing[label] -= images * groups
        self._groups[part] += groups


def _best(scores: Sequence[float]) -> int:
    """Return the index of the highest score; of several, the first."""
    return max(range(len(scores)), key=scores.__getitem__)


def _filled(scores: Sequence[float], steps: Sequence[float], groups: int) -> list[int]:
    """Return how many of some equal groups each part gets: each goes where the score is highest.

    A group that is taken lowers the score of its part by the part's step.
    """
    counts = [0] * len(scores)
    if groups > 1:
        level = _level(scores, steps, groups)
        for at, (score, step) in enumerate(zip(scores, steps, strict=True)):
            counts[at] = min(max(0, int((score - level) / step)), groups - sum(counts))
    for _ in range(groups - sum(counts)):
        left = [
            score - step * taken for score, step, taken in zip(scores, steps, counts, strict=True)
        ]
        counts[_best(left)] += 1
    return counts


def _level(scores: Sequence[float], steps: Sequence[float], groups: int) -> float:
    """Return the level down to which `groups` groups bring the highest scores."""
    ordered = sorted(zip(scores, steps, strict=True), reverse=True)
    held, width = 0.0, 0.0
    for at, (score, step) in enumerate(ordered, 1):
        held, width = held + score / step, width + 1 / step
        level = (held - groups) / width
        if at == len(ordered) or level >= ordered[at][0]:
            return level
    return 0.0


def _evenly(counts: Sequence[int]) -> NDArray[np.int16]:
    """Return the numbers of parts, each as often as `counts` says, spread evenly."""
    parts = np.repeat(np.arange(len(counts), dtype=np.int16), counts)
    at = np.concatenate([(np.arange(each) + 0.5) / each if each else [] for each in counts])
    return parts[np.argsort(at, kind="stable")]
