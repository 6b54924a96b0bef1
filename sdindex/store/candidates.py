"""Which images pass a sample's filters: a condition here for each option of `SampleOptions`."""

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from sdindex.archive.names import printable
from sdindex.errors import SampleError
from sdindex.sampling.blocks import LABELS, NO_TIME
from sdindex.sampling.even import leading_bits
from sdindex.sampling.frame import Coded, Frame, Labelled, Mask, needed
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.sample import COMPANION, EXCLUDED, USUAL, Candidates
from sdindex.sampling.strata import Strata, column_of, shared, strata
from sdindex.sampling.stratum_kinds import RANKS, Kind, Quotas
from sdindex.sampling.units import UNIT_COLUMNS, taken
from sdindex.store import archives, samples, taxa
from sdindex.store.database import Session
from sdindex.store.decided import decided, decisions_of
from sdindex.store.decisions import rejected_by
from sdindex.store.labels import require_sources
from sdindex.store.loading import Held, load
from sdindex.store.lookup import NOTHING_LISTED, Listed
from sdindex.store.mixing import methods, refuse_to_mix
from sdindex.store.tables import label

log = logging.getLogger("sdindex")

_UNITS = frozenset(("burst", "event"))


def candidates(
    session: Session,
    options: SampleOptions,
    also: Collection[str] = (),
    listed: Listed = NOTHING_LISTED,
    held: Held | None = None,
) -> Candidates:
    """Return the images that pass every filter, and those that are fixed, in natural order.

    Parameters
    ----------
    also
        Columns of the frame that are wanted beside those that the options need; ``"burst"`` and
        ``"event"`` give each image's burst and event.
    listed
        The images that the lists of the options name.
    held
        The frame, where the caller has it in memory.

    Raises
    ------
    ArchiveError, SampleError, QueryError
        When a filter names something that the index does not have, images are both fixed and
        excluded, or hashes of two methods would be mixed.
    """
    excluded = _excluded(session, options, listed)
    fixed = _fixed(session, options, listed, excluded)
    mixed = len(methods(session)) > 1
    decisions = decisions_of(session, options.review)
    units = [options.unit] if decisions is None else [options.unit, "burst"]
    wanted = {*also, *units} - {"image"}
    columns = {*_columns(options), *_of_units(wanted), *also, *(["method"] if mixed else [])}
    frame = load(session, columns) if held is None else held.frame
    frame = _heard(session, frame, options)
    leading, all_ids = leading_bits(options, frame.hashes), frame.ids
    groups, later = _groups(frame, options, wanted, fixed, excluded, held)
    chosen = _passing(session, frame, options, listed)
    if excluded:
        chosen &= ~frame.among(excluded)
    stays = fixed.union(decisions.kept if decisions else ())
    if stays:  # fixed images pass whatever the filters say
        chosen |= frame.among(stays)
    frame = frame.only({*_drawn_by(options), *also, "method"}).take(chosen)
    groups = {unit: numbers[chosen] for unit, numbers in groups.items()}
    later = None if later is None else later[chosen]
    del chosen
    _require_one_method(frame.methods)
    strata, quotas = _strata(session, frame, options)
    return Candidates(
        frame,
        leading,
        strata,
        frame.positions_of(fixed),
        groups,
        options.unit,
        all_ids,
        later,
        options.show,
        options.prefer == "motion",
        options.at_most,
        quotas,
        None if decisions is None else decided(decisions, frame),
    )


def _groups(
    frame: Frame,
    options: SampleOptions,
    units: set[str],
    fixed: Collection[int],
    excluded: Collection[int],
    held: Held | None,
) -> tuple[dict[str, NDArray[Any]], NDArray[np.uint8] | None]:
    """Return the wanted bursts and events of all images; and when each image's unit is drawn.

    A unit with an excluded image counts as shown: it is drawn only when no other is left.
    """
    if _UNITS.isdisjoint(units):
        return {}, None
    found = taken(frame, options.clock) if held is None else held.taken(options.clock)
    groups: dict[str, NDArray[Any]] = {}
    if "burst" in units:
        groups["burst"] = found.bursts()
    if "event" in units:
        groups["event"] = found.events(frame, options.clock)
    if options.unit not in groups:
        return groups, None
    later = np.where(found.companions(frame), np.uint8(COMPANION), np.uint8(USUAL))
    if excluded:
        is_shown, firsts = np.zeros(len(frame), bool), groups[options.unit]
        is_shown[firsts[frame.positions_of(excluded)]] = True
        is_shown[firsts[frame.positions_of(fixed)]] = False
        later[is_shown[firsts]] = EXCLUDED
    return groups, later


def _ranks(session: Session, kind: Kind) -> dict[str, str] | None:
    """Return the name of each label at a rank; None where labels themselves are meant."""
    if not (kind.name == "label" and kind.detail):
        return None
    names = taxa.names_at(session, kind.detail)
    if not names:
        raise SampleError(f"no label of this index has a {kind.detail}, to balance {kind} by")
    return names


def _require_one_method(methods: Coded | None) -> None:
    if methods is None:
        return
    counted = np.bincount(methods.numbers, minlength=len(methods.names)).tolist()
    images = Counter[str]()
    for (_, method), count in zip(methods.names, counted, strict=True):
        images[method] += count
    refuse_to_mix(+images)


def _columns(options: SampleOptions) -> set[str]:
    """Return the columns of the frame that the filters need."""
    asked = {
        "folder": options.under,
        "time": options.since is not None or options.until is not None,
        LABELS: options.labels or options.not_labels,
    }
    return {name for name, is_asked in asked.items() if is_asked} | _drawn_by(options)


def _drawn_by(options: SampleOptions) -> set[str]:
    """Return the columns of the frame that are still needed when the filters were applied."""
    by_motion = options.prefer == "motion" or (options.unit != "image" and options.show == "moved")
    return {*map(column_of, options.strata), *(["motion"] if by_motion else [])}


def _of_units(wanted: Collection[str]) -> Sequence[str]:
    """Return the columns for finding bursts and events, where these are wanted."""
    return () if _UNITS.isdisjoint(wanted) else UNIT_COLUMNS


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
    if options.rejected_by is not None:
        passing &= frame.among(rejected_by(session, options.rejected_by))
    if options.where is not None:
        passing &= frame.among(session.matching(options.where))
    return passing


def _heard(session: Session, frame: Frame, options: SampleOptions) -> Frame:
    """Return the frame with only the labels that the options count."""
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
    """Return a time in seconds since 1970; of a date, the time `at` on that day."""
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
    """Return the labels that names mean; ``family:canidae`` means all labels of that family."""
    meant: set[str] = set()
    for name in names:
        rank, _, of_rank = name.partition(":")
        if name in labels.names or rank not in RANKS:
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


def _strata(
    session: Session, frame: Frame, options: SampleOptions
) -> tuple[list[Strata], tuple[Quotas, dict[str, int]] | None]:
    """Return the strata to balance by; and the fixed shares, with their strata's numbers."""
    found = [strata(frame, kind, _ranks(session, kind)) for kind in options.strata]
    quotas = options.quotas
    if quotas is None:
        return found, None
    found[0], numbers = shared(found[0], quotas, "that passes the filters")
    return found, (quotas, numbers)


def _fixed(
    session: Session, options: SampleOptions, listed: Listed, excluded: set[int]
) -> set[int]:
    """Return the ids of the images to be taken in any case; log how many are not there now."""
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
