"""Buckets and the trim from the top: which groups a sample keeps whole, and which it cuts."""

from collections.abc import Mapping, Sequence
from heapq import heapify, heapreplace
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


def fill(size: int, count: int, fixed: Sequence[int]) -> list[int]:
    """Return `count` of the positions 0 .. `size` - 1, in order, the fixed ones among them.

    The others go where the fixed ones leave the widest gaps, and are even within a gap. With
    nothing fixed it is `stride`.

    Parameters
    ----------
    fixed
        Positions in ascending order; no more than `count`.
    """
    if not fixed:
        return stride(size, count)
    starts = [0, *(position + 1 for position in fixed)]
    lengths = [end - start for start, end in zip(starts, [*fixed, size], strict=True)]
    chosen = list(fixed)
    for start, length, new in zip(
        starts, lengths, _shared(lengths, count - len(fixed)), strict=True
    ):
        chosen += [start + number * (length + 1) // (new + 1) - 1 for number in range(1, new + 1)]
    return sorted(chosen)


def _shared(lengths: Sequence[int], count: int) -> list[int]:
    """Return how many of `count` new positions go into each gap: one by one, into the widest."""
    shares = [0] * len(lengths)
    widest = [(-float(length), gap) for gap, length in enumerate(lengths) if length]
    heapify(widest)
    for _ in range(count):
        gap = widest[0][1]
        shares[gap] += 1
        width = lengths[gap] / (shares[gap] + 1) if shares[gap] < lengths[gap] else 0.0
        heapreplace(widest, (-width, gap))
    return shares
