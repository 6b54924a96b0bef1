"""Bursts: the frames that a camera took of one event, which look alike and follow each other."""

from collections.abc import Sequence

DEFAULT_DISTANCE = 10  # bits


def bursts(hashes: Sequence[int], folders: Sequence[int], distance: int) -> list[range]:
    """Return the bursts of images in natural order, each as a range of their places.

    A burst is images next to each other in one folder, each at most so many bits from the
    burst's first.

    Parameters
    ----------
    hashes
        Signed 64-bit integers.
    folders
        A number for each image, another one where the folder is another than the image's
        before it.
    distance
        In bits, 0 to 64.
    """
    starts = []
    first, folder = 0, -1
    for place, (dhash, in_folder) in enumerate(zip(hashes, folders, strict=True)):
        # Python's integers are unbounded: the sign bits of two hashes differ as one bit each
        # only when both are cut to 64.
        apart = ((first ^ dhash) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()
        if in_folder != folder or apart > distance:
            starts.append(place)
            first, folder = dhash, in_folder
    ends = [*starts[1:], len(hashes)]
    return [range(start, end) for start, end in zip(starts, ends, strict=True)] if starts else []


def middle(burst: Sequence[int]) -> int:
    """Return the place of the image that stands for a burst."""
    return burst[len(burst) // 2]
