"""Bursts: images next to each other in a folder, alike, taken of one moment."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The version of the rule, kept beside the bursts of a saved sample: whoever changes which bursts
# the same images have raises it.
BURST_RULE = 1

_WINDOW, _WIDEST = 4, 256  # images looked at for the end of a burst, at first and at most
_SIDE_BY_SIDE = 1 << 17  # stretches
_PIECE = 1 << 20  # images
_FEW = 64  # stretches, beyond which a step of numpy for all at once is worth its price


def burst_starts(
    hashes: NDArray[np.uint64], folder_starts: NDArray[np.int64], distance: int
) -> NDArray[np.int64]:
    """Return the positions at which bursts begin.

    A burst is images next to each other in one folder, each at most so many bits from the
    burst's first.

    Two images that follow each other and differ in more than twice the distance cannot both be
    near one first image: there a burst begins, whatever the first image is. This cuts the
    images into stretches, most of them one burst, that are gone through side by side.

    Parameters
    ----------
    hashes
        Of images in natural order.
    folder_starts
        The positions at which a folder begins, in order; the first is 0.
    distance
        In bits, 0 to 64.
    """
    images = len(hashes)
    is_start = np.zeros(images, bool)
    if images:
        for at in range(1, images, _PIECE):  # so that no second column is in memory
            here = slice(at, min(at + _PIECE, images))
            before = hashes[here.start - 1 : here.stop - 1]
            is_start[here] = np.bitwise_count(hashes[here] ^ before) > min(2 * distance, 64)
        is_start[folder_starts] = True
        if distance:
            _divide(hashes, is_start, distance)
    return np.flatnonzero(is_start)


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
