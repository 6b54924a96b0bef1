"""The filters of a sample, applied: the images that it may be drawn from."""

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time

import numpy as np
import sqlalchemy as sa

from sdindex.archive.names import printable
from sdindex.errors import SampleError
from sdindex.sampling.blocks import LABELS, NO_TIME
from sdindex.sampling.frame import (
    NONE,
    Buckets,
    Coded,
    Frame,
    Labelled,
    Mask,
    by_appearance,
    coarser,
    main_labels,
    needed,
)
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.sample import Candidates
from sdindex.store import archives, samples, taxa
from sdindex.store.database import Session
from sdindex.store.frames import methods, refuse_to_mix
from sdindex.store.labels import require_sources
from sdindex.store.loading import load
from sdindex.store.lookup import NOTHING_LISTED, Listed
from sdindex.store.tables import label

log = logging.getLogger("sdindex")


def candidates(
    session: Session,
    options: SampleOptions,
    also: Collection[str] = (),
    listed: Listed = NOTHING_LISTED,
) -> Candidates:
    """Return the images that pass every filter, and those that are fixed, in natural order.

    Parameters
    ----------
    also
        Columns of the frame that are wanted beside those that the options need.
    listed
        The images that the lists of the options name.

    Raises
    ------
    ArchiveError, SampleError, QueryError
        When a filter means nothing in this index, images are both fixed and excluded, or
        hashes of two methods would be mixed.
    """
    excluded = _excluded(session, options, listed)
    fixed = _fixed(session, options, listed, excluded)
    mixed = len(methods(session)) > 1
    frame = load(session, {*_columns(options), *also, *(["method"] if mixed else [])})
    frame = _heard(session, frame, options)
    chosen = _passing(session, frame, options, listed)
    # An excluded image stands for its burst: it stays, to be told apart when bursts are drawn.
    if excluded and options.unit == "image":
        chosen &= ~frame.among(excluded)
    if fixed:  # whatever the filters say, at their positions among the others
        chosen |= frame.among(fixed)
    frame = frame.only({*_drawn_by(options), *also, "method"}).take(chosen)
    del chosen
    if frame.methods is not None:
        counted = np.bincount(frame.methods.numbers, minlength=len(frame.methods.names))
        refuse_to_mix(_by_method(frame.methods, counted.tolist()))
    return Candidates(
        frame,
        _strata(frame, options),
        frame.positions_of(fixed),
        frame.positions_of(excluded),
    )


def _by_method(methods: Coded, counted: Sequence[int]) -> Counter[str]:
    images = Counter[str]()
    for (_, method), count in zip(methods.names, counted, strict=True):
        images[method] += count
    return +images


def _columns(options: SampleOptions) -> set[str]:
    """Return the columns of the frame that the options ask about."""
    asked = {
        "folder": options.under,
        "time": options.since is not None or options.until is not None,
        LABELS: options.labels or options.not_labels,
    }
    return {name for name, is_asked in asked.items() if is_asked} | _drawn_by(options)


def _drawn_by(options: SampleOptions) -> set[str]:
    """Return those that are wanted when the filters have been asked."""
    asked = {
        "folder": options.unit == "burst" or options.folders is not None,
        "camera": options.balance == "camera",
        LABELS: options.balance == "label",
    }
    return {name for name, is_asked in asked.items() if is_asked}


def _passing(session: Session, frame: Frame, options: SampleOptions, listed: Listed) -> Mask:
    """Say of each image whether it passes every filter."""
    passing = np.ones(len(frame), bool)
    if options.under:
        passing &= _under(session, frame, options.under)
    if options.since is not None or options.until is not None:
        passing &= _taken(frame, options.since, options.until)
    if options.labels:
        passing &= _labelled(session, frame, options.labels)
    if options.not_labels:
        passing &= ~_labelled(session, frame, options.not_labels)
    if options.within is not None:
        passing &= frame.among(samples.bursts_of(session, options.within))
    if listed.files is not None:
        passing &= frame.among(listed.files)
    if options.where is not None:
        passing &= frame.among(session.matching(options.where))
    return passing


def _heard(session: Session, frame: Frame, options: SampleOptions) -> Frame:
    """Return the frame with the labels alone that the options listen to."""
    require_sources(session, options.sources)
    if frame.labels is None or not (options.sources or options.min_confidence):
        return frame
    heard = frame.labels.said_by(options.sources, options.min_confidence or 0)
    return replace(frame, labels=heard)


def _under(session: Session, frame: Frame, under: Sequence[str]) -> Mask:
    folders, parts = needed(frame.folders), archives.parts_under(session, under)
    inside = [
        any(part.archive.id == archive_id and f"{folder}/".startswith(part.under) for part in parts)
        for archive_id, folder in folders.names
    ]
    passing: Mask = np.array(inside, bool)[folders.numbers]
    return passing


def _taken(frame: Frame, since: date | None, until: date | None) -> Mask:
    times = needed(frame.times)
    passing: Mask = times != NO_TIME
    if since is not None:
        passing &= times >= _seconds(since, time.min)
    if until is not None:
        passing &= times <= _seconds(until, time.max)
    return passing


def _seconds(day: date, at: time) -> float:
    """Return a moment of a camera's clock in seconds since 1970; of a day, the one at `at`."""
    moment = day if isinstance(day, datetime) else datetime.combine(day, at)
    return moment.replace(tzinfo=UTC).timestamp()


def _labelled(session: Session, frame: Frame, names: Sequence[str]) -> Mask:
    """Say of each image whether it has one of these labels."""
    labels = needed(frame.labels)
    meant = _meant(session, labels, names)
    wanted = np.array([name in meant for name in labels.names], bool)
    passing = np.zeros(len(frame), bool)
    passing[labels.positions[wanted[labels.numbers]]] = True
    return passing


def _meant(session: Session, labels: Labelled, names: Sequence[str]) -> set[str]:
    """Return the labels that are meant, by themselves or by a rank, as ``family:canidae`` is."""
    meant: set[str] = set()
    for name in names:
        rank, _, of_rank = name.partition(":")
        if name in labels.names or rank not in taxa.RANKS:
            _require_labels(session, labels, [name])
            meant.add(name)
        else:
            meant |= taxa.labels_of(session, rank, of_rank)
    return meant


def _require_labels(session: Session, labels: Labelled, names: Sequence[str]) -> None:
    if set(names) <= set(labels.names):
        return
    known = set(session.scalars(sa.select(label.c.label).distinct()))  # of missing images, too
    for name in names:
        if name not in known:
            there = ", ".join(sorted(printable(name) for name in known if name)) or "none"
            raise SampleError(
                f"no image has the label {printable(name)!r}; the labels of this index: {there}"
            )


def _strata(frame: Frame, options: SampleOptions) -> Buckets | None:
    """Return the number of each image's stratum, in the order in which the strata appear."""
    if options.balance is None:
        return None
    if options.balance == "label":
        labels = needed(frame.labels)
        numbers = (main_labels(labels, len(frame)) - NONE).astype(np.int32)
        return by_appearance(numbers, len(labels.names) + 1)
    if options.balance == "camera":
        cameras = needed(frame.cameras)
        return by_appearance(cameras.numbers, len(cameras.names))
    depth, folders = options.folders, needed(frame.folders)
    numbers = coarser(folders, lambda name: (name[0], *name[1].split("/")[:depth]))
    return by_appearance(numbers, len(folders.names))


def _fixed(
    session: Session, options: SampleOptions, listed: Listed, excluded: set[int]
) -> set[int]:
    """Return the ids of the images to be taken in any case; what is not there now is named."""
    asked: set[int] = set()
    if options.extend is not None:
        asked |= samples.bursts_of(session, options.extend).keys()
    asked |= listed.include
    fixed = samples.present(session, asked)
    if len(fixed) < len(asked):
        log.warning(
            "%s of the images to be included cannot be drawn: missing, or unreadable now",
            f"{len(asked) - len(fixed):,}",
        )
    if not fixed.isdisjoint(excluded):
        raise SampleError(
            f"{len(fixed & excluded):,} images are both to be included and excluded; "
            "drop one of the two"
        )
    return fixed


def _excluded(session: Session, options: SampleOptions, listed: Listed) -> set[int]:
    excluded = set(listed.exclude)
    for name in samples.names(session).intersection(options.exclude):
        excluded |= samples.bursts_of(session, name).keys()
    return excluded
