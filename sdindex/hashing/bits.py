"""A hash as 64 bits: signed, as databases have it, unsigned, in hexadecimal, and its bucket."""

from collections.abc import Iterable

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


def buckets(hashes: Iterable[int], bits: int) -> list[int]:
    """Return the `bucket` of each of many hashes."""
    shift, mask = HASH_BITS - bits, (1 << bits) - 1
    return [dhash >> shift & mask for dhash in hashes]


def to_hex(dhash: int) -> str:
    """Return a hash as 16 hexadecimal digits."""
    return f"{unsigned(dhash):016x}"


def from_hex(digits: str) -> int:
    """Return the signed hash that these digits are."""
    return signed(int(digits, 16))
