"""Drawing a sample: bucket sizes from SQL, the trim, an even stride through natural order."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sdindex.archive.names import absolute, from_text
from sdindex.errors import IndexUnusableError, SampleError
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.trim import DEFAULT_BITS, HASH_BITS, trim
from sdindex.store import archives, frames, plain, samples
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.frames import available
from sdindex.store.lookup import NOTHING_LISTED, Listed
from sdindex.store.tables import archive, image, label

if TYPE_CHECKING:
    from sdindex.sampling.sample import Candidates, Drawn

_PLAIN = 20_000  # images of a plain sample that are quicker looked up than taken from the frame

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


@dataclass(frozen=True, slots=True)
class ImagePath:
    """Where an image is: `archive` is its root, `stored` its path there, in stored form."""

    archive: str
    stored: str

    @property
    def path(self) -> str:
        """Absolute, as ``os`` functions take it."""
        return absolute(self.archive, self.stored)

    @property
    def relative_path(self) -> str:
        """Relative to the archive's root, with forward slashes."""
        return from_text(self.stored)


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
    ids, bursts = _kept(session, count, options, listed, save)
    burst_of = dict(zip(ids, bursts, strict=True)) if bursts else {}
    return by_id(session, ids, options.bits, burst_of)


def paths(
    session: Session,
    count: int,
    options: SampleOptions,
    listed: Listed = NOTHING_LISTED,
    *,
    save: str | None = None,
) -> Iterator[ImagePath]:
    """Yield where the images of a sample are, as they are fetched; see `sdindex.Index.paths`."""
    ids, _ = _kept(session, count, options, listed, save)
    roots = {one.id: one.root for one in archives.all_archives(session)}
    for chunk in batched(ids, PARAMETERS):
        statement = sa.select(image.c.id, image.c.archive_id, image.c.path).where(
            image.c.id.in_(chunk)
        )
        found = {row_id: (of, path) for row_id, of, path in session.rows(statement)}
        _require_all(chunk, found)
        for row_id in chunk:
            of, path = found[row_id]
            yield ImagePath(roots[of], path)


def _kept(
    session: Session, count: int, options: SampleOptions, listed: Listed, save: str | None
) -> tuple[list[int], list[int] | None]:
    _require(count)
    if save is not None:
        samples.require_new(session, save)
    ids, bursts = _drawn(session, count, options, listed)
    if save is not None:
        samples.save(session, save, count, options, ids, bursts)
    return ids, bursts


def saved(session: Session, name: str) -> list[SampledImage]:
    """Return the images of a saved sample that are there; see `sdindex.Index.sample`."""
    bits = samples.options_of(session, name).get("bits", DEFAULT_BITS)
    burst_of = samples.bursts_of(session, name)
    ids = _in_order(session, samples.present(session, burst_of))
    return by_id(session, ids, bits, burst_of)


def saved_ids(session: Session, name: str) -> tuple[list[int], SampleOptions]:
    """Return the ids of a saved sample's images that are there, and how it was grouped."""
    ids = samples.present(session, samples.bursts_of(session, name))
    kept = samples.options_of(session, name)
    grouped = {one: kept[one] for one in ("bits", "burst_distance") if one in kept}
    return sorted(ids), SampleOptions(**grouped)


def _drawn(
    session: Session, count: int, options: SampleOptions, listed: Listed
) -> tuple[list[int], list[int] | None]:
    """Return the ids of a sample, in natural order, and the burst of each where it is of bursts."""
    if options.is_plain and count <= _PLAIN and frames.is_current(session):
        sizes = plain.bucket_sizes(session)
        plain.refuse_mixed_methods(session)
        ids = plain.ids_by_stride(session, sizes, trim(sizes, count))
        return _in_order(session, ids), None
    from sdindex.store.candidates import candidates  # numpy

    found = candidates(session, options, listed=listed)
    drawn = drawn_from(found, count, options)
    bursts = None if drawn.bursts is None else drawn.bursts.tolist()
    return found.frame.ids[drawn.positions].tolist(), bursts


def drawn_from(found: "Candidates", count: int, options: SampleOptions) -> "Drawn":
    """Return the sample of these images."""
    from sdindex.sampling.sample import draw

    _require(count)
    distance = options.burst_distance if options.unit == "burst" else None
    return draw(found, count, bits=options.bits, distance=distance)


def _require(count: int) -> None:
    if count < 1:
        raise SampleError(f"a sample has at least one image, not {count}")


def _in_order(session: Session, ids: Iterable[int]) -> list[int]:
    """Return ids in the natural order of their images."""
    keys = [
        row
        for chunk in batched(ids, PARAMETERS)
        for row in session.rows(
            sa.select(archive.c.sort_key, image.c.sort_key, image.c.id)
            .join(archive, archive.c.id == image.c.archive_id)
            .where(image.c.id.in_(chunk))
        )
    ]
    return [row_id for _, _, row_id in sorted(keys)]


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
    from sdindex.store.candidates import candidates  # numpy

    sizes, first_ids = candidates(session, options).frame.bucket_sizes(options.bits)
    paths = _paths(session, first_ids.values())
    keeps = sizes if count is None else trim(sizes, count)
    return [
        Bucket(
            number, f"{number:0{options.bits}b}", images, keeps[number], paths[first_ids[number]]
        )
        for number, images in sizes.items()
    ]


def _paths(session: Session, ids: Iterable[int]) -> dict[int, str]:
    """Return the relative paths of images, by their ids."""
    return {
        row_id: from_text(path)
        for chunk in batched(ids, PARAMETERS)
        for row_id, path in session.rows(
            sa.select(image.c.id, image.c.path).where(image.c.id.in_(chunk))
        )
    }


def by_id(
    session: Session, ids: Iterable[int], bits: int, burst_of: Mapping[int, int | None]
) -> list[SampledImage]:
    """Return the images of those ids, in their order."""
    found: list[SampledImage] = []
    for chunk in batched(ids, PARAMETERS):
        labels = _labels(session, chunk)
        rows = session.rows(
            sa.select(image.c.id, archive.c.root, *_COLUMNS)
            .join(archive, archive.c.id == image.c.archive_id)
            .where(image.c.id.in_(chunk))
        )
        images = {
            row_id: _image(row, bits, labels.get(row_id, ()), burst_of.get(row_id))
            for row_id, *row in rows
        }
        _require_all(chunk, images)
        found += [images[row_id] for row_id in chunk]
    return found


def _require_all(ids: Iterable[int], images: Collection[int]) -> None:
    if not set(ids) <= set(images):
        raise IndexUnusableError(
            "the index is damaged: its frame lists images that it does not have, as when another "
            "program deletes rows; restore a copy, or name another with --db"
        )


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
    pattern = dhash % (1 << HASH_BITS)
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
