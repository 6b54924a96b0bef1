"""Buckets and the trim from the top: which groups a sample keeps whole, and which it cuts."""

from collections.abc import Mapping

HASH_BITS = 64
DEFAULT_BITS = 4


def trim(sizes: Mapping[int, int], count: int) -> dict[int, int]:
    """Return how many images of each bucket a sample of `count` images keeps.

    Only the largest buckets are cut: with the level L the largest integer for which
    ``sum(min(size, L)) <= count``, a bucket keeps ``min(size, L)``; what is left of `count`
    goes one each to the buckets still above L, the largest first, then the lowest number.

    Parameters
    ----------
    sizes
        Images in each bucket, by bucket number.
    count
        Images wanted; 0 or more.

    Returns
    -------
    dict
        Images kept, by bucket number, in the order of `sizes`. They add up to `count`, or
        to all the images there are when there are fewer.
    """
    level = _level(sorted(sizes.values()), count)
    kept = {bucket: min(size, level) for bucket, size in sizes.items()}
    left = count - sum(kept.values())
    above = sorted((-size, bucket) for bucket, size in sizes.items() if size > level)
    for _, bucket in above[:left]:
        kept[bucket] += 1
    return kept


def _level(ascending: list[int], count: int) -> int:
    """Return the greatest L with ``sum(min(size, L)) <= count``, at most the largest size."""
    whole = 0  # images in the buckets that are kept whole
    for place, size in enumerate(ascending):
        buckets_from_here = len(ascending) - place
        if whole + size * buckets_from_here > count:
            return (count - whole) // buckets_from_here
        whole += size
    return ascending[-1] if ascending else 0


def stride(size: int, count: int) -> list[int]:
    """Return `count` of the positions 0 .. `size` - 1, even over the whole range.

    The i-th is ``floor(i * size / count)``; `count` is at most `size`.
    """
    return [place * size // count for place in range(count)]
