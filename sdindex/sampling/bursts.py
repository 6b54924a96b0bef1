"""Bursts: what a camera took of one moment, by its clock, or by hashes where the clock fails."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sdindex.arguments import DEFAULT_DISTANCE
from sdindex.sampling.blocks import NO_TIME

# The version of the rule, stored with the bursts of a saved sample. Raise it when the same images
# would have other bursts.
BURST_RULE = 2

# Values of a gap before an image that stand for no number of seconds.
ELSEWHERE = (1 << 31) - 1  # the image before is of another folder or camera, or there is none
UNTIMED = -(1 << 31)  # one of the two has no time
_FAR = (1 << 30) - 1  # seconds, forward or back; a longer gap counts as this

_WINDOW, _WIDEST = 4, 256  # images searched at once for the end of a burst, at first and at most
_SIDE_BY_SIDE = 1 << 17  # stretches
_PIECE = 1 << 20  # images
_FEW = 64  # stretches; for fewer, a step of numpy costs more than a loop

Gaps = NDArray[np.int32]


def gaps_of(times: NDArray[np.int64], *apart: NDArray[np.signedinteger]) -> Gaps:
    """Return the gap before each image, in seconds; images are in natural order.

    Parameters
    ----------
    times
        Of the images, in seconds; `NO_TIME` where there is none.
    *apart
        Numbers of, for example, folders: where one differs from the image before, the gap is
        `ELSEWHERE`.
    """
    gaps = np.empty(len(times), np.int32)
    gaps[:1] = ELSEWHERE
    for at in range(1, len(times), _PIECE):  # in place, so that memory holds one such column
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

    A burst ends at a gap, forward or back, of more than `seconds`. At a smaller gap back (images
    out of order), or where a time is missing, the hashes decide: the burst goes on if the image
    differs in at most `DEFAULT_DISTANCE` bits from the burst's first. With a `distance`, hashes end
    a burst everywhere.

    Parameters
    ----------
    hashes, gaps
        Of the images, in natural order: unsigned hashes, and what `gaps_of` returns.
    alone
        Whether each image is a burst by itself, as a timer's are.
    seconds
        The longest gap within a burst.
    distance
        In bits, 0 to 64; None for the rule above.
    """
    is_start = alone.copy()
    is_start[1:] |= alone[:-1]
    is_start |= gaps > seconds
    is_start |= (gaps < -seconds) & (gaps != UNTIMED)
    if distance is None:
        by_looks = np.flatnonzero(is_start | (gaps < 0))
        _by_looks(hashes, is_start, by_looks, DEFAULT_DISTANCE)
    elif distance < 64:
        _by_looks(hashes, is_start, slice(None), distance)
    return np.flatnonzero(is_start)


def _by_looks(
    hashes: NDArray[np.uint64],
    is_start: NDArray[np.bool_],
    asked: NDArray[np.signedinteger] | slice,
    distance: int,
) -> None:
    """Mark the starts among the positions `asked`: images too far from their burst's first.

    Images that are not asked continue their burst. All known starts are asked, too.

    Two consecutive asked images that differ in more than twice the distance cannot both be near one
    first image, so a burst begins at the second. This cuts the images into stretches, most of them
    one burst, which are searched side by side.
    """
    hashes, starts = hashes[asked], is_start[asked]
    if starts.all():
        return
    for at in range(1, len(hashes), _PIECE):
        here = slice(at, min(at + _PIECE, len(hashes)))
        before = hashes[here.start - 1 : here.stop - 1]
        starts[here] |= np.bitwise_count(hashes[here] ^ before) > min(2 * distance, 64)
    if distance:
        _divide(hashes, starts, distance)
    is_start[asked] = starts


def _divide(hashes: NDArray[np.uint64], is_start: NDArray[np.bool_], distance: int) -> None:
    """Mark the starts in each stretch of images; a stretch begins with a known start."""
    first = np.flatnonzero(is_start)
    end = np.append(first[1:], len(hashes))
    heads, is_one = hashes[first], np.ones(len(first), bool)
    before = 0  # stretches
    for at in range(0, len(hashes), _PIECE):
        here = slice(at, at + _PIECE)
        stretch = np.cumsum(is_start[here], dtype=np.int32) + (before - 1)
        far = np.bitwise_count(hashes[here] ^ heads[stretch]) > distance
        is_one[stretch[far]] = False
        before = int(stretch[-1]) + 1
    several = np.flatnonzero(~is_one)
    for at in range(0, len(several), _SIDE_BY_SIDE):
        some = several[at : at + _SIDE_BY_SIDE]
        _divide_some(hashes, is_start, first[some], end[some], distance)


def _divide_some(
    hashes: NDArray[np.uint64],
    is_start: NDArray[np.bool_],
    first: NDArray[np.int64],
    end: NDArray[np.int64],
    distance: int,
) -> None:
    """Mark the starts in stretches side by side; in the last few, one after the other.

    In each round some images of every stretch are searched, twice as many where none was a start.
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
    """Mark the starts in one stretch, image by image from `begin` on."""
    head = hashes[0]
    for position in range(begin, len(hashes)):
        if (head ^ hashes[position]).bit_count() > distance:
            is_start[position] = True
            head = hashes[position]
