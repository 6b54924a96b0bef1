"""What a review makes of a sample: what is rejected is replaced, and what is kept stays. Pure.

A rejected image is replaced by the next best that is not in the sample and was not rejected: of its
burst, else of its bucket, else of its innermost stratum, and so on outward. So a decision on an
image changes only that image of the sample.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex.sampling.frame import Mask, Numbers, first_greatest
from sdindex.sampling.levels import Key, Tree, tree
from sdindex.sampling.options import Show
from sdindex.sampling.units import Units, units_of


class Decided(NamedTuple):
    """What people decided, as positions of images.

    Attributes
    ----------
    rejected
        For each rejection, in order: the image, or the many alike, that it rejects.
    kept
        The images that stay, in the order of the decisions.
    """

    rejected: Sequence[Numbers] = ()
    kept: Sequence[int] = ()


class Kin:
    """Which images may replace each other: of one burst, bucket or stratum.

    Parameters
    ----------
    keys
        The number of each image's stratum, the outermost first, and of its bucket.
    groups
        For each image the number of its burst, or event.
    show
        Which image is shown of those left of a burst. None where single images are drawn: then the
        nearest one is.
    moved
        Motions, where the image with the most motion is preferred; else None.
    outermost
        How many levels of strata a replacement must have in common with the replaced image.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        groups: NDArray[Any],
        *,
        show: Show | None = None,
        moved: NDArray[np.uint16] | None = None,
        outermost: int = 0,
    ) -> None:
        self.keys, self.groups, self.outermost = keys, groups, outermost
        self.show, self.moved = show, moved

    @cached_property
    def units(self) -> Units:
        """The bursts, or events."""
        return units_of(self.groups)

    @cached_property
    def _tree(self) -> Tree:
        return tree(self.keys, np.empty(0, np.int64))

    @cached_property
    def _rank(self) -> NDArray[Any]:
        rank = np.empty_like(self._tree.order)
        rank[self._tree.order] = np.arange(len(rank), dtype=rank.dtype)
        return rank

    def mates(self, image: int) -> NDArray[Any]:
        """Return the images of an image's burst, or event, in order."""
        unit = self.units.unit_of[image]
        end = self.units.starts[unit + 1] if unit + 1 < len(self.units) else None
        return self.units.order[self.units.starts[unit] : end]

    def within(self, image: int, level: int) -> NDArray[Any]:
        """Return the images that share an image's first `level` keys; with all, its bucket."""
        starts, rank = self._tree.starts[level], self._rank[image]
        group = int(np.searchsorted(starts, rank, side="right")) - 1
        end = starts[group + 1] if group + 1 < len(starts) else None
        return self._tree.order[starts[group] : end]

    def may_replace(self, images: NDArray[Any], image: int) -> Mask:
        """Say of images whether they have the required strata in common with an image."""
        shared = np.ones(len(images), bool)
        for key in self.keys[: self.outermost]:
            shared &= key[images] == key[image]
        return shared

    def best(self, images: NDArray[Any], image: int) -> int:
        """Return which of these images of a burst is shown; they are in order, at least one."""
        if self.moved is not None:
            return int(images[first_greatest(self.moved[images], np.zeros(1, np.int64))[0]])
        if self.show is None:
            return nearest(images, image)
        at = {"middle": len(images) // 2, "last": len(images) - 1}.get(self.show, 0)
        return int(images[at])


def nearest(images: NDArray[Any], image: int) -> int:
    """Return which of these images is nearest to an image in natural order; of two, the earlier."""
    apart = images.astype(np.int64) - image
    return int(images[np.argmin(2 * np.abs(apart) + (apart > 0))])


def reviewed(sample: Numbers, decided: Decided, kin: Kin, count: int, fixed: Numbers) -> Numbers:
    """Return a sample after the decisions of a review, as positions in order.

    Parameters
    ----------
    sample
        Positions in order, as it is drawn without the review.
    count
        How many images are wanted: no fewer than are kept.
    fixed
        Positions that the sample has in any case; they give way to kept images last of all.
    """
    state = _State(sample, kin)
    for images in decided.rejected:
        state.reject(images)
    stays = np.zeros(len(state.is_free), bool)
    stays[list(decided.kept)] = True
    is_fixed = np.zeros(len(stays), bool)
    is_fixed[fixed] = True
    for image in decided.kept:
        if not state.is_sampled[image]:
            if state.size >= count:
                state.let_go_for(image, stays, is_fixed)
            state.add(image)
    return np.flatnonzero(state.is_sampled)


class _State:
    """A sample, and which images may come into it."""

    def __init__(self, sample: Numbers, kin: Kin) -> None:
        images = len(kin.groups)
        self.kin, self.size = kin, len(sample)
        self.is_sampled = np.zeros(images, bool)
        self.is_sampled[sample] = True
        self.is_free = ~self.is_sampled
        self._shown = np.bincount(kin.units.unit_of[sample], minlength=len(kin.units))

    def add(self, image: int) -> None:
        """Put an image into the sample."""
        self._set(image, sampled=True)
        self.is_free[image] = False

    def _set(self, image: int, *, sampled: bool) -> None:
        self.is_sampled[image] = sampled
        change = 1 if sampled else -1
        self.size += change
        self._shown[self.kin.units.unit_of[image]] += change

    def reject(self, images: Numbers) -> None:
        """Take images out, all at once, and replace each by the next best."""
        self.is_free[images] = False
        gone = images[self.is_sampled[images]].tolist()
        for image in gone:
            self._set(image, sampled=False)
        for image in gone:
            other = self._next_best(image)
            if other is not None:
                self.add(other)

    def _next_best(self, image: int) -> int | None:
        kin = self.kin
        mates = self._left_of(image)
        mates = mates[kin.may_replace(mates, image)]
        if len(mates):
            return kin.best(mates, image)
        levels = range(len(kin.keys), kin.outermost - 1, -1)
        if kin.show is not None:  # an image of a burst that has none in the sample yet
            for level in levels:
                images = self._free(kin.within(image, level))
                images = images[self._shown[kin.units.unit_of[images]] == 0]
                if len(images):
                    mates = self._left_of(nearest(images, image))
                    return kin.best(mates[kin.may_replace(mates, image)], image)
        for level in levels:
            images = self._free(kin.within(image, level))
            if len(images):
                return nearest(images, image)
        return None

    def _left_of(self, image: int) -> NDArray[Any]:
        """Return the images of an image's burst that may come into the sample."""
        return self._free(self.kin.mates(image))

    def _free(self, images: NDArray[Any]) -> NDArray[Any]:
        free: NDArray[Any] = images[self.is_free[images]]
        return free

    def let_go_for(self, image: int, stays: Mask, is_fixed: Mask) -> None:
        """Take out, for a kept image, the nearest of its burst, else of its bucket, and so on."""
        kin = self.kin
        for may_go in (self.is_sampled & ~stays & ~is_fixed, self.is_sampled & ~stays):
            around = [kin.mates(image)]
            around += [kin.within(image, level) for level in range(len(kin.keys), -1, -1)]
            for images in around:
                some = images[may_go[images]]
                if len(some):
                    other = nearest(some, image)
                    self._set(other, sampled=False)
                    self.is_free[other] = True
                    return
