"""Timers: images that a camera took at even intervals, whether or not anything moved."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdindex.sampling.blocks import NO_TIME
from sdindex.sampling.bursts import ELSEWHERE, UNTIMED, Gaps
from sdindex.sampling.frame import first_greatest, in_order, turns

TIMER_IMAGES = 10  # images of a series, at least
TIMER_SECONDS = 600  # seconds from the first to the last image of a series, at least
INTERVALS = 3, 100_000  # seconds: the shortest and the longest of a timer
_CLOSE = 10  # seconds (or half an interval): an image nearer to its neighbour is not alone
_UNEVEN = 1.5  # seconds that an image may be off an even spacing
_MOST_STEPS = 3  # intervals from one image of a series to the next: an image may be broken

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


def timer_images(times: Numbers, gaps: Gaps, places: NDArray[np.signedinteger[Any]]) -> Mask:
    """Say of each image whether it is one of a series that a timer took.

    A camera's interval is the gap between neighbours that covers the most time, among gaps that
    occur at least nine times. A series has only images without a neighbour within ten seconds, or
    half the interval. Each comes an interval after the one before, to within a second, whatever was
    taken in between; up to two in a row may be missing. A series has at least ten images, over at
    least ten minutes, each within 1.5 seconds of an even spacing from the first to the last.

    Parameters
    ----------
    times, gaps
        As `sdindex.sampling.bursts.gaps_of` has them.
    places
        The number of each image's camera.
    """
    is_timer = np.zeros(len(times), bool)
    intervals = _intervals(gaps, places)
    alone = _alone(times, gaps, places, intervals)
    if not len(alone):
        return is_timer
    since = times[alone] - times[alone].min()
    begins = places[alone] * (since.max() + INTERVALS[1] + 2) + since  # each camera's behind
    order = np.argsort(begins, kind="stable")
    alone, begins = alone[order], begins[order]
    intervals = intervals[places[alone]]
    chains = _chains(begins, intervals)
    by_chain = in_order([chains])
    starts = np.flatnonzero(turns(chains[by_chain]))
    is_series = np.repeat(*_even(begins[by_chain], intervals[by_chain], starts))
    is_timer[alone[by_chain[is_series]]] = True
    return is_timer


def _intervals(gaps: Gaps, places: NDArray[np.signedinteger[Any]]) -> Numbers:
    """Return the interval that the timer of each camera may have; 0 where there is none."""
    intervals = np.zeros(int(places.max(initial=-1)) + 1, np.int64)
    possible = np.flatnonzero((gaps >= INTERVALS[0]) & (gaps <= INTERVALS[1]))
    order = possible[in_order([places[possible], gaps[possible]])]
    begins = np.flatnonzero(turns(places[order]) | turns(gaps[order]))
    counts = np.diff(begins, append=len(order))
    often = counts >= TIMER_IMAGES - 1
    some, counts = order[begins[often]], counts[often]
    best = first_greatest(counts * gaps[some], np.flatnonzero(turns(places[some])))
    intervals[places[some[best]]] = gaps[some[best]]
    return intervals


def _alone(
    times: Numbers, gaps: Gaps, places: NDArray[np.signedinteger[Any]], intervals: Numbers
) -> Numbers:
    """Return the positions of images without a near neighbour, of cameras with an interval."""
    found = np.flatnonzero((intervals[places] > 0) & (times != NO_TIME))
    close = np.minimum(_CLOSE, intervals / 2)[places[found]]
    for after in (0, 1):  # the gap before an image, and the one after it
        gap = np.append(gaps, np.int32(ELSEWHERE))[found + after]
        is_alone = (np.abs(gap) > close) | (gap == UNTIMED)
        found, close = found[is_alone], close[is_alone]
    return found


def _chains(begins: Numbers, intervals: Numbers) -> Numbers:
    """Return the number of the chain that each image is in, given times in order."""
    chains = np.arange(len(begins))
    open_ended = np.arange(len(begins))
    ended = np.append(begins, begins[-1] + 2 * _MOST_STEPS * INTERVALS[1])
    for steps in range(1, _MOST_STEPS + 1):
        expected = begins[open_ended] + steps * intervals[open_ended]
        following = np.searchsorted(begins, expected - 1)
        reaches = ended[following] <= expected + 1
        after, first = np.unique(following[reaches], return_index=True)
        before = open_ended[reaches][first]  # of two, it follows the first
        is_free = chains[after] == after
        chains[after[is_free]] = before[is_free]
        open_ended = open_ended[~reaches]
    while True:  # the first of a chain is found in as many steps as its length has bits
        earlier = chains[chains]
        if (earlier == chains).all():
            return chains
        chains = earlier


def _even(begins: Numbers, intervals: Numbers, starts: Numbers) -> tuple[Mask, Numbers]:
    """Say which chains are series of a timer; return that and each chain's number of images."""
    lengths = np.diff(starts, append=len(begins))
    lasts = starts + lengths - 1
    lasted = begins[lasts] - begins[starts]
    since = begins - np.repeat(begins[starts], lengths)
    stepped = np.zeros(len(begins), np.int64)  # intervals from the one before
    stepped[1:] = np.rint(np.diff(begins) / intervals[1:])
    stepped[starts] = 0
    at = np.cumsum(stepped)
    at -= np.repeat(at[starts], lengths)
    steps = np.repeat(at[lasts], lengths)
    unevenness = np.abs(since * steps - at * np.repeat(lasted, lengths))
    is_even = np.logical_and.reduceat(unevenness <= _UNEVEN * steps, starts)
    return is_even & (lengths >= TIMER_IMAGES) & (lasted >= TIMER_SECONDS), lengths


def timer_intervals(is_timer: Mask, gaps: Gaps, cameras: Numbers) -> dict[int, int]:
    """Return the usual seconds between a timer's images, by the number of the camera.

    A camera without a timer is left out.
    """
    inside = np.flatnonzero(is_timer[1:] & is_timer[:-1]) + 1
    inside = inside[(gaps[inside] != ELSEWHERE) & (gaps[inside] != UNTIMED)]
    of_camera, seconds = cameras[inside], gaps[inside]
    order = np.lexsort((seconds, of_camera))
    numbers, starts, images = np.unique(of_camera[order], return_index=True, return_counts=True)
    middle = seconds[order][starts + images // 2]
    return dict(zip(numbers.tolist(), middle.tolist(), strict=True))


def companions(is_timer: Mask, cameras: Numbers) -> Mask:
    """Say of each image whether a timer took it, of a camera that also takes images otherwise.

    A camera with only a timer's images is a time-lapse camera: these are what it is for.
    """
    has_others = np.bincount(cameras[~is_timer], minlength=cameras.max(initial=0) + 1) > 0
    beside: Mask = is_timer & has_others[cameras]
    return beside
