"""Which bits of a hash lead: those that make a bucket.

Bit 0 is that of row 0, column 0 of the 8 x 8 that a dHash compares, and the highest; bit 63
is that of row 7, column 7.
"""

from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.options import SampleOptions

_SIDE = 8  # rows, and columns


def known_bits(options: SampleOptions) -> tuple[int, ...] | None:
    """Return the bits that make a bucket, the first one first; None where the images say which."""
    if not isinstance(options.order, str):
        return tuple(options.order[: options.bits])
    if options.order == "top" or not options.bits:
        return top_bits(options.bits)
    return centre_bits(options.bits) if options.order == "centre" else None


def top_bits(bits: int) -> tuple[int, ...]:
    """Return so many bits from the upper left corner on, row by row."""
    return tuple(range(bits))


def centre_bits(bits: int) -> tuple[int, ...]:
    """Return so many bits from the centre of the picture on."""
    middle = (_SIDE - 1) / 2

    def key(bit: int) -> tuple[float, int]:
        row, column = divmod(bit, _SIDE)
        return (row - middle) ** 2 + (column - middle) ** 2, bit

    return tuple(sorted(range(HASH_BITS), key=key)[:bits])
