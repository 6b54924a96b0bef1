"""A hash of 64 bits: signed (as databases have it), unsigned, hexadecimal; and its bucket."""

from collections.abc import Iterable, Sequence

HASH_BITS = 64


def unsigned(dhash: int) -> int:
    """Return the bits of a hash as an unsigned number."""
    return dhash % (1 << HASH_BITS)


def signed(dhash: int) -> int:
    """Return the bits of a hash as a signed number, as databases have it."""
    number = unsigned(dhash)
    return number if number < 1 << (HASH_BITS - 1) else number - (1 << HASH_BITS)


def bucket(dhash: int, bits: int) -> int:
    """Return the bucket of a hash, signed or not: its leading bits, as an unsigned number."""
    return unsigned(dhash) >> (HASH_BITS - bits)


def bits_at(dhash: int, leading: Sequence[int]) -> int:
    """Return the bits at these places as a number, the first one highest; 0 is the highest."""
    found = 0
    for bit in leading:
        found = found << 1 | dhash >> (HASH_BITS - 1 - bit) & 1
    return found


def buckets(hashes: Iterable[int], bits: int) -> list[int]:
    """Return the `bucket` of each of many hashes."""
    shift, mask = HASH_BITS - bits, (1 << bits) - 1
    return [dhash >> shift & mask for dhash in hashes]


def to_hex(dhash: int) -> str:
    """Return a hash as 16 hexadecimal digits."""
    return f"{unsigned(dhash):016x}"


def from_hex(digits: str) -> int:
    """Return the signed hash that is written as these 16 hexadecimal digits."""
    return signed(int(digits, 16))
