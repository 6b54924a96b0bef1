"""Splitting a saved sample into parts, and storing that."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from sdindex.archive.names import printable
from sdindex.errors import SampleError
from sdindex.sampling.blocks import LABELS
from sdindex.sampling.frame import NONE, Frame, Numbers, main_labels, needed
from sdindex.sampling.likeness import leaders
from sdindex.sampling.options import Clock
from sdindex.sampling.split import SPLIT_RULE, Parts, joined, split
from sdindex.sampling.strata import column_of, strata
from sdindex.sampling.stratum_kinds import Kind, kind_of
from sdindex.sampling.units import UNIT_COLUMNS, taken
from sdindex.store import samples
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.loading import load
from sdindex.store.tables import from_json, sample, sample_image

BY = ("camera", "folder:K", "event", "none")


class Splitting(NamedTuple):
    """How a sample is split.

    Attributes
    ----------
    into
        The parts, and the share of the images that each is to have, in percent.
    by
        One of `BY`: images with this in common stay in one part.
    within
        Near-duplicates, which differ in at most this many bits, stay in one part; None: they need
        not.
    """

    into: dict[str, float]
    by: str
    within: int | None = None


@dataclass(frozen=True, slots=True)
class SplitPart:
    """A part of a split sample.

    Attributes
    ----------
    part
        Its name.
    asked, share
        The share of the images that it was to have, and has, in percent.
    images, groups
        How many images it has, and how many groups: cameras, folders, events or single images, as
        the sample was split.
    labels
        How many different labels it has; `label` is the one whose share in this part, `label_share`
        in percent, is farthest from `asked`.
    """

    part: str
    asked: float
    share: float
    images: int
    groups: int
    labels: int
    label: str | None
    label_share: float | None


def splitting(into: Mapping[str, float], by: str, within: int | None) -> Splitting:
    """Return how a sample is to be split, from checked arguments.

    Raises
    ------
    SampleError
        When there are fewer than two parts, a name cannot be a folder's, the shares do not add up
        to 100, or `by` is unknown.
    """
    for name in into:
        if printable(name) != name or name.strip(". ") == "" or {"/", "\\", ":"} & {*name}:
            raise SampleError(f"{name!r} is no name for a part: give one that a folder can have")
    if len(into) < 2 or min(into.values()) <= 0 or abs(sum(into.values()) - 100) > 1e-6:
        said = ", ".join(f"{name}={share:g}" for name, share in into.items()) or "none"
        raise SampleError(
            f"the shares of two parts or more add up to 100, such as train=80,val=20, not {said}"
        )
    if by not in ("event", "none") and _kind(by) is None:
        raise SampleError(f"a sample is split by {', '.join(BY[:-1])} or {BY[-1]}, not {by!r}")
    return Splitting(dict(into), by, within)


def split_sample(session: Session, name: str, how: Splitting) -> list[SplitPart]:
    """Split a saved sample, replacing an earlier split; the caller commits.

    Images that are missing, or unreadable, now are in no part.

    Raises
    ------
    SampleError
        When there is no sample of that name, or it has too few groups.
    """
    kept = samples.ids_of(session, name)
    frame, groups = _groups(session, kept, how, _clock(session, name))
    shares = [share / 100 for share in how.into.values()]
    labels = main_labels(needed(frame.labels), len(frame))
    try:
        parts = split(groups, labels, shares)
    except ValueError as problem:
        raise SampleError(
            f"{name} cannot be split by {how.by} into {len(shares)} parts: {problem}; split it by "
            "something smaller, such as event"
        ) from problem
    _store(session, name, how, frame, parts, lost=kept - {*frame.ids.tolist()})
    return _told(how, groups, parts, labels, needed(frame.labels).names)


def how_split(session: Session, name: str) -> Splitting | None:
    """Return how a saved sample was split; None where it was not."""
    stored = session.scalar(sa.select(sample.c.split).where(sample.c.name == name))
    if stored is None:
        return None
    found = from_json(stored, dict)
    return Splitting(found["into"], found["by"], found["within"])


def _clock(session: Session, name: str) -> Clock:
    kept = samples.options_of(session, name)
    usual = Clock()
    return Clock(
        kept.get("burst_seconds", usual.seconds),
        kept.get("burst_distance", usual.distance),
        kept.get("event_minutes", usual.minutes),
    )


def _kind(by: str) -> Kind | None:
    try:
        kind = kind_of("by", by)
    except SampleError:
        return None
    return kind if kind.name in ("camera", "folder") else None


def _groups(
    session: Session, ids: Collection[int], how: Splitting, clock: Clock
) -> tuple[Frame, NDArray[Any]]:
    """Return the frame of the images, and the number of each one's group, from 0 on."""
    kind = _kind(how.by)
    columns = UNIT_COLUMNS if how.by == "event" else [] if kind is None else [column_of(kind)]
    whole = load(session, {*columns, LABELS})
    chosen = whole.among(ids)
    frame = whole.take(chosen)
    if how.by == "event":
        groups: NDArray[Any] = taken(whole, clock).events(whole, clock)[chosen]
    elif kind is None:
        groups = np.arange(len(frame))
    else:
        groups = strata(frame, kind).numbers
    if how.within is not None and len(frame):
        groups = joined(_numbered(groups), _numbered(leaders(frame.hashes, how.within)))
    return frame, _numbered(groups)


def _numbered(groups: NDArray[Any]) -> Numbers:
    """Return groups as numbers from 0 on."""
    found = np.zeros(int(groups.max()) + 1 if len(groups) else 0, np.int64)
    found[groups] = 1
    numbers: Numbers = (np.cumsum(found) - 1)[groups]
    return numbers


def _store(
    session: Session, name: str, how: Splitting, frame: Frame, parts: Parts, *, lost: set[int]
) -> None:
    """Store the largest part for all images, and then change those in other parts, or in none."""
    of_name = sample.c.name == name
    said = json.dumps({**how._asdict(), "rule": SPLIT_RULE})
    session.execute(sample.update().where(of_name).values(split=said))
    sample_id = session.scalar(sa.select(sample.c.id).where(of_name))
    of_sample = sample_image.c.sample_id == sample_id
    names = [*how.into]
    largest = int(np.bincount(parts).argmax())
    session.execute(sample_image.update().where(of_sample).values(split=names[largest]))
    of_parts: list[list[int]] = [frame.ids[parts == at].tolist() for at in range(len(names))]
    of_parts[largest] = []
    for part, ids in [*zip(names, of_parts, strict=True), (None, lost)]:
        for some in batched(ids, PARAMETERS):
            has_one = has_id(sample_image.c.image_id, some)
            session.execute(sample_image.update().where(of_sample, has_one).values(split=part))


def _told(
    how: Splitting, groups: NDArray[Any], parts: Parts, labels: Numbers, names: Sequence[str]
) -> list[SplitPart]:
    count = len(how.into)
    images = np.bincount(parts, minlength=count)
    _, first = np.unique(groups, return_index=True)
    of_groups = np.bincount(parts[first], minlength=count)
    told = labels != NONE
    table = np.zeros((count, len(names)), np.int64)
    np.add.at(table, (parts[told], labels[told]), 1)
    found = []
    for at, (name, asked) in enumerate(how.into.items()):
        label, share = _farthest(table, at, asked, names)
        part = 100 * int(images[at]) / max(len(parts), 1)
        found.append(
            SplitPart(
                name,
                asked,
                round(part, 2),
                int(images[at]),
                int(of_groups[at]),
                int(np.count_nonzero(table[at])),
                label,
                share,
            )
        )
    return found


def _farthest(
    table: NDArray[np.int64], part: int, asked: float, names: Sequence[str]
) -> tuple[str | None, float | None]:
    totals = table.sum(axis=0)
    there = np.flatnonzero(totals)
    if not len(there):
        return None, None
    shares = 100 * table[part][there] / totals[there]
    worst = int(np.argmax(np.abs(shares - asked)))
    return names[there[worst]], round(float(shares[worst]), 2)
