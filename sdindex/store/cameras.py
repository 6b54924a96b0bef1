"""The cameras of an index, from the sampling frame: its checksums tell of damage."""

from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa

from sdindex.archive.names import from_text
from sdindex.archive.natural import sort_key
from sdindex.archive.roots import stored_root
from sdindex.sampling.blocks import NO_TIME
from sdindex.sampling.bursts import gaps_of
from sdindex.sampling.timers import timer_images, timer_intervals
from sdindex.store.database import Session
from sdindex.store.loading import cameras_folders_times
from sdindex.store.overview import Camera
from sdindex.store.tables import archive

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (a camera's clock)
_NEVER = np.iinfo(np.int64).max


def cameras(session: Session) -> list[Camera]:
    """Return the cameras of all archives, in the natural order of their folders."""
    of, folders, times = cameras_folders_times(session)
    gaps = gaps_of(times, folders.numbers, of.numbers)
    timers = timer_intervals(timer_images(times, gaps, of.numbers), gaps, of.numbers)
    taken = times != NO_TIME
    first = np.full(len(of.names), _NEVER)
    last = np.full(len(of.names), NO_TIME)
    np.minimum.at(first, of.numbers[taken], times[taken])
    np.maximum.at(last, of.numbers[taken], times[taken])
    images = np.bincount(of.numbers, minlength=len(of.names)).tolist()
    stored = sa.select(archive.c.id, archive.c.root, archive.c.camera_pattern)
    of_archive = {
        row.id: (stored_root(row.root).location(), row.camera_pattern)
        for row in session.execute(stored)
    }
    found = []
    spans = zip(map(_moment, first.tolist()), map(_moment, last.tolist()), strict=True)
    for number, ((archive_id, name), count, span) in enumerate(
        zip(of.names, images, spans, strict=True)
    ):
        root, pattern = of_archive[archive_id]
        timer = timers.get(number)
        found.append(Camera(root, from_text(name), count, *span, pattern, timer))
    return sorted(found, key=lambda camera: (sort_key(camera.archive), sort_key(camera.camera)))


def _moment(seconds: int) -> datetime | None:
    return None if seconds in (NO_TIME, _NEVER) else _EPOCH + timedelta(seconds=seconds)
