"""Units: the bursts and events of a frame, and which image shows each."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex.sampling.blocks import NO_TIME
from sdindex.sampling.bursts import burst_starts, gaps_of
from sdindex.sampling.frame import (
    Frame,
    Mask,
    Numbers,
    first_greatest,
    in_order,
    moved,
    needed,
    position_type,
    turns,
)
from sdindex.sampling.options import Clock, Show
from sdindex.sampling.timers import companions, timer_images

# The columns of the frame by which bursts and events are found.
UNIT_COLUMNS = ("time", "folder", "camera")


class Taken(NamedTuple):
    """The bursts of all images, before any filter.

    Attributes
    ----------
    starts
        The positions at which bursts begin.
    is_timer
        Whether each image is one of a timer's.
    """

    starts: Numbers
    is_timer: Mask

    def bursts(self) -> NDArray[Any]:
        """Return, for each image, the position of the first image of its burst."""
        images = len(self.is_timer)
        starts = self.starts.astype(position_type(images))
        return np.repeat(starts, np.diff(self.starts, append=images))

    def events(self, frame: Frame, clock: Clock) -> NDArray[Any]:
        """Return, for each image, the position of the first image of its event.

        An event is a series of bursts of one camera, by time, each beginning at most
        `clock.minutes` after the end of all before it. A burst without a time, and each image of a
        timer, is an event by itself.
        """
        times, first = needed(frame.times), self.starts.astype(position_type(len(frame)))
        if not len(first):
            return first
        ends = np.maximum.reduceat(times, self.starts)
        dated = np.flatnonzero((ends != NO_TIME) & ~self.is_timer[self.starts])
        if len(dated):
            timed = np.where(times == NO_TIME, ends.max(), times)
            begins, ends = np.minimum.reduceat(timed, self.starts)[dated], ends[dated]
            cameras = needed(frame.cameras).numbers[self.starts[dated]]
            order, starts = _joined(cameras.astype(np.int64), begins, ends, 60 * clock.minutes)
            joined = dated[order]
            of_events = np.minimum.reduceat(first[joined], starts)
            first[joined] = np.repeat(of_events, np.diff(starts, append=len(joined)))
        return np.repeat(first, np.diff(self.starts, append=len(frame)))

    def companions(self, frame: Frame) -> Mask:
        """Say of each image whether a timer took it beside what its camera took otherwise."""
        return companions(self.is_timer, needed(frame.cameras).numbers)


def taken(frame: Frame, clock: Clock) -> Taken:
    """Return the bursts of a frame, whose `UNIT_COLUMNS` must be loaded."""
    times, cameras = needed(frame.times), needed(frame.cameras).numbers
    gaps = gaps_of(times, needed(frame.folders).numbers, cameras)
    is_timer = timer_images(times, gaps, cameras)
    starts = burst_starts(
        frame.hashes, gaps, is_timer, seconds=clock.seconds, distance=clock.distance
    )
    return Taken(starts, is_timer)


def _joined(
    cameras: Numbers, begins: Numbers, ends: Numbers, longest: int
) -> tuple[NDArray[Any], Numbers]:
    """Return bursts in the order of camera and time, and where among these events begin."""
    begins, ends = begins - begins.min(), ends - begins.min()
    order = in_order([cameras, begins])
    # Each camera's times are moved behind those of the camera before, farther than an event lasts.
    behind = cameras[order] * (ends.max() + longest + 1)
    latest = np.maximum.accumulate(ends[order] + behind)
    is_start = np.ones(len(order), bool)
    is_start[1:] = begins[order[1:]] + behind[1:] > latest[:-1] + longest
    return order, np.flatnonzero(is_start)


class Units(NamedTuple):
    """Images grouped by unit.

    Attributes
    ----------
    order
        The positions of the images, unit by unit; in each in natural order.
    starts
        Where each unit begins in `order`.
    unit_of
        The number of each image's unit.
    """

    order: NDArray[Any]
    starts: Numbers
    unit_of: NDArray[Any]

    def __len__(self) -> int:
        return len(self.starts)

    def shown_by(self, show: Show, motions: NDArray[np.uint16] | None) -> NDArray[Any]:
        """Return the position of the image that shows each unit.

        `moved` is the one with the greatest motion, the first of several; without motion, the
        first.
        """
        lengths = np.diff(self.starts, append=len(self.order))
        at = self.starts
        if show == "middle":
            at = at + lengths // 2
        elif show == "last":
            at = at + lengths - 1
        elif show == "moved" and motions is not None:
            at = first_greatest(moved(motions)[self.order], at)
        shown: NDArray[Any] = self.order[at]
        return shown


def units_of(numbers: NDArray[Any]) -> Units:
    """Return the units of images, given the number of each image's unit."""
    in_turn = bool((numbers[1:] >= numbers[:-1]).all())
    order = np.arange(len(numbers), dtype=position_type(len(numbers)))
    order = order if in_turn else in_order([numbers])
    begins = turns(numbers[order])
    unit_of = np.empty(len(numbers), position_type(len(numbers)))
    unit_of[order] = np.cumsum(begins, dtype=unit_of.dtype) - 1
    return Units(order, np.flatnonzero(begins), unit_of)
