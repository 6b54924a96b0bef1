"""The bursts and events of a sample's images; and the line that says what was drawn."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sdindex.sampling.frame import turns
from sdindex.sampling.options import Clock, SampleOptions
from sdindex.sampling.units import UNIT_COLUMNS, taken
from sdindex.store.database import Session
from sdindex.store.loading import load
from sdindex.store.lookup import ids_of
from sdindex.store.sampled import SampledImage, UnitsTold, by_id
from sdindex.store.samples import present

_MOST = 2_000_000  # images, at most, in which bursts are searched only for that line


def units_told(session: Session, ids: Sequence[int], clock: Clock) -> UnitsTold:
    """Return the burst and the event of each image, and its place in the burst."""
    frame = load(session, UNIT_COLUMNS)
    found, positions = taken(frame, clock), frame.positions_of(ids)
    rows = frame.ids[positions].tolist()
    bursts, events = (
        dict(zip(rows, frame.ids[firsts[positions]].tolist(), strict=True))
        for firsts in (found.bursts(), found.events(frame, clock))
    )
    burst = np.searchsorted(found.starts, positions, side="right") - 1
    lengths = np.diff(found.starts, append=len(frame))[burst]
    places = zip((positions - found.starts[burst] + 1).tolist(), lengths.tolist(), strict=True)
    return UnitsTold(bursts, events, dict(zip(rows, places, strict=True)))


def with_units(
    session: Session, images: Sequence[SampledImage], clock: Clock
) -> list[SampledImage]:
    """Return images with their bursts and events; images that are gone are unchanged."""
    ids = [*present(session, ids_of(session, images))]
    known = {
        (one.archive, one.relative_path): one
        for one in by_id(session, ids, (), units_told(session, ids, clock))
    }
    return [
        image
        if (one := known.get((image.archive, image.relative_path))) is None
        else replace(
            image,
            burst=one.burst,
            event=one.event,
            number_in_burst=one.number_in_burst,
            burst_size=one.burst_size,
        )
        for image in images
    ]


def line(session: Session, ids: Sequence[int], images: int, options: SampleOptions) -> str:
    """Return one line: how large a sample is, and how much of it shares a burst."""
    said = f"{len(ids):,} of {images:,} images"
    if images > _MOST or not ids:
        return said
    frame = load(session, UNIT_COLUMNS)
    bursts = np.sort(taken(frame, options.clock).bursts()[frame.positions_of(ids)])
    sizes = np.diff(np.flatnonzero(turns(bursts)), append=len(bursts))
    part = sizes[sizes > 1].sum() / len(bursts)
    if not part:
        return f"{said}; none shares a burst with another one"
    better = " (--for labelling draws one of each)" if options.unit == "image" else ""
    return f"{said}; {_percent(part)} share a burst with another one{better}"


def _percent(part: float) -> str:
    return "under 1%" if part < 0.01 else f"{part:.0%}"
