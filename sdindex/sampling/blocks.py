"""The sampling frame as it is stored: blocks of consecutive images, each a few packed columns.

The images alone decide where a block begins, not the order of changes: a frame that was kept true
through many changes is, byte for byte, the same as one made from nothing.
"""

import json
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress, islice, pairwise
from operator import ne
from typing import NamedTuple

from sdindex.hashing.bits import buckets

FRAME_VERSION = 3  # raise it when the same images would make another frame
MOTION_RULE = 3  # raise it when the same images would have another motion: see `motion`
MEAN_IMAGES = 1 << 14  # images of a block on average: quickly made anew, and few blocks to list
BUCKET_BITS = 4  # bits of the buckets whose images are counted and listed in each block
NO_TIME = -(1 << 63)  # stands for no time; no time in seconds is this
MOTIONS = 10_000  # a motion, from 0 to 1, is stored times this
NO_MOTION = (1 << 16) - 1
NIGHT, DAY, NEITHER_KNOWN = "night", "day", ""
INFRARED_COLOUR = 1.5  # colour; infrared pictures have 0.2 to 0.6, others 3.6 and more
DARK = 20  # brightness, of 255

# Consecutive numbers times this spread evenly (Knuth's Fibonacci hashing).
_GOLDEN = 0x9E37_79B9_7F4A_7C15
_WORD = (1 << 64) - 1  # of an id


class FrameColumns(NamedTuple):
    """Images of the frame as the index stores them.

    `hashes` are signed; `paths` and `cameras` in stored form; `seconds` since 1970 by the cameras'
    clocks, or None; `methods` such as ``scaled-1``; `motions` (0 to 1), `brightnesses` (0 to 255)
    and `colours`, or None.
    """

    ids: Sequence[int]
    sort_keys: Sequence[bytes]
    hashes: Sequence[int]
    paths: Sequence[str]
    cameras: Sequence[str]
    seconds: Sequence[int | None]
    methods: Sequence[str]
    motions: Sequence[float | None]
    brightnesses: Sequence[float | None]
    colours: Sequence[float | None]


# The labels of each image, the one that counts for balancing first: the name, the highest
# confidence that it has there, and the source. Plain tuples, as there are millions.
Labels = dict[int, list[tuple[str, float, str]]]


class Block(NamedTuple):
    """Consecutive images of an archive.

    Attributes
    ----------
    id
        The id of its first image.
    first_key
        The first image's sort key.
    images
        How many there are.
    methods
        The methods of their hashes, each once.
    buckets
        For each bucket that has images here: how many, and the id of the first.
    columns
        The packed columns by name: see `COLUMNS` and `ids_column`.
    """

    id: int
    first_key: bytes
    images: int
    methods: tuple[str, ...]
    buckets: dict[int, tuple[int, int]]
    columns: dict[str, bytes]


def ids_column(bucket: int) -> str:
    """Return the name of the column with the ids of a bucket's images, in natural order."""
    return f"ids-{bucket}"


def blocks(
    images: Iterable[FrameColumns], labels_of: Callable[[Sequence[int]], Labels]
) -> Iterator[Block]:
    """Yield the blocks of one archive's images, which come in natural order, some at a time.

    Wherever it stands, one image in `MEAN_IMAGES` begins a block, and so does the first.
    `labels_of` returns the labels of the images with these ids; it is called for each block.
    """
    below = (_WORD + 1) // MEAN_IMAGES
    current: list[FrameColumns] = []
    for some in images:
        starts = [at for at, row in enumerate(some.ids) if row * _GOLDEN & _WORD < below]
        for start, end in pairwise([0, *starts, len(some.ids)]):
            if start in starts and current:
                yield block(_joined(current), labels_of)
                current = []
            if end > start:
                current.append(FrameColumns._make(column[start:end] for column in some))
    if current:
        yield block(_joined(current), labels_of)


def _joined(parts: Sequence[FrameColumns]) -> FrameColumns:
    columns = zip(*parts, strict=True)
    return FrameColumns._make(tuple(chain.from_iterable(column)) for column in columns)


def block(found: FrameColumns, labels_of: Callable[[Sequence[int]], Labels]) -> Block:
    """Return the block of these images."""
    listed: list[array[int]] = [array("q") for _ in range(1 << BUCKET_BITS)]
    for image_id, bucket in zip(found.ids, buckets(found.hashes, BUCKET_BITS), strict=True):
        listed[bucket].append(image_id)
    members = {bucket: ids for bucket, ids in enumerate(listed) if ids}
    columns = {name: packed(found) for name, packed in COLUMNS.items()}
    columns[LABELS] = labels_column(found.ids, labels_of(found.ids))
    columns |= {ids_column(bucket): _packed(ids) for bucket, ids in members.items()}
    return Block(
        id=found.ids[0],
        first_key=found.sort_keys[0],
        images=len(found.ids),
        methods=tuple(dict.fromkeys(found.methods)),
        buckets={bucket: (len(ids), ids[0]) for bucket, ids in members.items()},
        columns=columns,
    )


def labels_column(ids: Sequence[int], labels: Labels) -> bytes:
    """Return the packed column of labels of a block's images.

    First their number; then positions in the block, numbers of labels, confidences and numbers of
    sources, an array each; then the names of labels and of sources.
    """
    names: dict[str, int] = {}
    sources: dict[str, int] = {}
    positions, numbers, by = array("q"), array("q"), array("q")
    confidences = array("d")
    for position, image_id in enumerate(ids if labels else ()):
        for name, confidence, source in labels.get(image_id, ()):
            positions.append(position)
            numbers.append(names.setdefault(name, len(names)))
            confidences.append(confidence)
            by.append(sources.setdefault(source, len(sources)))
    count = array("q", [len(positions)])
    return (
        b"".join([_packed(count), _packed(positions), _packed(numbers)])
        + b"".join([_packed(confidences), _packed(by)])
        + json.dumps([[*names], [*sources]]).encode()
    )


def _hashes(found: FrameColumns) -> bytes:
    return _packed(array("q", found.hashes))


def _times(found: FrameColumns) -> bytes:
    return _packed(array("q", [NO_TIME if time is None else time for time in found.seconds]))


def _folders(found: FrameColumns) -> bytes:
    return _runs([path.rpartition("/")[0] for path in found.paths])


def _cameras(found: FrameColumns) -> bytes:
    return _runs(found.cameras)


def _methods(found: FrameColumns) -> bytes:
    return _runs(found.methods)


def _motions(found: FrameColumns) -> bytes:
    motions = [NO_MOTION if motion is None else round(MOTIONS * motion) for motion in found.motions]
    return _packed(array("H", motions))


def _nights(found: FrameColumns) -> bytes:
    return _runs([*map(night_of, found.brightnesses, found.colours)])


def night_of(brightness: float | None, colour: float | None) -> str:
    """Return ``"night"`` (infrared, or dark) or ``"day"``; empty text where neither is known.

    Pictures by white flash at night count as day.
    """
    if brightness is None:
        return NEITHER_KNOWN
    if brightness < DARK or (colour is not None and colour < INFRARED_COLOUR):
        return NIGHT
    return DAY


LABELS = "label"
COLUMNS: dict[str, Callable[[FrameColumns], bytes]] = {
    "hash": _hashes,
    "time": _times,
    "folder": _folders,
    "camera": _cameras,
    "method": _methods,
    "motion": _motions,
    "night": _nights,
}


def _runs(values: Sequence[str]) -> bytes:
    """Return values as runs of equal ones: each run's length, and its value."""
    turns = compress(range(1, len(values)), map(ne, values, islice(values, 1, None)))
    starts = [0, *turns]
    lengths = array("q", [end - start for start, end in pairwise([*starts, len(values)])])
    numbers: dict[str, int] = {}
    value_numbers = array(
        "q", [numbers.setdefault(values[start], len(numbers)) for start in starts]
    )
    return _with_names(numbers, lengths, value_numbers)


def _with_names(numbers: dict[str, int], first: "array[int]", second: "array[int]") -> bytes:
    """Return two arrays of one length, packed: the length, the arrays, and the numbered names."""
    return (
        _packed(array("q", [len(first)]))
        + _packed(first)
        + _packed(second)
        + json.dumps([*numbers]).encode()
    )


def with_names(data: bytes) -> tuple[memoryview, memoryview, list[str]]:
    """Return the two packed arrays and the names of a column of runs."""
    size = 8 * int.from_bytes(data[:8], "little")
    view = memoryview(data)
    return view[8 : 8 + size], view[8 + size : 8 + 2 * size], json.loads(data[8 + 2 * size :])


def with_labels(data: bytes) -> tuple[list[memoryview], list[str], list[str]]:
    """Return the packed arrays of a column of labels, their names, and their sources."""
    size = 8 * int.from_bytes(data[:8], "little")
    view = memoryview(data)
    starts = range(8, 8 + 4 * size, size) if size else [8] * 4
    names, sources = json.loads(data[8 + 4 * size :])
    return [view[start : start + size] for start in starts], names, sources


def id_at(ids: bytes, rank: int) -> int:
    """Return the id at a rank (from 0) of a column of ids."""
    return int.from_bytes(ids[8 * rank : 8 * rank + 8], "little")


def ids_in_order(columns: Mapping[str, bytes]) -> list[int]:
    """Return the ids of a block's images in natural order, from its lists and its hashes."""
    listed = {name: iter(_unpacked(data)) for name, data in columns.items() if name != "hash"}
    return [
        next(listed[ids_column(bucket)])
        for bucket in buckets(_unpacked(columns["hash"]), BUCKET_BITS)
    ]


def _unpacked(data: bytes) -> "array[int]":
    numbers = array("q", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _packed(numbers: "array[int] | array[float]") -> bytes:
    """Return numbers of 64 bits, little-endian on every machine."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
