"""Which bits of a hash lead: those that make a bucket.

Bit 0, the highest, is at row 0, column 0 of a dHash's 8 x 8 comparisons; bit 63 at row 7, column 7.
"""

from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.options import SampleOptions

_SIDE = 8  # rows, and columns


def known_bits(options: SampleOptions) -> tuple[int, ...] | None:
    """Return the bits that make a bucket, the first one first; None for `even`."""
    if not isinstance(options.order, str):
        return tuple(options.order[: options.bits])
    if options.order == "top" or not options.bits:
        return top_bits(options.bits)
    return centre_bits(options.bits) if options.order == "centre" else None


def top_bits(bits: int) -> tuple[int, ...]:
    """Return the first `bits` bits, row by row from the upper left corner."""
    return tuple(range(bits))


def centre_bits(bits: int) -> tuple[int, ...]:
    """Return the `bits` bits nearest to the picture's centre, the nearest first."""
    middle = (_SIDE - 1) / 2

    def key(bit: int) -> tuple[float, int]:
        row, column = divmod(bit, _SIDE)
        return (row - middle) ** 2 + (column - middle) ** 2, bit

    return tuple(sorted(range(HASH_BITS), key=key)[:bits])
