"""How many labels, cameras, bursts and so on a sample reaches; and labels by sample size."""

from collections.abc import Iterable
from math import exp, lgamma
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex.sampling.frame import Labelled, Mask, Numbers, distinct, needed, within
from sdindex.sampling.sample import Candidates, draw

RARE = 0.03  # a label is rare when a smaller share of the labelled images has it


class Grouping(NamedTuple):
    """Which group each image is in, such as its camera: positions of images, and group numbers.

    The positions are in order. Without positions there is a number for every image.
    """

    positions: Numbers | None
    numbers: NDArray[Any]


def reached(grouping: Grouping, sample: Numbers) -> int:
    """Return how many groups have a sampled image; `sample` are positions, in order."""
    if grouping.positions is None:
        return distinct(grouping.numbers[sample])
    first = np.searchsorted(grouping.positions, sample)
    after = np.searchsorted(grouping.positions, sample, side="right")
    found = np.repeat(first, after - first) + within(after - first)
    return distinct(grouping.numbers[found])


def images_by_label(labels: Labelled) -> Numbers:
    """Return how many images have each label, by its number; from two sources it counts once."""
    kinds = max(len(labels.names), 1)
    pairs = np.unique(labels.positions * kinds + labels.numbers)
    return np.bincount(pairs % kinds, minlength=kinds)


def is_rare(labels: Labelled) -> Mask:
    """Say of each label, by its number, whether it is rare."""
    rare: Mask = images_by_label(labels) < RARE * distinct(labels.positions)
    return rare


class LabelsReached(NamedTuple):
    """How many labels a sample of `images` images reaches, and a random one on average."""

    images: int
    sample: int
    random: float


def labels_reached(found: Candidates, counts: Iterable[int]) -> list[LabelsReached]:
    """Draw samples of several sizes, and return how many labels each reaches.

    A size is left out when there are fewer images, or more are fixed or kept.
    """
    labels, images = needed(found.frame.labels), len(found)
    by_label = images_by_label(labels)
    sizes, of_size = np.unique(by_label[by_label > 0], return_counts=True)
    grouping, points = Grouping(labels.positions, labels.numbers), []
    for count in sorted(set(counts)):
        if max(found.least, 1) <= count <= images:
            missed = [_chance_of_none(images, size, count) for size in sizes.tolist()]
            random = float(of_size @ (1 - np.array(missed)))
            drawn = draw(found, count).positions
            points.append(LabelsReached(count, reached(grouping, drawn), random))
    return points


def _chance_of_none(images: int, size: int, count: int) -> float:
    """Return the probability that a random sample has none of so many of the images."""
    if size + count > images:
        return 0.0
    less = lgamma(images - size + 1) - lgamma(images - size - count + 1)
    return exp(less - lgamma(images + 1) + lgamma(images - count + 1))
