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
_PIECE = 1 << 11  # images whose cells the processor's cache holds
_DENSE = 8  # where more than one in so many images is compared, all are: they lie side by side

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
    for at, step in _compared(times, folders):
        found[at] = np.minimum(found[at], pictures.apart(at, step))
    return found


def _compared(times: Numbers, folders: Numbers) -> Iterator[tuple[Places, int]]:
    """Yield places of images, each at most once, with the step to what they are compared with."""
    images = len(times)
    has_after, has_before = np.zeros(images, bool), np.zeros(images, bool)
    at = np.arange(images - 1)
    has_after[:-1] = has_before[1:] = _near(times, folders, at, at + 1)
    yield np.flatnonzero(has_after), 1
    yield np.flatnonzero(has_before), -1
    for inwards, is_end in ((1, has_after & ~has_before), (-1, has_before & ~has_after)):
        ends = np.flatnonzero(is_end)
        at = _inside(ends, 2 * inwards, images)
        other = at + 2 * inwards
        yield (
            at[_near(times, folders, at + inwards, other) & _near(times, folders, at, other)],
            2 * inwards,
        )
        for step in range(-inwards, -inwards * (BESIDE + 1), -inwards):
            at = _inside(ends, step, images)
            yield at[folders[at] == folders[at + step]], step


def _inside(at: Places, step: int, images: int) -> Places:
    """Leave out images whose other image is beyond the ends."""
    other = at + step
    return at[(other >= 0) & (other < images)]


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
        self._scaled = _scaled(greys)
        self._known = known
        self._hashes = hashes
        self._of_all: dict[int, NDArray[np.uint16]] = {}  # by how far apart the images stand

    def apart(self, at: Places, step: int) -> NDArray[np.uint16]:
        """Return `MOTIONS` times the difference between images and those a step away."""
        first, wide = np.minimum(at, at + step), abs(step)
        if wide not in self._of_all:
            if len(at) * _DENSE <= len(self._hashes):
                apart = np.abs(self._scaled[:, first] - self._scaled[:, first + wide])
                return self._numbers(apart.max(axis=0, initial=0), first, first + wide)
            furthest = np.zeros(len(self._hashes) - wide, np.float32)
            for cells in self._scaled:
                np.maximum(furthest, np.abs(cells[:-wide] - cells[wide:]), out=furthest)
            self._of_all[wide] = self._numbers(furthest, slice(-wide), slice(wide, None))
        return self._of_all[wide][first]

    def _numbers(
        self, furthest: NDArray[np.float32], one: Places | slice, other: Places | slice
    ) -> NDArray[np.uint16]:
        """Return the differences of images by the cells that differ most, or by their hashes."""
        bits = np.bitwise_count(self._hashes[one] ^ self._hashes[other])
        by_cells = self._known[one] & self._known[other]
        most = np.where(by_cells, furthest.astype(np.float64), bits / _BITS_ALIKE)
        numbers: NDArray[np.uint16] = np.rint(MOTIONS * (most / (1 + most))).astype(np.uint16)
        return numbers


def _scaled(greys: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return each picture less its 3 x 3 means, divided by its spread: a row for each cell.

    The two are whole numbers, `_SCALE` times as large, until they are divided, so that on every
    machine, beside whatever other pictures, the quotients are the same.
    """
    scaled = np.empty((GREY_BYTES, len(greys)), np.float32)
    for start in range(0, len(greys), _PIECE):
        here = slice(start, start + _PIECE)
        cells = greys[here].T.astype(np.int16, order="C")
        wide = cells.astype(np.float32)  # which holds all sums of them exactly
        total = wide.sum(axis=0).astype(np.float64)
        squares = np.einsum("ij,ij->j", wide, wide).astype(np.float64)
        spread = np.sqrt(GREY_BYTES * squares - total**2) / GREY_BYTES
        by = (_SCALE * np.maximum(spread, 1)).astype(np.float32)
        np.divide(_details(cells), by, out=scaled[:, here])
    return scaled


def _details(cells: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return cells less the means of the 3 x 3 around them, times `_SCALE`; it changes them."""
    grid = cells.reshape(_ROWS, _COLUMNS, -1)
    down = grid.copy()
    down[1:] += grid[:-1]
    down[:-1] += grid[1:]
    around = down.copy()
    around[:, 1:] += down[:, :-1]
    around[:, :-1] += down[:, 1:]
    around *= _SHARE
    grid *= _SCALE
    grid -= around
    return grid.reshape(GREY_BYTES, -1)


def _shares() -> NDArray[np.int16]:
    """Return, for each cell, the factor that makes its sum of the cells around it a mean."""
    rows = np.array([2, *[3] * (_ROWS - 2), 2])
    columns = np.array([2, *[3] * (_COLUMNS - 2), 2])
    shares: NDArray[np.int16] = (_SCALE // (rows[:, None, None] * columns[:, None])).astype(
        np.int16
    )
    return shares


_SHARE = _shares()
