"""The sampling frame: all images that can be sampled, in natural order, as columns of numbers."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.blocks import LABELS, NO_TIME, with_labels, with_names

NONE = -1  # the number for an image without a value
_FEW_BITS = 20  # bits; up to these, an array has a place for every bucket
_DAY = 86_400  # seconds

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Buckets = NDArray[np.unsignedinteger[Any]]
Mask = NDArray[np.bool_]
Column = TypeVar("Column")


class Coded(NamedTuple):
    """A column of names, such as cameras: each image's number, and the name of each number.

    A name is a pair: the archive's id, and the name within that archive.
    """

    numbers: NDArray[np.signedinteger[Any]]
    names: list[tuple[int, str]]


class Labelled(NamedTuple):
    """Labels, each with the position of its image; in the order of positions.

    The first label of an image is the one that balancing counts.

    Attributes
    ----------
    positions, numbers
        The position of the image in the frame, and the number of the label in `names`.
    confidences
        0 to 1; 1 where none was given.
    sources
        The number of the label's source in `source_names`.
    """

    positions: Numbers
    numbers: Numbers
    confidences: NDArray[np.float64]
    sources: Numbers
    names: list[str]
    source_names: list[str]

    def only(self, kept: Mask) -> "Labelled":
        """Return the labels that are kept."""
        return self._replace(
            positions=self.positions[kept],
            numbers=self.numbers[kept],
            confidences=self.confidences[kept],
            sources=self.sources[kept],
        )

    def said_by(self, sources: Collection[str], confidence: float) -> "Labelled":
        """Return the labels of these sources (all, if none) with at least this confidence."""
        kept: Mask = self.confidences >= confidence
        if sources:
            wanted = np.array([name in sources for name in self.source_names], bool)
            kept &= wanted[self.sources]
        return self.only(kept)


# The names of columns as they are asked for: the names in the index, and in `Frame`.
_FIELDS: dict[str, Any] = {
    "time": "times",
    "folder": "folders",
    "camera": "cameras",
    "method": "methods",
    "motion": "motions",
    "night": "nights",
    LABELS: "labels",
}


@dataclass(frozen=True)
class Frame:
    """The sampling frame: a column has a value for each image, or is None if it was not loaded.

    Attributes
    ----------
    ids
        Ids of the rows of ``image``.
    hashes
        Unsigned 64-bit integers.
    times
        Seconds since 1970 by the camera's clock; `NO_TIME` without a time.
    folders, cameras, methods
        Each image's folder, camera, and method with version.
    labels
        The labels of the images.
    motions
        `MOTIONS` times the motion; `NO_MOTION` without a motion.
    nights
        ``"night"``, ``"day"``, or empty where unknown.
    """

    ids: Numbers
    hashes: Hashes
    times: Numbers | None = None
    folders: Coded | None = None
    cameras: Coded | None = None
    methods: Coded | None = None
    labels: Labelled | None = None
    motions: NDArray[np.uint16] | None = None
    nights: Coded | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, columns: Collection[str]) -> "Frame":
        """Return the frame with ids, hashes and only these columns, to free memory."""
        dropped: dict[str, Any] = {
            field: None for name, field in _FIELDS.items() if name not in columns
        }
        return replace(self, **dropped)

    def take(self, chosen: Mask) -> "Frame":
        """Return the frame of the chosen images alone."""
        if chosen.all():
            return self
        taken: dict[str, Any] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            if isinstance(column, Coded):
                taken[field.name] = column._replace(numbers=column.numbers[chosen])
            elif isinstance(column, Labelled):
                taken[field.name] = _taken_labels(column, chosen)
            elif column is not None:
                taken[field.name] = column[chosen]
        return replace(self, **taken)

    def part(self, start: int, end: int | None) -> "Frame":
        """Return the frame of the images at these positions, without labels."""
        cut: dict[str, Any] = {"labels": None}
        for field in fields(self):
            column = getattr(self, field.name)
            if isinstance(column, Coded):
                cut[field.name] = column._replace(numbers=column.numbers[start:end])
            elif column is not None and not isinstance(column, Labelled):
                cut[field.name] = column[start:end]
        return replace(self, **cut)

    def positions_of(self, ids: Iterable[int]) -> Numbers:
        """Return the positions of those of the ids that are in the frame, in order."""
        return np.flatnonzero(self.among(ids))

    def position_of(self, row: int) -> int | None:
        """Return the position of an image by its id; None where it is not in the frame."""
        return next(iter(np.flatnonzero(self.ids == row).tolist()), None)

    def among(self, ids: Iterable[int]) -> Mask:
        """Say of each image whether its id is among these."""
        return np.isin(self.ids, np.fromiter(ids, np.int64))

    def buckets(self, leading: Sequence[int]) -> Buckets:
        """Return each image's bucket, as `buckets_of` does."""
        return buckets_of(self.hashes, leading)

    def bucket_sizes(self, leading: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Return, by bucket: how many images it has, and the id of its first image."""
        buckets, bits = self.buckets(leading), len(leading)
        if bits <= _FEW_BITS:  # counted in one pass, without sorting
            counts = np.bincount(buckets, minlength=1 << bits)
            first = np.zeros(1 << bits, np.int64)
            last = len(self) - 1
            first[buckets[::-1]] = np.arange(last, -1, -1, dtype=position_type(len(self)))
            numbers = np.flatnonzero(counts)
            counts, first = counts[numbers], first[numbers]
        else:
            numbers, first, counts = np.unique(buckets, return_index=True, return_counts=True)
        sizes = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        return sizes, dict(zip(sizes, self.ids[first].tolist(), strict=True))


def buckets_of(hashes: Hashes, leading: Sequence[int]) -> Buckets:
    """Return each hash's bucket: its `leading` bits, the first one highest, in as few bytes as fit.

    Bit 0 is the highest of a hash.
    """
    type_ = np.min_scalar_type((1 << len(leading)) - 1)
    buckets = np.zeros(len(hashes), type_)
    for first, bits in _runs_of(leading):
        mask = type_.type((1 << bits) - 1)
        part = np.empty(len(hashes), type_)
        np.right_shift(hashes, HASH_BITS - first - bits, out=part, casting="unsafe")
        part &= mask
        if bits < HASH_BITS:
            buckets <<= type_.type(bits)
        buckets |= part
    return buckets


def _runs_of(leading: Sequence[int]) -> list[tuple[int, int]]:
    """Return bits as runs of consecutive ones: the first bit, and how many."""
    runs: list[tuple[int, int]] = []
    for bit in leading:
        if runs and sum(runs[-1]) == bit:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((bit, 1))
    return runs


def _taken_labels(labels: Labelled, chosen: Mask) -> Labelled:
    kept = labels.only(chosen[labels.positions])
    new_position = np.cumsum(chosen) - 1
    return kept._replace(positions=new_position[kept.positions])


def needed(column: Column | None) -> Column:
    """Return a column that must have been loaded; LookupError where it was not."""
    if column is None:
        raise LookupError("a column of the frame that was not read")
    return column


def turns(numbers: NDArray[Any]) -> Mask:
    """Say of each number whether it differs from the one before; the first one does."""
    differs = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=differs[1:])
    return differs


def within(lengths: Numbers) -> Numbers:
    """Return 0, 1, .. up to (not with) each length in turn."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def first_greatest(values: NDArray[Any], starts: Numbers) -> Numbers:
    """Return where the greatest value of each stretch is, the first of several."""
    if not len(starts):
        return starts
    greatest = np.maximum.reduceat(values, starts)
    is_one = values == np.repeat(greatest, np.diff(starts, append=len(values)))
    found = np.flatnonzero(is_one)
    return found[np.searchsorted(found, starts)]


def moved(motions: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return motions as numbers to compare: an image without a motion comes last."""
    return motions + np.uint16(1)  # `NO_MOTION` becomes 0


def main_labels(labels: Labelled, images: int) -> Numbers:
    """Return the number of each image's first label, or `NONE`."""
    main = np.full(images, NONE, np.int64)
    main[labels.positions[::-1]] = labels.numbers[::-1]  # the first of an image is written last
    return main


def days(times: Numbers) -> Numbers:
    """Return the day on which each image was taken, in days since 1970.

    Images without a time have `NO_TIME`.
    """
    return np.where(times == NO_TIME, NO_TIME, times // _DAY)


def as_date(day: int) -> date:
    """Return the date of a number of `days`."""
    return date(1970, 1, 1) + timedelta(days=day)


def in_order(keys: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return positions sorted by the first key, then the next; equal ones stay in order.

    Keys must not be negative. Sorting 16 bits at a time, from the lowest on, numpy compares
    nothing, and takes a third of the time of sorting whole numbers.
    """
    small = position_type(len(keys[0]))
    order: NDArray[Any] | None = None
    for key in reversed(keys):
        for shift in range(0, max(int(key.max(initial=0)).bit_length(), 1), 16):
            digit = (key if not shift else key >> key.dtype.type(shift)).astype(
                np.uint16, copy=False
            )
            ordered = digit if order is None else digit[order]
            by_digit = np.argsort(ordered, kind="stable").astype(small)
            order = by_digit if order is None else order[by_digit]
    return np.arange(0) if order is None else order


def position_type(largest: int) -> Any:
    """Return the smaller of two integer types if it holds positions, or ids, up to the largest."""
    return np.int32 if largest < 1 << 31 else np.int64


def distinct(numbers: NDArray[Any]) -> int:
    """Return how many different numbers there are; by sorting, as numpy's own way is slower."""
    ordered = np.sort(numbers)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + min(len(ordered), 1)


def by_appearance(numbers: NDArray[Any], kinds: int) -> Buckets:
    """Return numbers from 0 to `kinds` - 1 renumbered in the order in which they first appear."""
    images = len(numbers)
    first = np.full(kinds, images, np.int64)
    first[numbers[::-1]] = np.arange(images - 1, -1, -1, dtype=position_type(images))
    new = np.empty(kinds, np.min_scalar_type(kinds))
    new[np.argsort(first, kind="stable")] = np.arange(kinds)
    renumbered: Buckets = new[numbers]
    return renumbered


def coded(blocks: Sequence[tuple[int, bytes]]) -> Coded:
    """Return a column of names from the packed columns of blocks, each with its archive's id."""
    names: dict[tuple[int, str], int] = {}
    lengths, numbers = [], []
    for archive_id, data in blocks:
        some_lengths, some_numbers, local = with_names(data)
        lengths.append(np.frombuffer(some_lengths, "<i8"))
        known = np.array([names.setdefault((archive_id, name), len(names)) for name in local])
        numbers.append(known[np.frombuffer(some_numbers, "<i8")])
    if not blocks:
        return Coded(np.empty(0, np.int32), [])
    of_runs = np.concatenate(numbers).astype(np.int16 if len(names) < 1 << 15 else np.int32)
    return Coded(np.repeat(of_runs, np.concatenate(lengths)), [*names])


def labelled(blocks: Sequence[tuple[int, bytes]]) -> Labelled:
    """Return the labels of the images, from the blocks' packed labels and first positions."""
    names: dict[str, int] = {}
    sources: dict[str, int] = {}
    positions, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    confidences, by = [np.empty(0, np.float64)], [np.empty(0, np.int64)]
    for start, data in blocks:
        (at, which, sure, who), local, local_sources = with_labels(data)
        if local:
            positions.append(np.frombuffer(at, "<i8") + start)
            numbers.append(_renumbered(which, local, names))
            confidences.append(np.frombuffer(sure, "<f8"))
            by.append(_renumbered(who, local_sources, sources))
    return Labelled(
        np.concatenate(positions),
        np.concatenate(numbers),
        np.concatenate(confidences),
        np.concatenate(by),
        [*names],
        [*sources],
    )


def _renumbered(packed: memoryview, local: Sequence[str], names: dict[str, int]) -> Numbers:
    """Return the numbers of a block's names among all names; new names are added."""
    known = np.array([names.setdefault(name, len(names)) for name in local], np.int64)
    numbers: Numbers = known[np.frombuffer(packed, "<i8")]
    return numbers
