"""A review's decisions, as positions in the frame that a sample is drawn from."""

from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

from sdindex.hashing.bits import unsigned
from sdindex.sampling.frame import Frame, Numbers
from sdindex.sampling.likeness import distances
from sdindex.sampling.review import Decided
from sdindex.store import decisions
from sdindex.store.database import Session
from sdindex.store.decisions import Known
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.tables import image


class Decisions(NamedTuple):
    """A review's decisions, in order; and the hashes that alike images are rejected with."""

    kept: list[int]
    rejected: list[Known]
    hashes: dict[int, int]


def decisions_of(session: Session, name: str | None) -> Decisions | None:
    """Return the decisions of the review of this name; None without a name.

    Raises
    ------
    SampleError
        When there is no review of that name.
    """
    if name is None:
        return None
    known = decisions.latest(session, decisions.require(session, name).id)
    rejected = [one for one in known if one.what == "rejected"]
    hashes: dict[int, int] = {}
    for ids in batched((one.image for one in rejected if one.within is not None), PARAMETERS):
        wanted = has_id(image.c.id, ids) & image.c.dhash.is_not(None)
        for row, dhash in session.rows(sa.select(image.c.id, image.c.dhash).where(wanted)):
            hashes[row] = unsigned(dhash)
    return Decisions([one.image for one in known if one.what == "kept"], rejected, hashes)


def decided(found: Decisions, frame: Frame) -> Decided:
    """Return decisions as positions in a frame."""
    positions = frame.positions_of([*found.kept, *(one.image for one in found.rejected)])
    position_of = dict(zip(frame.ids[positions].tolist(), positions.tolist(), strict=True))
    kept = [position_of[row] for row in found.kept if row in position_of]
    steps: list[Numbers] = []
    for one in found.rejected:
        if one.within is not None and one.image in found.hashes:
            apart = distances(frame.hashes, found.hashes[one.image])
            alike = np.flatnonzero(apart <= one.within)
            steps.append(alike[~np.isin(alike, kept)])
        elif one.image in position_of:
            steps.append(np.array([position_of[one.image]]))
    return Decided(steps, kept)
