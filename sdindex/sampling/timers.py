"""Timers: images that a camera took at even intervals, whether anything was there or not."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sdindex.sampling.bursts import ELSEWHERE, UNTIMED, Gaps

TIMER_IMAGES = 10  # the fewest of a series
TIMER_SECONDS = 600  # from the first to the last, at least
_UNEVEN = 1.5  # seconds from an even spacing, at most

_PIECE = 1 << 20  # images

Numbers = NDArray[np.int64]


def timer_frames(times: Numbers, gaps: Gaps) -> NDArray[np.bool_]:
    """Say of each image whether it is one of a series that a timer took.

    A series is at least ten images in a row in one folder, over at least ten minutes. Each gap
    is within a second of the one before, and each image within 1.5 seconds of an even spacing
    from the first to the last.
    """
    is_timer = np.zeros(len(times), bool)
    firsts, ends = _series(gaps)
    long = ends - firsts >= TIMER_IMAGES
    firsts, ends = firsts[long], ends[long]
    long = times[ends - 1] - times[firsts] >= TIMER_SECONDS
    for first, end in _pieces(firsts[long], ends[long]):
        lengths = end - first
        positions, rank = _expanded(first, lengths)
        steps = np.repeat(lengths - 1, lengths)
        lasted = np.repeat(times[end - 1] - times[first], lengths)
        since = times[positions] - np.repeat(times[first], lengths)
        even = np.abs(since * steps - rank * lasted) <= _UNEVEN * steps
        starts = np.cumsum(lengths) - lengths
        is_even = np.logical_and.reduceat(even, starts)
        is_timer[positions[np.repeat(is_even, lengths)]] = True
    return is_timer


def timer_intervals(is_timer: NDArray[np.bool_], gaps: Gaps, cameras: Numbers) -> dict[int, int]:
    """Return the usual seconds between a timer's images, by the number of the camera.

    A camera without a timer is left out.
    """
    inside = np.flatnonzero(is_timer[1:] & is_timer[:-1]) + 1
    inside = inside[_has_gap(gaps[inside])]
    of_camera, seconds = cameras[inside], gaps[inside]
    order = np.lexsort((seconds, of_camera))
    numbers, starts, images = np.unique(of_camera[order], return_index=True, return_counts=True)
    middle = seconds[order][starts + images // 2]
    return dict(zip(numbers.tolist(), middle.tolist(), strict=True))


def companions(is_timer: NDArray[np.bool_], cameras: Numbers) -> NDArray[np.bool_]:
    """Say of each image whether a timer took it beside what its camera took otherwise.

    A camera with nothing but a timer's images is a time-lapse camera: they are what it is for.
    """
    has_others = np.bincount(cameras[~is_timer], minlength=cameras.max(initial=0) + 1) > 0
    beside: NDArray[np.bool_] = is_timer & has_others[cameras]
    return beside


def _has_gap(gaps: Gaps) -> NDArray[np.bool_]:
    has_gap: NDArray[np.bool_] = (gaps != ELSEWHERE) & (gaps != UNTIMED)
    return has_gap


def _series(gaps: Gaps) -> tuple[Numbers, Numbers]:
    """Return where images begin, and end, whose gaps are each within a second of the one before."""
    has_gap = _has_gap(gaps)
    is_alike = np.zeros(len(gaps) + 1, np.int8)  # the gap before is like the one before it
    is_alike[1:-1] = has_gap[1:] & has_gap[:-1] & (np.abs(np.diff(gaps)) <= 1)
    turns = np.diff(is_alike)
    return np.flatnonzero(turns == 1) - 1, np.flatnonzero(turns == -1) + 1


def _pieces(firsts: Numbers, ends: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield the series, a few with about a million images at a time."""
    piece = np.cumsum(ends - firsts) // _PIECE
    for number in np.unique(piece):
        yield firsts[piece == number], ends[piece == number]


def _expanded(firsts: Numbers, lengths: Numbers) -> tuple[Numbers, Numbers]:
    """Return all positions of runs, and the rank of each in its run."""
    rank = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(firsts, lengths) + rank, rank
