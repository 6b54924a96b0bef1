"""`SampledImage`: the images of a sample, fetched by id with all that is known, or only paths."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa

from sdindex.archive.names import from_text
from sdindex.archive.roots import Root, root_of, stored_root
from sdindex.errors import IndexUnusableError, SampleError
from sdindex.hashing import bits as hash_bits
from sdindex.store import archives
from sdindex.store.database import Session, Store
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.tables import WrongValueError, archive, from_json, image, label

AT_ONCE = 20_000  # paths that are kept in memory
_COLUMNS = (
    image.c.path,
    image.c.dhash,
    image.c.taken_at,
    image.c.width,
    image.c.height,
    image.c.brightness,
    image.c.motion,
    image.c.camera,
)


class Box(NamedTuple):
    """The box of a label in an image: fractions of its width and height, from the top left."""

    label: str
    x: float
    y: float
    width: float
    height: float


class SaidLabel(NamedTuple):
    """A label of an image from a source: one for each box.

    Attributes
    ----------
    confidence
        0 to 1; None where none is given.
    is_human
        Whether a person gave it, as far as its file tells.
    box
        Its box, or None.
    """

    label: str
    confidence: float | None
    source: str
    is_human: bool
    box: Box | None


@dataclass(frozen=True, slots=True)
class SampledImage:
    """An image of a sample; it can be given to ``open`` as it is.

    Attributes
    ----------
    path
        Absolute, as ``os`` functions take it; bytes that are no UTF-8 are lone surrogates.
    relative_path
        Relative to the archive's root, with forward slashes.
    archive
        The archive's root.
    bucket
        The bits of the hash that make the bucket, as an unsigned number.
    dhash
        The hash as 16 hexadecimal digits.
    taken_at
        EXIF DateTimeOriginal, by the camera's clock, without a time zone; or None.
    width, height
        In pixels, of the picture as it is shown: turned as EXIF says.
    brightness
        The mean of the grey picture, 0 to 255.
    motion
        How much the picture differs from the images before and after it, 0 to 1; None where none is
        within 60 s.
    camera
        The camera's folder, relative to the archive, or its name: see `sdindex.Camera`.
    labels
        Each once, in alphabetical order.
    burst, event
        The archive-relative paths of the first image of its burst, and of its event; None where
        they were not asked for.
    number_in_burst, burst_size
        Which image of its burst it is, counted from 1, and how many images the burst has; None
        where `burst` is None.
    boxes
        The boxes of labels; a label may have several.
    said
        Each label with its source, confidence and box.
    split
        The part that it is in of a split sample, such as ``"train"``; None without a split.
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
    motion: float | None
    camera: str
    labels: tuple[str, ...]
    burst: str | None
    event: str | None
    number_in_burst: int | None = None
    burst_size: int | None = None
    boxes: tuple[Box, ...] = ()
    said: tuple[SaidLabel, ...] = ()
    split: str | None = None

    def __fspath__(self) -> str:
        return self.path


class UnitsTold(NamedTuple):
    """The burst and the event of each image, by its id.

    Attributes
    ----------
    bursts, events
        The id of the first image of each image's burst, and event.
    places
        Which image of its burst it is, counted from 1, and the burst's size.
    """

    bursts: Mapping[int, int | None] = MappingProxyType({})
    events: Mapping[int, int | None] = MappingProxyType({})
    places: Mapping[int, tuple[int, int]] = MappingProxyType({})


NOTHING_TOLD = UnitsTold()


class Heard(NamedTuple):
    """Which labels count: of these sources (all, if none), of at least this confidence."""

    sources: Sequence[str] = ()
    min_confidence: float = 0

    def condition(self) -> sa.ColumnElement[bool]:
        """Return the condition that a row of ``label`` counts."""
        of_sources = label.c.source.in_(self.sources) if self.sources else sa.true()
        # As in the frame, a label without a confidence counts as 1.
        return of_sources & (sa.func.coalesce(label.c.confidence, 1.0) >= self.min_confidence)


EVERYTHING = Heard()


def paths_by_id(session: Session, ids: Iterable[int], *, relative: bool) -> Iterator[str]:
    """Yield the paths of images, in the order of `ids`, as they are fetched.

    They are absolute, or relative to the roots of their archives.
    """
    location = {known.id: root_of(known.root).location for known in archives.all_archives(session)}
    for chunk in batched(ids, PARAMETERS):
        statement = sa.select(image.c.id, image.c.archive_id, image.c.path).where(
            has_id(image.c.id, chunk)
        )
        found = {row[0]: row for row in session.rows(statement) if row[1] in location}
        _require_all(chunk, found)
        rows = [found[row_id] for row_id in chunk]
        if relative:
            yield from [from_text(path) for _, _, path in rows]
        else:
            yield from [location[archive_id](path) for _, archive_id, path in rows]


def paths_later(store: Store, ids: Sequence[int], *, relative: bool) -> Iterator[str]:
    """Yield paths as `paths_by_id` does, without a transaction that is open all the time.

    Paths are fetched in parts, each in a session that ends before the paths are taken: the index
    may be written meanwhile.

    Raises
    ------
    SampleError
        When the index no longer has one of them.
    """
    for first in range(0, len(ids), AT_ONCE):
        try:
            with store.reading() as session:
                found = [*paths_by_id(session, ids[first : first + AT_ONCE], relative=relative)]
        except IndexUnusableError as problem:
            raise SampleError(
                f"the index is another one since it was searched: search again ({problem})"
            ) from problem
        yield from found


class Located(NamedTuple):
    """An image by its id, and where it is."""

    id: int
    path: str
    relative_path: str
    archive: str


def located(session: Session, ids: Sequence[int]) -> list[Located]:
    """Return where images are (a batch at most), in the order of `ids`."""
    roots = {known.id: root_of(known.root) for known in archives.all_archives(session)}
    statement = sa.select(image.c.id, image.c.archive_id, image.c.path)
    found = {
        row_id: Located(
            row_id,
            roots[archive_id].location(path),
            from_text(path),
            roots[archive_id].location(),
        )
        for row_id, archive_id, path in session.rows(statement.where(has_id(image.c.id, ids)))
        if archive_id in roots
    }
    _require_all(ids, found)
    return [found[row_id] for row_id in ids]


def archives_of(session: Session, ids: Iterable[int] | None) -> set[str]:
    """Return the roots of the archives of images; without ids, of all archives."""
    roots = {known.id: root_of(known.root).location() for known in archives.all_archives(session)}
    if ids is None:
        return set(roots.values())
    found: set[int] = set()
    for chunk in batched(ids, PARAMETERS):
        of_ids = sa.select(image.c.archive_id).where(has_id(image.c.id, chunk)).distinct()
        found.update(session.scalars(of_ids))
    return {root for archive_id, root in roots.items() if archive_id in found}


def by_id(
    session: Session,
    ids: Iterable[int],
    leading: Sequence[int],
    units: UnitsTold = NOTHING_TOLD,
    splits: Mapping[int, str | None] | None = None,
    heard: Heard = EVERYTHING,
) -> list[SampledImage]:
    """Return the images of these ids, in their order; `leading` bits of the hash make the bucket.

    `splits` are the parts of a split sample, by image id. Only labels that `heard` counts are
    given.
    """
    found: list[SampledImage] = []
    root_from = cache(stored_root)
    path_of = _paths(session, {*units.bursts.values(), *units.events.values()})
    for chunk in batched(ids, PARAMETERS):
        said = _said(session, chunk, heard)
        rows = session.rows(
            sa.select(image.c.id, archive.c.root, *_COLUMNS)
            .join(archive, archive.c.id == image.c.archive_id)
            .where(has_id(image.c.id, chunk), image.c.dhash.is_not(None))
        )
        images = {
            row_id: _image(
                root_from(root),
                row,
                leading,
                said=said.get(row_id, ()),
                burst=path_of.get(units.bursts.get(row_id)),
                event=path_of.get(units.events.get(row_id)),
                place=units.places.get(row_id, (None, None)),
                split=None if splits is None else splits.get(row_id),
            )
            for row_id, root, *row in rows
        }
        _require_all(chunk, images)
        found += [images[row_id] for row_id in chunk]
    return found


def _require_all(ids: Iterable[int], images: Collection[int]) -> None:
    if not all(map(images.__contains__, ids)):
        raise WrongValueError("the frame lists images that the index does not have")


def _said(session: Session, ids: Sequence[int], heard: Heard) -> dict[int, tuple[SaidLabel, ...]]:
    """Return the labels of images, by image id, as they were stored."""
    said: dict[int, tuple[SaidLabel, ...]] = defaultdict(tuple)
    names = ("label", "confidence", "source", "human", "bbox")
    rows = session.rows(
        sa.select(label.c.image_id, *(label.c[name] for name in names))
        .where(has_id(label.c.image_id, ids), label.c.label.is_not(None), heard.condition())
        .order_by(label.c.id)
    )
    for row_id, name, confidence, source, human, bbox in rows:
        box = None if bbox is None else _box(name, bbox)
        said[row_id] += (SaidLabel(name, confidence, source, bool(human), box),)
    return said


def _box(name: str, bbox: str) -> Box:
    try:
        return Box(name, *map(float, from_json(bbox, list)))
    except (TypeError, ValueError) as problem:
        raise WrongValueError(f"{bbox!r} is no box") from problem


def _paths(session: Session, ids: Iterable[int | None]) -> dict[int | None, str]:
    """Return the relative paths of images, by their ids."""
    known = (row_id for row_id in ids if row_id is not None)
    return {
        row_id: from_text(path)
        for chunk in batched(known, PARAMETERS)
        for row_id, path in session.rows(
            sa.select(image.c.id, image.c.path).where(has_id(image.c.id, chunk))
        )
    }


def _image(
    root: Root,
    row: Sequence[Any],
    leading: Sequence[int],
    *,
    place: tuple[int | None, int | None],
    said: Sequence[SaidLabel],
    **known: Any,
) -> SampledImage:
    stored_path, dhash, taken_at, width, height, brightness, motion, camera = row
    return SampledImage(
        path=root.location(stored_path),
        relative_path=from_text(stored_path),
        archive=root.location(),
        bucket=hash_bits.bits_at(dhash, leading),
        dhash=hash_bits.to_hex(dhash),
        taken_at=taken_at,
        width=width,
        height=height,
        brightness=brightness,
        motion=motion,
        camera=from_text(camera),
        number_in_burst=place[0],
        burst_size=place[1],
        labels=tuple(sorted({each.label for each in said})),
        # Two sources may give the same box.
        boxes=tuple(dict.fromkeys(each.box for each in said if each.box is not None)),
        said=tuple(said),
        **known,
    )
