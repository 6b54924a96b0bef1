"""Motion: how much of a picture differs from the pictures before and after it, by 9 x 8 greys.

The smaller of an image's differences from the image before it and the one after it in its
folder: an animal that is in one of three pictures makes that one differ from both. The first and
the last of a burst have an image on one side alone. They are compared with the next two on it, as
the empty picture that an animal has left differs from the one with the animal, too; and with those
of the bursts beside, however long ago: an empty picture has its like there, and one with an animal
in that place has none.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sdindex.sampling.blocks import MOTIONS, NO_MOTION, NO_TIME

GREY_BYTES = 72  # bytes of the small grey picture, row by row
NEAR_SECONDS = 60  # seconds: images farther apart are not compared as neighbours
BESIDE = 5  # images of other bursts with which the end of a burst is compared; most have no more

_ROWS, _COLUMNS = 8, 9
_SCALE = 36  # the least number that 4, 6 and 9 divide: means are of so many cells
_BITS_ALIKE = 8.0  # bits of difference between hashes that count as one spread

Numbers = NDArray[np.int64]
Places = NDArray[np.intp]


def motions(
    greys: NDArray[np.uint8],
    known: NDArray[np.bool_],
    hashes: NDArray[np.uint64],
    times: Numbers,
    folders: Numbers,
) -> NDArray[np.uint16]:
    """Return the motion of images, those of a folder in natural order, one folder after another.

    Of two images with greys: each grey less their mean, divided by their spread (or 1, if that
    is less); of the one picture less the other, each cell less the mean of the 3 x 3 around it;
    m is the largest of these. Where one of the two has no greys m is the number of bits in which
    their hashes differ, divided by 8. Their difference is m / (1 + m). An image that is near the
    one on one side alone is compared with the next two there that are near, and with as many as
    `BESIDE` on the other side, whenever they were taken.

    Parameters
    ----------
    greys
        A row of `GREY_BYTES` for each image, of whatever value where it is not `known`.
    hashes
        Unsigned.
    times
        In seconds, or `NO_TIME`: images that were taken more than `NEAR_SECONDS` apart are not
        near.
    folders
        A number for each image's folder.

    Returns
    -------
    array
        `MOTIONS` times the motion, rounded; `NO_MOTION` where no image is near.
    """
    pictures = _Pictures(greys, known, hashes)
    found = np.full(len(hashes), NO_MOTION, np.uint16)
    for at, other in _compared(times, folders):
        found[at] = np.minimum(found[at], pictures.apart(at, other))
    return found


def _compared(times: Numbers, folders: Numbers) -> Iterator[tuple[Places, Places]]:
    """Yield places of images, each at most once, with the places that they are compared with."""
    images = np.arange(len(times))
    at, other = _inside(images, images + 1, len(images))
    has_after, has_before = np.zeros(len(images), bool), np.zeros(len(images), bool)
    has_after[at] = has_before[other] = _near(times, folders, at, other)
    yield (at := np.flatnonzero(has_after)), at + 1
    yield (at := np.flatnonzero(has_before)), at - 1
    for inwards, is_end in ((1, has_after & ~has_before), (-1, has_before & ~has_after)):
        ends = np.flatnonzero(is_end)
        at, other = _inside(ends, ends + 2 * inwards, len(images))
        near = _near(times, folders, at + inwards, other) & _near(times, folders, at, other)
        yield at[near], other[near]
        for steps in range(1, BESIDE + 1):
            at, other = _inside(ends, ends - inwards * steps, len(images))
            together = folders[at] == folders[other]
            yield at[together], other[together]


def _inside(at: Places, other: Places, images: int) -> tuple[Places, Places]:
    """Leave out pairs whose other image is beyond the ends."""
    there = (other >= 0) & (other < images)
    return at[there], other[there]


def _near(times: Numbers, folders: Numbers, at: Places, other: Places) -> NDArray[np.bool_]:
    dated = (times[at] != NO_TIME) & (times[other] != NO_TIME)
    seconds = np.where(dated, times[at], 0) - np.where(dated, times[other], 0)
    near: NDArray[np.bool_] = (folders[at] == folders[other]) & (np.abs(seconds) <= NEAR_SECONDS)
    return near


class _Pictures:
    """The pictures, prepared for comparing."""

    def __init__(
        self, greys: NDArray[np.uint8], known: NDArray[np.bool_], hashes: NDArray[np.uint64]
    ) -> None:
        details, spreads = _details(greys)
        self._scaled = details / spreads[:, None].astype(np.float32)
        self._known = known
        self._hashes = hashes

    def apart(self, at: Places, other: Places) -> NDArray[np.uint16]:
        """Return `MOTIONS` times the difference between the images of each pair."""
        most: NDArray[np.float64] = (
            np.abs(self._scaled[at] - self._scaled[other]).max(axis=1, initial=0).astype(np.float64)
        )
        by_bits = ~(self._known[at] & self._known[other])
        bits = np.bitwise_count(self._hashes[at] ^ self._hashes[other])
        most[by_bits] = bits[by_bits] / _BITS_ALIKE
        return np.rint(MOTIONS * (most / (1 + most))).astype(np.uint16)


def _details(greys: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return each picture less its 3 x 3 means, times `_SCALE`, and `_SCALE` times its spread.

    Whole numbers, so that on every machine, beside whatever other pictures, they are the same.
    """
    cells = greys.reshape(-1, _ROWS, _COLUMNS).astype(np.int16)
    sums = cells.copy()
    sums[:, 1:] += cells[:, :-1]
    sums[:, :-1] += cells[:, 1:]
    across = sums.copy()
    across[:, :, 1:] += sums[:, :, :-1]
    across[:, :, :-1] += sums[:, :, 1:]
    details = (_SCALE * cells - across * _SHARE).reshape(-1, GREY_BYTES).astype(np.float32)
    wide = greys.astype(np.int32)
    total, squares = wide.sum(axis=1), np.einsum("ij,ij->i", wide, wide)
    spread = np.sqrt((GREY_BYTES * squares - total**2).astype(np.float64)) / GREY_BYTES
    return details, _SCALE * np.maximum(spread, 1)


def _shares() -> NDArray[np.int16]:
    """Return, for each cell, the factor that makes its sum of the cells around it a mean."""
    rows = np.array([2, *[3] * (_ROWS - 2), 2])
    columns = np.array([2, *[3] * (_COLUMNS - 2), 2])
    shares: NDArray[np.int16] = (_SCALE // (rows[:, None] * columns)).astype(np.int16)
    return shares


_SHARE = _shares()
