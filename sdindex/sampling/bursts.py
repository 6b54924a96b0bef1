"""Bursts: what a camera took of one moment, by its clock, and by looks where that says nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sdindex.arguments import DEFAULT_DISTANCE
from sdindex.sampling.blocks import NO_TIME

# The version of the rule, kept beside the bursts of a saved sample: whoever changes which bursts
# the same images have raises it.
BURST_RULE = 2

# What stands for the gap before an image, where that is no number of seconds.
ELSEWHERE = (1 << 31) - 1  # the image before is of another folder or camera, or there is none
UNTIMED = -(1 << 31)  # one of the two has no time
_FAR = (1 << 30) - 1  # seconds, either way; a longer gap is taken for so long

_WINDOW, _WIDEST = 4, 256  # images looked at for the end of a burst, at first and at most
_SIDE_BY_SIDE = 1 << 17  # stretches
_PIECE = 1 << 20  # images
_FEW = 64  # stretches, beyond which a step of numpy for all at once is worth its price

Gaps = NDArray[np.int32]


def gaps_of(times: NDArray[np.int64], *apart: NDArray[np.signedinteger]) -> Gaps:
    """Return the seconds from the image before to each image, in natural order.

    Parameters
    ----------
    times
        In seconds; `NO_TIME` without one.
    *apart
        Columns of numbers, such as of folders: where one differs, a gap is `ELSEWHERE`.
    """
    gaps = np.empty(len(times), np.int32)
    gaps[:1] = ELSEWHERE
    for at in range(1, len(times), _PIECE):  # so that no second column is in memory
        now = slice(at, min(at + _PIECE, len(times)))
        before = slice(now.start - 1, now.stop - 1)
        seconds = np.clip(times[now] - times[before], -_FAR, _FAR).astype(np.int32)
        seconds[(times[now] == NO_TIME) | (times[before] == NO_TIME)] = UNTIMED
        for column in apart:
            seconds[column[now] != column[before]] = ELSEWHERE
        gaps[now] = seconds
    return gaps


def burst_starts(
    hashes: NDArray[np.uint64],
    gaps: Gaps,
    alone: NDArray[np.bool_],
    *,
    seconds: int,
    distance: int | None = None,
) -> NDArray[np.int64]:
    """Return the positions at which bursts begin.

    A burst ends at a gap, or a step back, of more than so many seconds. A smaller step back
    (images are out of order), and an image of which there is no gap, go by looks: the burst goes
    on where the image is at most `DEFAULT_DISTANCE` bits from the burst's first. With a distance
    given, looks end a burst everywhere.

    Parameters
    ----------
    hashes, gaps
        Of images in natural order.
    alone
        Images that are each a burst by itself: a timer's.
    seconds
        The longest gap within a burst.
    distance
        In bits, 0 to 64.
    """
    is_start = alone.copy()
    is_start[1:] |= alone[:-1]
    is_start |= gaps > seconds
    is_start |= (gaps < -seconds) & (gaps != UNTIMED)
    if distance is None:
        by_looks = np.flatnonzero(is_start | (gaps < 0))
        _by_looks(hashes, is_start, by_looks, DEFAULT_DISTANCE)
    elif distance < 64:
        _by_looks(hashes, is_start, np.arange(len(hashes), dtype=np.int32), distance)
    return np.flatnonzero(is_start)


def _by_looks(
    hashes: NDArray[np.uint64],
    is_start: NDArray[np.bool_],
    asked: NDArray[np.signedinteger],
    distance: int,
) -> None:
    """Find the starts among these positions that are not known: too far from their burst's first.

    The images between them go on with the burst that they are in. All known starts are asked, too.

    Two that follow each other here and differ in more than twice the distance cannot both be
    near one first image: there a burst begins, whatever the first image is. This cuts the
    images into stretches, most of them one burst, that are gone through side by side.
    """
    if len(asked) == np.count_nonzero(is_start):
        return
    hashes, starts = hashes[asked], is_start[asked]
    for at in range(1, len(hashes), _PIECE):
        here = slice(at, min(at + _PIECE, len(hashes)))
        before = hashes[here.start - 1 : here.stop - 1]
        starts[here] |= np.bitwise_count(hashes[here] ^ before) > min(2 * distance, 64)
    if distance:
        _divide(hashes, starts, distance)
    is_start[asked] = starts


def _divide(hashes: NDArray[np.uint64], is_start: NDArray[np.bool_], distance: int) -> None:
    """Find the bursts in each stretch of images that begins with a start that is known."""
    first = np.flatnonzero(is_start)
    end = np.append(first[1:], len(hashes))
    longer = np.flatnonzero(end - first > 1)
    for at in range(0, len(longer), _SIDE_BY_SIDE):
        some = longer[at : at + _SIDE_BY_SIDE]
        _divide_some(hashes, is_start, first[some], end[some], distance)


def _divide_some(
    hashes: NDArray[np.uint64],
    is_start: NDArray[np.bool_],
    first: NDArray[np.int64],
    end: NDArray[np.int64],
    distance: int,
) -> None:
    """Find the bursts of stretches side by side; the last few one after the other.

    In each round every stretch looks at some images, twice as many where it found no start.
    """
    at, width = first + 1, np.full(len(first), _WINDOW)
    while len(first) > _FEW:
        window = at[:, None] + np.arange(width.max())
        inside = window < np.minimum(end, at + width)[:, None]
        window[~inside] = 0
        apart = np.bitwise_count(hashes[window] ^ hashes[first][:, None]) > distance
        apart &= inside
        found = apart.any(axis=1)
        position = at + np.where(found, apart.argmax(axis=1), width)
        is_start[position[found]] = True
        first = np.where(found, position, first)
        at = np.where(found, position + 1, position)
        width = np.where(found, _WINDOW, np.minimum(2 * width, _WIDEST))
        going_on = at < end
        first, end, at, width = (some[going_on] for some in (first, end, at, width))
    for head, stop, begin in zip(first.tolist(), end.tolist(), at.tolist(), strict=True):
        _divide_stretch(hashes[head:stop].tolist(), is_start[head:stop], begin - head, distance)


def _divide_stretch(
    hashes: Sequence[int], is_start: NDArray[np.bool_], begin: int, distance: int
) -> None:
    """Find the bursts of one stretch, image by image from `begin` on."""
    head = hashes[0]
    for position in range(begin, len(hashes)):
        if (head ^ hashes[position]).bit_count() > distance:
            is_start[position] = True
            head = hashes[position]
