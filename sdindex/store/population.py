"""The images that a sample stands for: what each of them is, as columns of numbers."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from sdindex.sampling.bursts import bursts
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.sample import Candidates
from sdindex.sampling.trim import HASH_BITS
from sdindex.store.candidates import candidates
from sdindex.store.database import Session
from sdindex.store.lookup import NOTHING_LISTED, Listed
from sdindex.store.tables import image, label

NONE = -1  # the number of what an image does not have
_ROWS = 10_000  # fetched at once

Numbers = NDArray[np.int64]


class Kind(NamedTuple):
    """What images belong to: the places of images, and the number of what each is of."""

    places: Numbers
    numbers: NDArray[np.int64 | np.uint64]


@dataclass(frozen=True)
class Population:
    """Images in natural order; the columns have a number for each.

    Attributes
    ----------
    candidates
        The same images, as a sample is drawn from them.
    ids
        Of the rows of ``image``.
    hashes
        Unsigned 64-bit integers.
    cameras
        Places in `camera_names`.
    days
        Places in `dates`, or `NONE`.
    bursts
        Numbers of the bursts.
    labels
        As many of an image as it has.
    camera_names
        The id of the archive, and the camera as it is stored.
    dates
        The days on which an image was taken, in no order.
    """

    candidates: Candidates
    ids: Numbers
    hashes: NDArray[np.uint64]
    cameras: Numbers
    days: Numbers
    bursts: Numbers
    labels: Kind
    camera_names: list[tuple[int, str]]
    dates: list[date]

    def __len__(self) -> int:
        return len(self.ids)

    def places_of(self, ids: Iterable[int]) -> Numbers:
        """Return the places of those of the images that are here, in order."""
        return np.flatnonzero(np.isin(self.ids, np.fromiter(ids, np.int64)))

    def buckets(self, bits: int) -> NDArray[np.uint64]:
        """Return each image's bucket."""
        return self.hashes >> np.uint64(HASH_BITS - bits)

    def kinds(self, bits: int) -> dict[str, Kind]:
        """Return what a sample may reach."""
        places = np.arange(len(self))
        dated = self.days != NONE
        return {
            "buckets": Kind(places, self.buckets(bits)),
            "cameras": Kind(places, self.cameras),
            "days": Kind(places[dated], self.days[dated]),
            "labels": self.labels,
            "bursts": Kind(places, self.bursts),
        }


def population(
    session: Session, options: SampleOptions, listed: Listed = NOTHING_LISTED
) -> Population:
    """Return the images that pass every filter of a sample, and those that are fixed.

    `listed` is what the lists of the options mean.

    Raises
    ------
    ArchiveError, SampleError, QueryError
        As `sdindex.store.candidates.candidates` does.
    """
    cameras, days = _Numbering(), _Numbering()
    days[None] = NONE
    of_camera, of_day = array("q"), array("q")

    def take(columns: Sequence[Sequence[Any]]) -> None:
        in_archive, by_camera, on_day = columns
        of_camera.extend(map(cameras.__getitem__, zip(in_archive, by_camera, strict=True)))
        of_day.extend(map(days.__getitem__, on_day))

    found = candidates(
        session,
        options,
        listed,
        with_folders=True,
        also=[
            image.c.archive_id.label("in_archive"),
            image.c.camera.label("by_camera"),
            sa.func.date(image.c.taken_at).label("on_day"),
        ],
        take=take,
    )
    ids = np.array(found.ids, np.int64)
    lengths = [len(burst) for burst in bursts(found.hashes, found.folders, options.burst_distance)]
    return Population(
        candidates=found,
        ids=ids,
        hashes=np.array(found.hashes, np.int64).view(np.uint64),
        cameras=np.array(of_camera, np.int64),
        days=np.array(of_day, np.int64),
        bursts=np.repeat(np.arange(len(lengths)), lengths),
        labels=_labels(session, ids),
        camera_names=list(cameras),
        dates=[date.fromisoformat(str(day)) for day in days if day is not None],
    )


class _Numbering(defaultdict[Any, int]):
    """Numbers things as they come, from 0 on."""

    def __init__(self) -> None:
        super().__init__(count().__next__)


def _labels(session: Session, ids: Numbers) -> Kind:
    order, names = np.argsort(ids), _Numbering()
    in_order = np.append(ids[order], NONE)
    rows = session.execute(
        sa.select(label.c.image_id, label.c.label)
        .where(label.c.label.is_not(None))
        .execution_options(yield_per=_ROWS)
    )
    found = [np.empty((2, 0), np.int64)]
    for chunk in rows.partitions():
        labelled, named = zip(*chunk, strict=True)
        ranks = np.searchsorted(in_order[:-1], labelled)
        here = in_order[ranks] == labelled
        numbers = np.fromiter(map(names.__getitem__, named), np.int64)
        found.append(np.stack([order[ranks[here]], numbers[here]]))
    return Kind(*np.concatenate(found, axis=1))
