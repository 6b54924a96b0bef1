"""The bits of the hashes that split an archive most evenly, and differ most from each other."""

import numpy as np
from numpy.typing import NDArray

from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.frame import Hashes
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.order import known_bits, top_bits

_ASKED = 1 << 16  # images, an even subset, on which the split by a bit is measured


def leading_bits(options: SampleOptions, hashes: Hashes) -> tuple[int, ...]:
    """Return the bits that make a bucket, the first one first.

    Parameters
    ----------
    hashes
        Of all images of the index, in natural order.
    """
    known = known_bits(options)
    return even_bits(hashes, options.bits) if known is None else known


def even_bits(hashes: Hashes, bits: int) -> tuple[int, ...]:
    """Return `bits` bits that split these images evenly and differ most from each other.

    The first is set in nearest to half of the images. Each next has the greatest ``(1 - |2p - 1|) *
    (1 - max |phi|)``: p is the share of images in which it is set, phi its correlation with each
    bit taken before. Of equals, the lowest number is taken.
    """
    images = min(len(hashes), _ASKED)
    if not images:
        return top_bits(bits)
    some = hashes[np.arange(images) * len(hashes) // images]
    ones = np.unpackbits(some.astype(">u8").view(np.uint8).reshape(images, 8), axis=1)
    counted = ones.astype(np.float32)  # a float holds these whole numbers exactly
    both = (counted.T @ counted).astype(np.float64)
    single = both.diagonal()
    spread = np.sqrt(single * (images - single))
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = np.abs(images * both - np.outer(single, single)) / np.outer(spread, spread)
    evenness = 1 - np.abs(2 * single / images - 1)
    return _greedy(evenness, np.nan_to_num(alike), bits)


def _greedy(
    evenness: NDArray[np.float64],
    alike: NDArray[np.float64],
    bits: int,
) -> tuple[int, ...]:
    chosen: list[int] = []
    most_alike = np.zeros(HASH_BITS)
    for _ in range(bits):
        worth = evenness * (1 - most_alike)
        worth[chosen] = -1
        chosen.append(int(worth.argmax()))
        most_alike = np.maximum(most_alike, alike[chosen[-1]])
    return tuple(chosen)
