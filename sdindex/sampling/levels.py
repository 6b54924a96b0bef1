"""The trim over nested groups: strata, one within the other, then buckets; in these, a stride.

The levels of a sample are its kinds of strata, the outermost first, then its buckets. Each group
shares its images out among the groups within it, so that only the largest are cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdindex.sampling.frame import Numbers, first_greatest, in_order, turns, within

Key = NDArray[np.unsignedinteger[Any]]
Order = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Wishes:
    """Limits and fixed shares of a sample, and whether motion chooses within a stride.

    Attributes
    ----------
    at_most
        The most items drawn of each innermost stratum.
    quotas
        The fixed number of items of groups of the outermost level, by group; the others share the
        rest.
    moved
        Motions, from `sdindex.sampling.frame.moved`: at each step of a stride the item with the
        most is taken. None for the first one.
    """

    at_most: int | None = None
    quotas: Mapping[int, int] | None = None
    moved: NDArray[np.uint16] | None = None


@dataclass(frozen=True)
class Tree:
    """Groups within groups.

    Attributes
    ----------
    order
        The positions of the items, group by group; in each in natural order.
    starts
        For each level, where its groups begin in `order`; the first level is one group of all.
    is_fixed
        Whether each item, in the same order, is taken in any case.
    """

    order: Order
    starts: list[Numbers]
    is_fixed: NDArray[np.bool_]

    def sizes(self, level: int) -> Numbers:
        """Return how many items each group of a level has."""
        return np.diff(self.starts[level], append=len(self.order))

    def fixed(self, level: int) -> Numbers:
        """Return how many items of each group of a level are fixed."""
        found = np.add.reduceat(self.is_fixed, self.starts[level], dtype=np.int64)
        return np.asarray(found)

    def within(self, level: int) -> Numbers:
        """Return, for each group of a level, the number of its first group in the next level."""
        return np.searchsorted(self.starts[level + 1], self.starts[level])


def drawn(keys: Sequence[Key], fixed: Numbers, count: int, wishes: Wishes) -> Numbers:
    """Return the positions of `count` items (all, where there are fewer), in order.

    Parameters
    ----------
    keys
        For each level, the outermost first, each item's group; at least one level.
    fixed
        The positions of items that are taken in any case.
    """
    if not len(keys[0]):
        return np.empty(0, np.int64)
    nest = tree(keys, fixed)
    sizes = [nest.sizes(len(keys))]
    for level in reversed(range(len(keys))):
        summed = np.add.reduceat(sizes[0], nest.within(level))
        if wishes.at_most is not None and level == len(keys) - 1:
            summed = np.maximum(nest.fixed(level), np.minimum(summed, wishes.at_most))
        sizes.insert(0, summed)
    keeps = np.array([count])
    for level in range(len(keys)):
        groups = sizes[level + 1], nest.fixed(level + 1)
        if level == 0 and wishes.quotas is not None:
            numbers = keys[0][nest.order[nest.starts[1]]]
            keeps = _by_quotas(*groups, numbers, count, wishes.quotas)
        else:
            keeps = trim_each(*groups, nest.within(level), keeps)
    return np.sort(_even(nest, keeps, wishes.moved))


def tree(keys: Sequence[Key], fixed: Numbers) -> Tree:
    """Return the nested groups of items; `keys` has each item's group for each level."""
    order = in_order(keys)
    begins = turns(np.zeros(len(order), bool))
    starts = [np.flatnonzero(begins)]
    for key in keys:
        begins |= turns(key[order])
        starts.append(np.flatnonzero(begins))
    is_fixed = np.zeros(len(order), bool)
    is_fixed[fixed] = True
    return Tree(order, starts, is_fixed[order])


def _by_quotas(
    sizes: Numbers, fixed: Numbers, numbers: Key, count: int, quotas: Mapping[int, int]
) -> Numbers:
    """Return how many items each group keeps when some have a fixed number, as far as they can."""
    keeps, is_free = np.zeros_like(sizes), np.ones(len(sizes), bool)
    for at, number in enumerate(numbers.tolist()):
        if number in quotas:
            is_free[at] = False
            keeps[at] = max(fixed[at], min(sizes[at], quotas[number]))
    if is_free.any():
        rest = np.array([count - sum(quotas.values())])
        keeps[is_free] = trim_each(sizes[is_free], fixed[is_free], np.zeros(1, np.int64), rest)
    return keeps


def trim_each(sizes: Numbers, fixed: Numbers, strata: Numbers, counts: Numbers) -> Numbers:
    """Return how many images each group keeps: the trim, done in each stratum.

    The same as `sdindex.sampling.trim.trim`, for all strata at once.

    Parameters
    ----------
    sizes, fixed
        Images of each group, and how many are fixed; groups are in order, stratum by stratum.
    strata
        The first group of each stratum.
    counts
        The images wanted of each stratum.
    """
    groups = np.diff(strata, append=len(sizes))
    low, high = np.zeros(len(strata), np.int64), np.full(len(strata), sizes.max())
    while (low < high).any():  # search the greatest level at which not too many are kept
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


@dataclass(frozen=True)
class _Stretches:
    """Stretches of consecutive items, and how many to take of each.

    `is_gap` says of each stretch whether it lies between fixed items: then its first item is not
    the first to be taken.
    """

    starts: Numbers
    sizes: Numbers
    counts: Numbers
    is_gap: NDArray[np.bool_]

    def even(self) -> Numbers:
        """Return the items to take, evenly along natural order."""
        of, rank = np.repeat(np.arange(len(self.counts)), self.counts), within(self.counts)
        size, count = self.sizes[of], self.counts[of]
        at_steps = rank * size // count
        between = (rank + 1) * (size + 1) // (count + 1) - 1
        return self.starts[of] + np.where(self.is_gap[of], between, at_steps)

    def most_moved(self, moved: NDArray[np.uint16], order: Order) -> Numbers:
        """Return the item of each step that has the most motion."""
        of, rank = np.repeat(np.arange(len(self.counts)), self.counts), within(self.counts)
        size, count = self.sizes[of], self.counts[of]
        first, end = rank * size // count, (rank + 1) * size // count
        steps = end - first
        items = np.repeat(self.starts[of] + first, steps) + within(steps)
        return items[first_greatest(moved[order[items]], np.cumsum(steps) - steps)]


def _even(tree: Tree, keeps: Numbers, moved: NDArray[np.uint16] | None) -> Order:
    """Return the positions that each group keeps, evenly along natural order."""
    starts, sizes, fixed = tree.starts[-1], tree.sizes(-1), tree.fixed(-1)
    is_whole = keeps == sizes
    free, some = (fixed == 0) & (keeps > 0) & ~is_whole, (fixed > 0) & (keeps > fixed) & ~is_whole
    gaps = _gaps(tree, np.flatnonzero(some), keeps - fixed)
    stretches = _Stretches(
        np.concatenate([starts[free], gaps.starts]),
        np.concatenate([sizes[free], gaps.sizes]),
        np.concatenate([keeps[free], gaps.counts]),
        np.concatenate([np.zeros(np.count_nonzero(free), bool), gaps.is_gap]),
    )
    new = stretches.even() if moved is None else stretches.most_moved(moved, tree.order)
    sure = np.flatnonzero(tree.is_fixed | np.repeat(is_whole, sizes))
    positions: Order = tree.order[np.concatenate([sure, new])]
    return positions


def _gaps(tree: Tree, groups: Numbers, new: Numbers) -> _Stretches:
    """Return the stretches that fixed items leave in groups, and how many new items go into each.

    Each new item goes where gaps are widest: a stretch of m items with s new ones has gaps of the
    width m / (s + 1).
    """
    starts, gaps = tree.starts[-1][groups], tree.fixed(-1)[groups] + 1
    ends, new = starts + tree.sizes(-1)[groups], new[groups]
    is_inside = np.zeros(len(tree.order) + 1, np.int8)
    is_inside[starts] += 1
    is_inside[ends] -= 1
    fixed = np.flatnonzero(np.cumsum(is_inside[:-1], dtype=np.int8).astype(bool) & tree.is_fixed)
    begins = np.sort(np.concatenate([starts, fixed + 1]))
    sizes = np.sort(np.concatenate([fixed, ends])) - begins
    group_of = np.repeat(np.arange(len(groups)), gaps)
    offers = np.minimum(sizes, new[group_of])
    gap_of = np.repeat(np.arange(len(sizes)), offers)
    narrowest_last = np.lexsort((-sizes[gap_of] / (within(offers) + 1), group_of[gap_of]))
    offered = np.bincount(group_of[gap_of], minlength=len(groups))
    taken = gap_of[narrowest_last[within(offered) < np.repeat(new, offered)]]
    counts = np.bincount(taken, minlength=len(sizes))
    wanted = counts > 0
    return _Stretches(
        begins[wanted], sizes[wanted], counts[wanted], np.ones(np.count_nonzero(wanted), bool)
    )
