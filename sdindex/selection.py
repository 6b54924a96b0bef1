"""Drawing a sample: bucket sizes from SQL, the trim, an even stride through natural order."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from sdindex import archives
from sdindex.batches import batched
from sdindex.buckets import DEFAULT_BITS, HASH_BITS, stride, trim
from sdindex.errors import SampleError
from sdindex.models import archive, image, sampling_position
from sdindex.names import absolute, from_text
from sdindex.natural import path_of
from sdindex.sampling_order import OrderedBucket, available, bucket_of, kept, unsigned

_CHUNK = 5000  # rows asked for at once: below every database's limit of parameters

_COLUMNS = (
    image.c.path,
    image.c.dhash,
    image.c.taken_at,
    image.c.width,
    image.c.height,
    image.c.brightness,
)


@dataclass(frozen=True, slots=True)
class SampledImage:
    """An image of a sample; it can be given to ``open`` as it is.

    Attributes
    ----------
    path
        Absolute, as ``os`` functions take it; bytes that are no text are lone surrogates.
    relative_path
        Relative to the archive's root, with forward slashes.
    archive
        The archive's root.
    bucket
        The leading bits of the hash, as an unsigned number.
    dhash
        The hash as 16 hexadecimal digits.
    taken_at
        EXIF DateTimeOriginal, the camera's local time.
    width, height
        In pixels.
    brightness
        Mean of the grey picture, 0 to 255.
    """

    path: str
    relative_path: str
    archive: str
    bucket: int
    dhash: str
    taken_at: datetime | None
    width: int
    height: int
    brightness: float

    def __fspath__(self) -> str:
        return self.path


def select(
    connection: sa.Connection,
    count: int,
    *,
    bits: int = DEFAULT_BITS,
    under: Sequence[str] = (),
) -> list[SampledImage]:
    """Draw a sample; see `sdindex.Index.select`."""
    if count < 1:
        raise SampleError(f"a sample has at least one image, not {count}")
    order = kept(connection) if bits == DEFAULT_BITS and not under else []
    if order:
        keep = trim({one.bucket: one.images for one in order}, count)
        return _images(connection, _at_positions(connection, order, keep), bits)
    condition = can_be_sampled(connection, under)
    sizes = bucket_sizes(connection, bits, condition)
    keep = trim(sizes, count)
    return _images(connection, _chosen(connection, bits, condition, sizes, keep), bits)


def _at_positions(
    connection: sa.Connection, order: Sequence[OrderedBucket], keep: dict[int, int]
) -> Iterator[int]:
    """Yield the ids of the sample where the images are kept in sampling order."""
    position, image_id = sampling_position.c
    places = chain.from_iterable(
        (one.first_position + place for place in stride(one.images, keep[one.bucket]))
        for one in order
    )
    for chunk in batched(places, _CHUNK):
        yield from connection.scalars(sa.select(image_id).where(position.in_(chunk)))


def hashes(connection: sa.Connection, files: Sequence[str]) -> dict[str, int]:
    """Return the hash of each of those files that was read; see `sdindex.Index.hashes`."""
    known = archives.all_archives(connection)
    files_of: dict[archives.Archive, dict[str, str]] = defaultdict(dict)
    for file in files:
        part = archives.locate(file, known)
        if part is not None:
            files_of[part.archive][part.under[:-1]] = file
    found: dict[str, int] = {}
    for one, by_path in files_of.items():
        for chunk in batched(by_path, _CHUNK):
            rows = connection.execute(
                sa.select(image.c.path, image.c.dhash).where(
                    image.c.archive_id == one.id, image.c.path.in_(chunk), available()
                )
            )
            found.update((by_path[path], dhash) for path, dhash in rows)
    return found


def can_be_sampled(connection: sa.Connection, under: Sequence[str] = ()) -> sa.ColumnElement[bool]:
    """Return the condition that a row of ``image`` can be sampled.

    It was read, is present, and is below one of the folders `under`, where there are any.

    Raises
    ------
    ArchiveError
        When the index holds no image below one of the folders.
    """
    if not under:
        return available()
    parts = archives.parts_under(connection, under)
    return available() & sa.or_(*(part.images() for part in parts))


@dataclass(frozen=True, slots=True)
class Bucket:
    """The images that share the leading bits of their hashes.

    Attributes
    ----------
    bucket
        Those bits, as an unsigned number.
    bits
        The same, as zeros and ones.
    images
        How many images there are.
    keeps
        How many of them a sample of the size that was asked for keeps.
    first_path
        The first in natural order, relative to its archive.
    """

    bucket: int
    bits: str
    images: int
    keeps: int
    first_path: str


def buckets(
    connection: sa.Connection,
    count: int | None = None,
    *,
    bits: int = DEFAULT_BITS,
    under: Sequence[str] = (),
) -> list[Bucket]:
    """Return the buckets in the order of their numbers; see `sdindex.Index.buckets`."""
    held = _buckets(connection, bits, can_be_sampled(connection, under))
    sizes = {number: images for number, (images, _) in held.items()}
    keeps = sizes if count is None else trim(sizes, count)
    return [
        Bucket(number, f"{number:0{bits}b}", images, keeps[number], first_path)
        for number, (images, first_path) in sorted(held.items())
    ]


def bucket_sizes(
    connection: sa.Connection, bits: int, condition: sa.ColumnElement[bool]
) -> dict[int, int]:
    """Return how many images each bucket has, by its unsigned number.

    Raises
    ------
    SampleError
        When hashes of two methods would be mixed.
    """
    held = _buckets(connection, bits, condition)
    return {number: images for number, (images, _) in held.items()}


def _buckets(
    connection: sa.Connection, bits: int, condition: sa.ColumnElement[bool]
) -> dict[int, tuple[int, str]]:
    """Return the images, and the path of the first, of each bucket by its unsigned number."""
    bucket = bucket_of(bits)
    rows = connection.execute(
        sa.select(bucket, image.c.method, sa.func.count(), sa.func.min(image.c.sort_key))
        .join(archive, archive.c.id == image.c.archive_id)
        .where(condition)
        .group_by(archive.c.sort_key, bucket, image.c.method)
        .order_by(archive.c.sort_key)
    )
    held: dict[int, tuple[int, str]] = {}
    methods: dict[str, int] = defaultdict(int)
    for number, method, images, first_key in rows:
        others, first_path = held.get(unsigned(number), (0, path_of(first_key)))
        held[unsigned(number)] = (others + images, first_path)
        methods[method] += images
    if len(methods) > 1:
        named = ", ".join(f"{images:,} {method}" for method, images in sorted(methods.items()))
        raise SampleError(
            f"hashes of two methods do not mix in one sample ({named}); bring all archives to "
            "one with: sdindex index --method METHOD FOLDER, or choose some with --under"
        )
    return held


def _chosen(
    connection: sa.Connection,
    bits: int,
    condition: sa.ColumnElement[bool],
    sizes: dict[int, int],
    keep: dict[int, int],
) -> Iterator[int]:
    """Yield the ids of the sample, bucket by bucket."""
    bucket = bucket_of(bits)
    rows = connection.execute(
        sa.select(bucket, image.c.id)
        .join(archive, archive.c.id == image.c.archive_id)
        .where(condition)
        .order_by(bucket, archive.c.sort_key, image.c.sort_key)
        .execution_options(yield_per=10_000)
    )
    for number, of_bucket in groupby(rows, key=itemgetter(0)):
        places = set(stride(sizes[unsigned(number)], keep[unsigned(number)]))
        yield from (row_id for place, (_, row_id) in enumerate(of_bucket) if place in places)


def _images(connection: sa.Connection, ids: Iterable[int], bits: int) -> list[SampledImage]:
    """Return the images of those ids in natural order."""
    placed = []
    for chunk in batched(ids, _CHUNK):
        rows = connection.execute(
            sa.select(archive.c.sort_key, image.c.sort_key, archive.c.root, *_COLUMNS)
            .join(archive, archive.c.id == image.c.archive_id)
            .where(image.c.id.in_(chunk))
        )
        placed += [(root_key, key, _image(row, bits)) for root_key, key, *row in rows]
    placed.sort(key=itemgetter(0, 1))
    return [one for _, _, one in placed]


def _image(row: Sequence[Any], bits: int) -> SampledImage:
    stored_root, stored_path, dhash, taken_at, width, height, brightness = row
    root = os.path.normpath(from_text(stored_root))
    pattern = unsigned(dhash)
    return SampledImage(
        path=absolute(root, stored_path),
        relative_path=from_text(stored_path),
        archive=root,
        bucket=pattern >> (HASH_BITS - bits),
        dhash=f"{pattern:016x}",
        taken_at=taken_at,
        width=width,
        height=height,
        brightness=brightness,
    )
