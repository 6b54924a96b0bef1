"""The trim: how many images of each bucket a sample keeps; and the even stride."""

from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key", int, str)


def trim(
    sizes: Mapping[Key, int], count: int, fixed: Mapping[Key, int] | None = None
) -> dict[Key, int]:
    """Return how many images of each bucket a sample of `count` images keeps.

    Only the largest buckets are cut: with the level L the largest integer for which
    ``sum(max(fixed, min(size, L))) <= count``, a bucket keeps ``max(fixed, min(size, L))``;
    the rest of `count` goes, an image each, to the buckets that have more and keep L, the
    largest first, then the lowest number.

    Parameters
    ----------
    sizes
        Images in each bucket, by bucket number.
    count
        Images wanted; no fewer than are fixed.
    fixed
        Images that a bucket keeps in any case, at most its size; none where it is absent.

    Returns
    -------
    dict
        Images kept, by bucket number, in the order of `sizes`. They add up to `count`, or
        to all the images there are when there are fewer.
    """
    least = {bucket: (fixed or {}).get(bucket, 0) for bucket in sizes}
    level = _level(sizes, least, count)
    kept = {bucket: max(least[bucket], min(size, level)) for bucket, size in sizes.items()}
    remaining = count - sum(kept.values())
    above = sorted(
        (-size, bucket) for bucket, size in sizes.items() if least[bucket] <= level < size
    )
    for _, bucket in above[:remaining]:
        kept[bucket] += 1
    return kept


def _level(sizes: Mapping[Key, int], least: Mapping[Key, int], count: int) -> int:
    """Return the greatest L with ``sum(max(fixed, min(size, L))) <= count``, at most the largest.

    Between two of the numbers at which a bucket begins or ceases to grow with L, the sum
    grows evenly.
    """
    turns = sorted(
        [(fixed, 1) for fixed in least.values()] + [(size, -1) for size in sizes.values()]
    )
    kept, level, growing = sum(least.values()), 0, 0
    for turn, change in turns:
        if growing and kept + growing * (turn - level) > count:
            return level + (count - kept) // growing
        kept += growing * (turn - level)
        level = turn
        growing += change
    return level


def stride(size: int, count: int) -> list[int]:
    """Return `count` of the positions 0 .. `size` - 1, even over the whole range.

    The i-th is ``floor(i * size / count)``; `count` is at most `size`.
    """
    return [number * size // count for number in range(count)]
