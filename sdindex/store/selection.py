"""Drawing a sample: bucket sizes from SQL, the trim, an even stride through natural order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import sqlalchemy as sa

from sdindex.sampling.count import Count, images_wanted
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.order import known_bits
from sdindex.sampling.trim import trim
from sdindex.store import frames, plain, samples
from sdindex.store.agreement import natural_order
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.frames import available
from sdindex.store.lookup import NOTHING_LISTED, Listed
from sdindex.store.sampled import Heard, SampledImage, UnitsTold, by_id, paths_by_id
from sdindex.store.tables import WrongValueError, image

_PLAIN = 20_000  # images: up to these, looking them up is quicker than the frame
# The options of a saved sample that say how its images are grouped.
_GROUPING = ("bits", "order", "unit", "burst_seconds", "burst_distance", "event_minutes")


class Selected(NamedTuple):
    """A drawn sample, as ids.

    Attributes
    ----------
    ids
        The ids of its images, in natural order.
    units
        The id of the first image of each one's burst or event; None where single images were drawn.
    asked
        How many images were asked for.
    images
        How many there were to draw from.
    options
        The options by which it can be drawn again.
    """

    ids: list[int]
    units: list[int] | None
    asked: int
    images: int
    options: SampleOptions


def select(
    session: Session,
    count: Count,
    options: SampleOptions,
    listed: Listed = NOTHING_LISTED,
    *,
    save: str | None = None,
    with_bursts: bool = False,
    when_drawn: Callable[[str], object] | None = None,
) -> list[SampledImage]:
    """Draw a sample, and save it if it has a name; see `sdindex.Index.select`.

    `listed` are the images of the options' lists; `with_bursts` gives images bursts and events.
    """
    found = _named(session, count, options, listed, save, when_drawn)
    units = dict(zip(found.ids, found.units, strict=True)) if found.units else {}
    images = _images(session, found.ids, found.options, units, with_bursts=with_bursts)
    _save(session, save, found)
    return images


def drawn_ids(
    session: Session,
    count: Count,
    options: SampleOptions,
    listed: Listed,
    *,
    save: str | None,
    when_drawn: Callable[[str], object] | None = None,
) -> Selected:
    """Draw a sample, and save it if it has a name; `when_drawn` is called with a line about it."""
    found = _named(session, count, options, listed, save, when_drawn)
    _save(session, save, found)
    return found


def _save(session: Session, name: str | None, found: Selected) -> None:
    """Save a sample if it has a name. Done last: the session then sees the newest state."""
    if name is not None:
        samples.save(session, name, found.asked, found.options, found.ids, found.units)


def _named(
    session: Session,
    count: Count,
    options: SampleOptions,
    listed: Listed,
    name: str | None,
    when_drawn: Callable[[str], object] | None,
) -> Selected:
    """Draw a sample, after checking the name that it is to get."""
    if name is not None:
        samples.require_new(session, name)
    found = _drawn(session, count, options, listed)
    if when_drawn is not None:
        from sdindex.store.units_told import line  # numpy

        when_drawn(line(session, found.ids, found.images, options))
    return found


def saved(
    session: Session, name: str, *, with_bursts: bool = False, split: str | None = None
) -> list[SampledImage]:
    """Return the present images of a saved sample; see `sdindex.Index.sample`."""
    units = samples.bursts_of(session, name)
    parts = samples.parts_of(session, name, split)
    wanted = units.keys() if split is None else parts.keys()
    ids = natural_order(session, samples.present(session, wanted))
    if not samples.has_ids_of_bursts(session, name):
        units = {}
    options = grouped_as(session, name)
    return _images(session, ids, options, units, with_bursts=with_bursts, parts=parts)


def saved_ids(session: Session, name: str) -> tuple[list[int], SampleOptions]:
    """Return the ids of a saved sample's present images, and its options of grouping."""
    ids = samples.present(session, samples.bursts_of(session, name))
    return sorted(ids), replace(grouped_as(session, name), unit="image")


def grouped_as(session: Session, name: str) -> SampleOptions:
    """Return those of a saved sample's options that say how its images were grouped."""
    kept = samples.options_of(session, name)
    return SampleOptions(**{name: kept[name] for name in _GROUPING if name in kept})


def _images(
    session: Session,
    ids: Sequence[int],
    options: SampleOptions,
    units: Mapping[int, int | None],
    *,
    with_bursts: bool,
    parts: Mapping[int, str | None] | None = None,
) -> list[SampledImage]:
    """Return images with the units that they were drawn as, or `with_bursts` and events."""
    if with_bursts:
        from sdindex.store.units_told import units_told  # numpy

        found = units_told(session, ids, options.clock)
    else:
        found = UnitsTold(
            bursts=units if options.unit == "burst" else {},
            events=units if options.unit == "event" else {},
        )
    heard = Heard(options.sources, options.min_confidence or 0)
    return by_id(session, ids, known_bits(options) or (), found, parts, heard=heard)


def _drawn(session: Session, count: Count, options: SampleOptions, listed: Listed) -> Selected:
    if options.is_plain and frames.is_current(session):
        counts = plain.counts(session)
        sizes = counts.sizes()
        images = sum(sizes.values())
        asked = images_wanted(count, images)
        if asked <= _PLAIN:
            plain.refuse_mixed_methods(session)
            ids = plain.ids_by_stride(session, counts, trim(sizes, asked))
            return Selected(natural_order(session, ids), None, asked, images, options)
    from sdindex.sampling.sample import draw  # numpy
    from sdindex.store.candidates import candidates

    found = candidates(session, options, listed=listed)
    asked = images_wanted(count, len(found))
    drawn = draw(found, asked)
    units = None if drawn.units is None else drawn.units.tolist()
    ids = found.frame.ids[drawn.positions].tolist()
    if len(ids) <= _PLAIN and natural_order(session, ids) != ids:
        raise WrongValueError("images of the frame are in another order than their sort keys")
    if found.leading and known_bits(options) is None:
        options = replace(options, order=found.leading)
    return Selected(ids, units, asked, len(found), options)


def hashes(session: Session, ids: Iterable[int]) -> dict[int, int]:
    """Return the signed hashes of those of the images that can be sampled, by id."""
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
        The leading bits, as an unsigned number.
    bits
        The same, as zeros and ones.
    images
        How many images there are.
    keeps
        How many of them a sample keeps.
    first_path
        The archive-relative path of the first image in natural order.
    """

    bucket: int
    bits: str
    images: int
    keeps: int
    first_path: str


def buckets(session: Session, count: Count | None, options: SampleOptions) -> list[Bucket]:
    """Return the buckets in the order of their numbers; see `sdindex.Index.buckets`."""
    from sdindex.store.candidates import candidates  # numpy

    found = candidates(session, options)
    sizes, first_ids = found.frame.bucket_sizes(found.leading)
    natural_order(session, first_ids.values())  # the first images are there
    paths = paths_by_id(session, first_ids.values(), relative=True)
    path_of = dict(zip(first_ids, paths, strict=True))
    asked = None if count is None else images_wanted(count, sum(sizes.values()))
    keeps = sizes if asked is None else trim(sizes, asked)
    return [
        Bucket(number, bits_of(number, options.bits), images, keeps[number], path_of[number])
        for number, images in sizes.items()
    ]


def bits_of(bucket: int, bits: int) -> str:
    """Return the number of a bucket as zeros and ones; empty text where it has no bits."""
    return f"{bucket:0{bits}b}" if bits else ""
