"""Drawing a sample: bucket sizes from SQL, the trim, an even stride through natural order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sdindex.arguments import DEFAULT_BITS
from sdindex.sampling.options import Count, SampleOptions, images_wanted
from sdindex.sampling.trim import trim
from sdindex.store import frames, plain, samples
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.frames import available
from sdindex.store.lookup import NOTHING_LISTED, Listed
from sdindex.store.sampled import SampledImage, by_id, paths_by_id
from sdindex.store.tables import archive, image

if TYPE_CHECKING:
    from sdindex.sampling.sample import Candidates, Drawn

_PLAIN = 20_000  # images of a plain sample that are quicker looked up than taken from the frame


def select(
    session: Session,
    count: Count,
    options: SampleOptions,
    listed: Listed = NOTHING_LISTED,
    *,
    save: str | None = None,
) -> list[SampledImage]:
    """Draw a sample, and keep it where it has a name; see `sdindex.Index.select`.

    `listed` is what the lists of the options mean.
    """
    ids, bursts = drawn_ids(session, count, options, listed, save=save)
    burst_of = dict(zip(ids, bursts, strict=True)) if bursts else {}
    return by_id(session, ids, options.bits, burst_of)


def drawn_ids(
    session: Session,
    count: Count,
    options: SampleOptions,
    listed: Listed,
    *,
    save: str | None,
) -> tuple[list[int], list[int] | None]:
    """Return the ids of a sample, and the burst of each where it is of bursts; keep it if named."""
    if save is not None:
        samples.require_new(session, save)
    asked, ids, bursts = _drawn(session, count, options, listed)
    if save is not None:
        samples.save(session, save, asked, options, ids, bursts)
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
    grouped = {name: kept[name] for name in ("bits", "burst_distance") if name in kept}
    return sorted(ids), SampleOptions(**grouped)


def _drawn(
    session: Session, count: Count, options: SampleOptions, listed: Listed
) -> tuple[int, list[int], list[int] | None]:
    """Return how many images are asked for, the ids of those drawn, and the burst of each, if any.

    The ids are in the natural order of the images.
    """
    if options.is_plain and frames.is_current(session):
        sizes = plain.bucket_sizes(session)
        asked = images_wanted(count, sum(sizes.values()))
        if asked <= _PLAIN:
            plain.refuse_mixed_methods(session)
            ids = plain.ids_by_stride(session, sizes, trim(sizes, asked))
            return asked, _in_order(session, ids), None
    from sdindex.store.candidates import candidates  # numpy

    found = candidates(session, options, listed=listed)
    drawn = drawn_from(found, count, options)
    bursts = None if drawn.bursts is None else drawn.bursts.tolist()
    asked = images_wanted(count, found.images)
    return asked, found.frame.ids[drawn.positions].tolist(), bursts


def drawn_from(found: "Candidates", count: Count, options: SampleOptions) -> "Drawn":
    """Return the sample of these images."""
    from sdindex.sampling.sample import draw

    distance = options.burst_distance if options.unit == "burst" else None
    return draw(found, images_wanted(count, found.images), bits=options.bits, distance=distance)


def _in_order(session: Session, ids: Iterable[int]) -> list[int]:
    """Return ids in the natural order of their images."""
    keys = [
        row
        for chunk in batched(ids, PARAMETERS)
        for row in session.rows(
            sa.select(archive.c.sort_key, image.c.sort_key, image.c.id)
            .join(archive, archive.c.id == image.c.archive_id)
            .where(has_id(image.c.id, chunk))
        )
    ]
    return [row_id for _, _, row_id in sorted(keys)]


def hashes(session: Session, ids: Iterable[int]) -> dict[int, int]:
    """Return the hash of each of those images that was read, and is there, by its id."""
    found: dict[int, int] = {}
    for chunk in batched(set(ids), PARAMETERS):
        statement = sa.select(image.c.id, image.c.dhash).where(
            has_id(image.c.id, chunk), available()
        )
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


def buckets(session: Session, count: Count | None, options: SampleOptions) -> list[Bucket]:
    """Return the buckets in the order of their numbers; see `sdindex.Index.buckets`."""
    from sdindex.store.candidates import candidates  # numpy

    sizes, first_ids = candidates(session, options).frame.bucket_sizes(options.bits)
    paths = paths_by_id(session, first_ids.values(), relative=True)
    path_of = dict(zip(first_ids, paths, strict=True))
    asked = None if count is None else images_wanted(count, sum(sizes.values()))
    keeps = sizes if asked is None else trim(sizes, asked)
    return [
        Bucket(number, f"{number:0{options.bits}b}", images, keeps[number], path_of[number])
        for number, images in sizes.items()
    ]
