"""Drawing a sample: bucket sizes from SQL, the trim, an even stride through natural order."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from sdindex.archive.names import absolute, from_text
from sdindex.archive.natural import path_of
from sdindex.errors import SampleError
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.sample import Candidates, draw
from sdindex.sampling.trim import DEFAULT_BITS, HASH_BITS, stride, trim
from sdindex.store import samples
from sdindex.store.candidates import candidates, drawable, refuse_to_mix
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, no_garbage_collection
from sdindex.store.frames import OrderedBucket, available, bucket_of, kept, unsigned
from sdindex.store.lookup import NOTHING_LISTED, Listed
from sdindex.store.tables import archive, image, label, sampling_position

_COLUMNS = (
    image.c.path,
    image.c.dhash,
    image.c.taken_at,
    image.c.width,
    image.c.height,
    image.c.brightness,
    image.c.camera,
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
    camera
        The camera's folder, relative to the archive and empty for its root, or its name.
    labels
        Each once, in alphabetical order.
    burst
        The same number for the images of one burst; None where none were looked for.
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
    camera: str
    labels: tuple[str, ...]
    burst: int | None

    def __fspath__(self) -> str:
        return self.path


def select(
    session: Session,
    count: int,
    options: SampleOptions,
    listed: Listed = NOTHING_LISTED,
    *,
    save: str | None = None,
) -> list[SampledImage]:
    """Draw a sample, and keep it where it has a name; see `sdindex.Index.select`.

    `listed` is what the lists of the options mean.
    """
    _require(count)
    if save is not None:
        samples.require_new(session, save)
    ids, bursts = _drawn(session, count, options, listed)
    if save is not None:
        samples.save(session, save, count, options, ids, bursts)
    burst_of = dict(zip(ids, bursts, strict=True)) if bursts else {}
    return by_id(session, ids, options.bits, burst_of)


def saved(session: Session, name: str) -> list[SampledImage]:
    """Return the images of a saved sample that are there; see `sdindex.Index.sample`."""
    bits = samples.options_of(session, name).get("bits", DEFAULT_BITS)
    burst_of = samples.bursts_of(session, name)
    return by_id(session, samples.present(session, burst_of), bits, burst_of)


def saved_ids(session: Session, name: str) -> tuple[list[int], SampleOptions]:
    """Return the ids of a saved sample's images that are there, and how it was grouped."""
    ids = samples.present(session, samples.bursts_of(session, name))
    kept = samples.options_of(session, name)
    grouped = {one: kept[one] for one in ("bits", "burst_distance") if one in kept}
    return sorted(ids), SampleOptions(**grouped)


def _drawn(
    session: Session, count: int, options: SampleOptions, listed: Listed
) -> tuple[list[int], list[int] | None]:
    """Return the ids of a sample and, where it is of bursts, the burst of each."""
    order = kept(session) if options.is_plain else []
    if not order:
        with no_garbage_collection():
            return drawn_from(candidates(session, options, listed), count, options)
    keep = trim({one.bucket: one.images for one in order}, count)
    return list(_at_positions(session, order, keep)), None


def drawn_from(
    found: Candidates, count: int, options: SampleOptions
) -> tuple[list[int], list[int] | None]:
    """Return the ids of a sample of these images and, where it is of bursts, the burst of each."""
    _require(count)
    distance = options.burst_distance if options.unit == "burst" else None
    chosen = draw(found, count, bits=options.bits, distance=distance)
    return [found.ids[place] for place in chosen.places], chosen.bursts


def _require(count: int) -> None:
    if count < 1:
        raise SampleError(f"a sample has at least one image, not {count}")


def _at_positions(
    session: Session, order: Sequence[OrderedBucket], keep: dict[int, int]
) -> Iterator[int]:
    """Yield the ids of the sample where the images are kept in sampling order."""
    position, image_id = sampling_position.c
    places = chain.from_iterable(
        (one.first_position + place for place in stride(one.images, keep[one.bucket]))
        for one in order
    )
    for chunk in batched(places, PARAMETERS):
        yield from session.scalars(sa.select(image_id).where(position.in_(chunk)))


def hashes(session: Session, ids: Iterable[int]) -> dict[int, int]:
    """Return the hash of each of those images that was read, and is there, by its id."""
    found: dict[int, int] = {}
    for chunk in batched(set(ids), PARAMETERS):
        statement = sa.select(image.c.id, image.c.dhash).where(image.c.id.in_(chunk), available())
        found.update(session.rows(statement))
    return found


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


def buckets(session: Session, count: int | None, options: SampleOptions) -> list[Bucket]:
    """Return the buckets in the order of their numbers; see `sdindex.Index.buckets`."""
    held = _buckets(session, options.bits, drawable(session, options))
    sizes = {number: images for number, (images, _) in held.items()}
    keeps = sizes if count is None else trim(sizes, count)
    return [
        Bucket(number, f"{number:0{options.bits}b}", images, keeps[number], first_path)
        for number, (images, first_path) in sorted(held.items())
    ]


def _buckets(
    session: Session, bits: int, condition: sa.ColumnElement[bool]
) -> dict[int, tuple[int, str]]:
    """Return the images, and the path of the first, of each bucket by its unsigned number."""
    bucket = bucket_of(bits)
    rows = session.execute(
        sa.select(bucket, image.c.method, sa.func.count(), sa.func.min(image.c.sort_key))
        .join(archive, archive.c.id == image.c.archive_id)
        .where(condition)
        .group_by(archive.c.sort_key, bucket, image.c.method)
        .order_by(archive.c.sort_key)
    )
    held: dict[int, tuple[int, str]] = {}
    methods = Counter[str]()
    for number, method, images, first_key in rows:
        others, first_path = held.get(unsigned(number), (0, path_of(first_key)))
        held[unsigned(number)] = (others + images, first_path)
        methods[method] += images
    refuse_to_mix(methods)
    return held


def by_id(
    session: Session, ids: Iterable[int], bits: int, burst_of: Mapping[int, int | None]
) -> list[SampledImage]:
    """Return the images of those ids in natural order."""
    placed = []
    for chunk in batched(ids, PARAMETERS):
        labels = _labels(session, chunk)
        rows = session.execute(
            sa.select(archive.c.sort_key, image.c.sort_key, image.c.id, archive.c.root, *_COLUMNS)
            .join(archive, archive.c.id == image.c.archive_id)
            .where(image.c.id.in_(chunk))
        )
        placed += [
            (root_key, key, _image(row, bits, labels.get(row_id, ()), burst_of.get(row_id)))
            for root_key, key, row_id, *row in rows
        ]
    placed.sort(key=itemgetter(0, 1))
    return [one for _, _, one in placed]


def _labels(session: Session, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    labels: dict[int, tuple[str, ...]] = defaultdict(tuple)
    rows = session.execute(
        sa.select(label.c.image_id, label.c.label)
        .where(label.c.image_id.in_(ids), label.c.label.is_not(None))
        .distinct()
        .order_by(label.c.label)
    )
    for row_id, name in rows:
        labels[row_id] += (name,)
    return labels


def _image(
    row: Sequence[Any], bits: int, labels: tuple[str, ...], burst: int | None
) -> SampledImage:
    stored_root, stored_path, dhash, taken_at, width, height, brightness, camera = row
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
        camera=from_text(camera),
        labels=labels,
        burst=burst,
    )
