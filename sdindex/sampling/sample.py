"""Which images a sample takes: pure, from columns of numbers, in natural order.

From the top: over the strata that are to be balanced (cameras, folders, labels; or one for
all), then over the buckets in each, then evenly along natural order in each bucket. What is
drawn is images or whole bursts.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex.errors import SampleError
from sdindex.sampling.bursts import burst_starts
from sdindex.sampling.frame import (
    Buckets,
    Frame,
    Mask,
    Numbers,
    folder_starts,
    in_order,
    needed,
    position_type,
)
from sdindex.sampling.trim import fill, trim


def _none() -> Numbers:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Candidates:
    """The images that a sample is drawn from.

    Attributes
    ----------
    frame
        The images, in natural order.
    strata
        The number of each image's stratum; None when nothing is to be balanced.
    fixed
        The positions, in order, of the images that the sample takes in any case.
    excluded
        The positions of images that it does not take, and that are here for their bursts alone.
    """

    frame: Frame
    strata: Buckets | None = None
    fixed: Numbers = field(default_factory=_none)
    excluded: Numbers = field(default_factory=_none)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def images(self) -> int:
        """How many of them a sample may take."""
        return len(self.frame) - len(self.excluded)


class Drawn(NamedTuple):
    """A sample: positions among the candidates, in order, and the burst of each, if any."""

    positions: Numbers
    bursts: Numbers | None = None


class Bursts(NamedTuple):
    """Bursts of images that a sample may take.

    The images are at `positions` among the candidates; a burst's begin at its entry of
    `starts` among these.
    """

    positions: Numbers
    starts: Numbers

    @property
    def lengths(self) -> Numbers:
        """How many images each burst has."""
        return np.diff(self.starts, append=len(self.positions))

    @property
    def middles(self) -> Numbers:
        """The positions of the images that stand for the bursts."""
        middles: Numbers = self.positions[self.starts + self.lengths // 2]
        return middles

    def numbers_of(self, positions: Numbers) -> Numbers:
        """Return the number of the burst in which each of these positions is."""
        return np.searchsorted(self.positions[self.starts], positions, side="right") - 1


def draw(candidates: Candidates, count: int, *, bits: int, distance: int | None = None) -> Drawn:
    """Return a sample of the candidates, or all of them when there are fewer.

    Parameters
    ----------
    count
        Images wanted.
    bits
        Leading bits of the hash that make a bucket.
    distance
        Draw bursts, in which images are at most this many bits from the first; images by
        themselves when it is None.

    Raises
    ------
    SampleError
        When more images are fixed than are wanted.
    """
    if len(candidates.fixed) > count:
        raise SampleError(
            f"{len(candidates.fixed):,} images are fixed already, more than the {count:,} that "
            "are wanted; ask for more, or fix fewer"
        )
    if distance is None:
        return Drawn(_draw_images(candidates, count, bits))
    found = _open(candidates, bursts_of(candidates.frame, distance), count)
    positions = _draw_bursts(candidates, found, count, bits)
    return Drawn(positions, found.numbers_of(positions))


def bursts_of(frame: Frame, distance: int) -> Bursts:
    """Return the bursts of a frame whose folders were read."""
    starts = burst_starts(frame.hashes, folder_starts(needed(frame.folders)), distance)
    return Bursts(np.arange(len(frame), dtype=position_type(len(frame))), starts)


def _draw_images(candidates: Candidates, count: int, bits: int) -> Numbers:
    buckets, strata = candidates.frame.buckets(bits), candidates.strata
    if not len(candidates.excluded):
        return _drawn(strata, buckets, candidates.fixed, count)
    others = np.setdiff1d(np.arange(len(candidates)), candidates.excluded, assume_unique=True)
    fixed = np.searchsorted(others, candidates.fixed)
    return others[_drawn(_at(strata, others), buckets[others], fixed, count)]


def _draw_bursts(candidates: Candidates, found: Bursts, count: int, bits: int) -> Numbers:
    """Return the positions of the bursts' middle images; of all bursts, and more, if that fits.

    A burst with a fixed image is taken by it. While not all bursts can be taken, bursts are
    balanced and trimmed; then, with an image of each burst taken, images.
    """
    fixed, middles = candidates.fixed, found.middles
    taken = np.unique(found.numbers_of(fixed))
    room = count - len(fixed) + len(taken)
    strata = _at(candidates.strata, middles)
    if room <= len(middles):
        buckets = candidates.frame.buckets(bits)[middles]
        drawn = np.setdiff1d(_drawn(strata, buckets, taken, room), taken, assume_unique=True)
        return np.union1d(middles[drawn], fixed)
    taken_first = np.union1d(fixed, np.delete(middles, taken))
    burst_of = np.repeat(np.arange(len(middles)), found.lengths)
    fixed_among = np.searchsorted(found.positions, taken_first)
    drawn = _drawn(_at(strata, burst_of), burst_of.astype(np.uint32), fixed_among, count)
    return found.positions[drawn]


def _open(candidates: Candidates, found: Bursts, count: int) -> Bursts:
    """Return the bursts without those of excluded images, which are shown enough by these.

    Where that leaves too few, these bursts come back, without the excluded images.
    """
    excluded = candidates.excluded
    if not len(excluded):
        return found
    holds_fixed = np.zeros(len(found.starts), bool)
    holds_fixed[found.numbers_of(candidates.fixed)] = True
    is_shown = np.zeros(len(found.starts), bool)
    is_shown[found.numbers_of(excluded)] = True
    is_shown &= ~holds_fixed
    burst_of = np.repeat(np.arange(len(found.starts)), found.lengths)
    stays = np.ones(len(burst_of), bool)
    stays[excluded] = False
    enough = count - len(candidates.fixed) <= (~is_shown).sum() - holds_fixed.sum()
    if enough:
        stays &= ~is_shown[burst_of]
    starts = np.flatnonzero(np.diff(burst_of[stays], prepend=-1))
    return Bursts(np.flatnonzero(stays), starts)


def _at(strata: Buckets | None, positions: Numbers) -> Buckets | None:
    return None if strata is None else strata[positions]


class _Groups(NamedTuple):
    """Groups of images within strata, both in the order of their numbers.

    `order` has the images' positions group by group, each in natural order; a group begins in
    it at `starts`, has `sizes` images, and `fixed` of them are taken in any case. `strata` are
    the groups with which the strata begin.
    """

    order: Numbers
    starts: Numbers
    sizes: Numbers
    fixed: Numbers
    strata: Numbers


def _drawn(
    strata: Buckets | None,
    groups: Buckets,
    fixed: Numbers,
    count: int,
) -> Numbers:
    """Return so many positions, in order: trimmed over strata, over groups in each, and even.

    `groups` and `strata` have a number for each image; `fixed` positions are taken in any case.
    """
    if not len(groups):
        return _none()
    grouped = _grouped(strata, groups, fixed)
    sizes = np.add.reduceat(grouped.sizes, grouped.strata)
    in_any_case = np.add.reduceat(grouped.fixed, grouped.strata)
    keep = trim(dict(enumerate(sizes.tolist())), count, dict(enumerate(in_any_case.tolist())))
    keeps = trim_each(
        grouped.sizes, grouped.fixed, grouped.strata, np.array([*keep.values()], np.int64)
    )
    return np.sort(_even(grouped, keeps, fixed))


def _grouped(strata: Buckets | None, groups: Buckets, fixed: Numbers) -> _Groups:
    order = in_order([groups] if strata is None else [strata, groups])
    begins, begins_stratum = _turns(groups[order]), _turns(np.zeros(len(order), bool))
    if strata is not None:
        begins_stratum = _turns(strata[order])
        begins |= begins_stratum
    starts = np.flatnonzero(begins)
    is_fixed = np.zeros(len(order), bool)
    is_fixed[fixed] = True
    of_fixed = np.searchsorted(starts, np.flatnonzero(is_fixed[order]), side="right") - 1
    return _Groups(
        order,
        starts,
        np.diff(starts, append=len(order)),
        np.bincount(of_fixed, minlength=len(starts)),
        np.flatnonzero(begins_stratum[starts]),
    )


def _turns(numbers: NDArray[Any]) -> Mask:
    """Say of each number whether it differs from the number before; the first does."""
    turns = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=turns[1:])
    return turns


def trim_each(sizes: Numbers, fixed: Numbers, strata: Numbers, counts: Numbers) -> Numbers:
    """Return how many images of each group a sample keeps: the trim in each stratum.

    The rule of `sdindex.sampling.trim.trim`, applied to all strata at once.

    Parameters
    ----------
    sizes, fixed
        Of the groups, in the order of their numbers, stratum by stratum.
    strata
        The groups with which the strata begin.
    counts
        The images that are wanted of each stratum.
    """
    groups = np.diff(strata, append=len(sizes))
    low, high = np.zeros(len(strata), np.int64), np.full(len(strata), sizes.max())
    while (low < high).any():  # the greatest level at which not too many are kept
        level = (low + high + 1) // 2
        kept = np.maximum(fixed, np.minimum(sizes, np.repeat(level, groups)))
        fits = np.add.reduceat(kept, strata) <= counts
        low, high = np.where(fits, level, low), np.where(fits, high, level - 1)
    level = np.repeat(low, groups)
    keeps: Numbers = np.maximum(fixed, np.minimum(sizes, level))
    remaining = counts - np.add.reduceat(keeps, strata)
    above = np.flatnonzero((fixed <= level) & (level < sizes))
    stratum = np.repeat(np.arange(len(strata)), groups)[above]
    largest_first = np.lexsort((-sizes[above], stratum))
    above, stratum = above[largest_first], stratum[largest_first]
    rank = np.arange(len(above)) - np.searchsorted(stratum, stratum)
    keeps[above[rank < remaining[stratum]]] += 1
    return keeps


def _even(grouped: _Groups, keeps: Numbers, fixed: Numbers) -> Numbers:
    """Return the positions that are kept of each group, even along natural order."""
    free = np.where(grouped.fixed > 0, 0, keeps)
    group_of = np.repeat(np.arange(len(free)), free)
    rank = np.arange(len(group_of)) - np.repeat(np.cumsum(free) - free, free)
    ranks_in_group = rank * grouped.sizes[group_of] // free[group_of]
    chosen = [grouped.order[grouped.starts[group_of] + ranks_in_group]]
    for group in np.flatnonzero(grouped.fixed):
        start, size = grouped.starts[group], grouped.sizes[group]
        members = grouped.order[start : start + size]
        ranks = np.flatnonzero(np.isin(members, fixed, assume_unique=True))
        chosen.append(members[fill(int(size), int(keeps[group]), ranks.tolist())])
    return np.concatenate(chosen)
