"""The sampling frame: all images that can be sampled, in natural order, as columns of numbers."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.blocks import LABELS, NO_TIME, with_labels, with_names

NONE = -1  # the number of what an image does not have
_FEW_BITS = 20  # buckets at which an array has room for all there may be
_DAY = 86_400  # seconds

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Buckets = NDArray[np.unsignedinteger[Any]]
Mask = NDArray[np.bool_]
Column = TypeVar("Column")


class Coded(NamedTuple):
    """The group of each image, such as its camera, as a number; and the groups' names.

    A name is what the images of one archive call it: with the archive's id before it.
    """

    numbers: NDArray[np.signedinteger[Any]]
    names: list[tuple[int, str]]


class Labelled(NamedTuple):
    """What sources say: labels by the position of their image in the frame, in that order.

    Of the labels of one image the first is the one that counts when labels are balanced.

    Attributes
    ----------
    positions, numbers
        Of the image in the frame, and of the label in `names`.
    confidences
        0 to 1; 1 where none is given.
    sources
        The number of who says so, in `source_names`.
    """

    positions: Numbers
    numbers: Numbers
    confidences: NDArray[np.float64]
    sources: Numbers
    names: list[str]
    source_names: list[str]

    def only(self, kept: Mask) -> "Labelled":
        """Return these of the labels."""
        return self._replace(
            positions=self.positions[kept],
            numbers=self.numbers[kept],
            confidences=self.confidences[kept],
            sources=self.sources[kept],
        )

    def said_by(self, sources: Collection[str], confidence: float) -> "Labelled":
        """Return what some sources say, or all where none is given, at that confidence or more."""
        kept: Mask = self.confidences >= confidence
        if sources:
            wanted = np.array([name in sources for name in self.source_names], bool)
            kept &= wanted[self.sources]
        return self.only(kept)


# The names under which columns are stored, and asked for, and what they are called here.
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
    """Images in natural order; a column has a number for each, or is None when it was not read.

    Attributes
    ----------
    ids
        Of the rows of ``image``.
    hashes
        Unsigned 64-bit integers.
    times
        The camera's local time, in seconds since 1970; `NO_TIME` without one.
    folders, cameras, methods
        The folder of the image, its camera, and how it was hashed.
    labels
        Which images have which labels.
    motions
        From 0 to `MOTIONS`; `NO_MOTION` without one.
    nights
        ``"night"``, ``"day"``, or empty text where neither is known.
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
        """Return the frame with no columns but these, ids and hashes, so that memory is let go."""
        dropped: dict[str, Any] = {
            field: None for name, field in _FIELDS.items() if name not in columns
        }
        return replace(self, **dropped)

    def take(self, chosen: Mask) -> "Frame":
        """Return the frame of those images alone."""
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
        """Return the positions of those of the images that are here, in order."""
        return np.flatnonzero(self.among(ids))

    def position_of(self, row: int) -> int | None:
        """Return the position of an image by its id; None where it is not here."""
        return next(iter(np.flatnonzero(self.ids == row).tolist()), None)

    def among(self, ids: Iterable[int]) -> Mask:
        """Say of each image whether it is one of those."""
        return np.isin(self.ids, np.fromiter(ids, np.int64))

    def buckets(self, leading: Sequence[int]) -> Buckets:
        """Return each image's bucket, as `buckets_of` does."""
        return buckets_of(self.hashes, leading)

    def bucket_sizes(self, leading: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Return the images of each bucket, and the id of its first, by the bucket's number."""
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
    """Return the bits of each hash that lead, the first one highest, in as few bytes as fit.

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
    """Return bits as runs that follow each other in a hash: the first bit, and how many."""
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
    """Return a column that the caller has asked for, and that was therefore read."""
    if column is None:
        raise LookupError("a column of the frame that was not read")
    return column


def turns(numbers: NDArray[Any]) -> Mask:
    """Say of each number whether it differs from the number before; the first does."""
    differs = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=differs[1:])
    return differs


def within(lengths: Numbers) -> Numbers:
    """Return 0, 1, .. up to each length in turn."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def first_greatest(values: NDArray[Any], starts: Numbers) -> Numbers:
    """Return where the greatest value is, the first of several, of each part that starts there."""
    if not len(starts):
        return starts
    greatest = np.maximum.reduceat(values, starts)
    is_one = values == np.repeat(greatest, np.diff(starts, append=len(values)))
    found = np.flatnonzero(is_one)
    return found[np.searchsorted(found, starts)]


def moved(motions: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return motions as numbers to compare: an image without one has moved the least."""
    return motions + np.uint16(1)  # `NO_MOTION` becomes 0


def main_labels(labels: Labelled, images: int) -> Numbers:
    """Return the number of the label that counts for each image, or `NONE`."""
    main = np.full(images, NONE, np.int64)
    main[labels.positions[::-1]] = labels.numbers[::-1]  # the first of an image is written last
    return main


def days(times: Numbers) -> Numbers:
    """Return the day on which each image was taken, in days since 1970, or `NONE`'s own number.

    Images without a time have `NO_TIME`.
    """
    return np.where(times == NO_TIME, NO_TIME, times // _DAY)


def as_date(day: int) -> date:
    """Return the date of a number of `days`."""
    return date(1970, 1, 1) + timedelta(days=day)


def in_order(keys: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the positions sorted by the first key, then the next, then as they are.

    The keys are not negative. Sixteen bits at a time, from the last on, which numpy sorts without
    comparing: in a third of the time of sorting whole numbers.
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


def position_type(images: int) -> Any:
    """Return the type of number that has room for so many positions, or ids."""
    return np.int32 if images < 1 << 31 else np.int64


def distinct(numbers: NDArray[Any]) -> int:
    """Return how many different numbers there are; sorted, as numpy's own counting is slow."""
    ordered = np.sort(numbers)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + min(len(ordered), 1)


def by_appearance(numbers: NDArray[Any], kinds: int) -> Buckets:
    """Return numbers from 0 to `kinds` - 1 as others, in the order in which they first appear."""
    images = len(numbers)
    first = np.full(kinds, images, np.int64)
    first[numbers[::-1]] = np.arange(images - 1, -1, -1, dtype=position_type(images))
    new = np.empty(kinds, np.min_scalar_type(kinds))
    new[np.argsort(first, kind="stable")] = np.arange(kinds)
    renumbered: Buckets = new[numbers]
    return renumbered


def coded(blocks: Sequence[tuple[int, bytes]]) -> Coded:
    """Return a column of runs, from the packed columns of blocks, each with its archive's id."""
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
    """Return the labels of the images, from the packed labels of blocks, each with its start."""
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
    """Return the numbers that the names of a block have among all names."""
    known = np.array([names.setdefault(name, len(names)) for name in local], np.int64)
    numbers: Numbers = known[np.frombuffer(packed, "<i8")]
    return numbers
