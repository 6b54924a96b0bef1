"""The images that a sample may be drawn from: the options as questions to the database."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from itertools import accumulate, chain, count
from operator import ne
from typing import Any

import sqlalchemy as sa

from sdindex.archive.names import printable
from sdindex.errors import SampleError
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.sample import Candidates
from sdindex.store import archives, samples
from sdindex.store.database import Session
from sdindex.store.fetching import batched
from sdindex.store.frames import available
from sdindex.store.lookup import NOTHING_LISTED, Listed
from sdindex.store.tables import archive, image, label

_CHUNK = 10_000  # images taken at once

log = logging.getLogger("sdindex")


def candidates(
    session: Session,
    options: SampleOptions,
    listed: Listed = NOTHING_LISTED,
    *,
    with_folders: bool = False,
    also: Sequence[sa.ColumnElement[Any]] = (),
    take: Callable[[Sequence[Sequence[Any]]], object] | None = None,
) -> Candidates:
    """Return the images that pass every filter, and those that are fixed, in natural order.

    Parameters
    ----------
    listed
        What the lists of the options mean.
    with_folders
        Number the folders also where no bursts are drawn.
    also, take
        What else is asked of each image, and what takes these columns, some images at a time.

    Raises
    ------
    ArchiveError, SampleError, QueryError
        When a filter means nothing in this index, images are both fixed and excluded, or
        hashes of two methods would be mixed.
    """
    with_folders = with_folders or options.unit == "burst"
    passes = drawable(session, options)
    excluded = _excluded(session, options, listed)
    fixed = _fixed(session, options, listed, excluded)
    # An excluded image stands for its burst: it stays, to be told apart when bursts are drawn.
    barred: set[int] = set() if options.unit == "burst" else excluded
    allowed = _allowed(session, options, listed, barred)
    # The fixed ones are taken whatever the filters say, in their places among the others.
    condition = available() if fixed else passes
    passed: sa.ColumnElement[int] = sa.case((passes, 1), else_=0) if fixed else sa.literal(1)
    statement = (
        sa.select(
            image.c.id,
            image.c.dhash,
            image.c.method,
            passed,
            *also,
            *_columns(options, with_folders=with_folders),
        )
        .join(archive, archive.c.id == image.c.archive_id)
        .where(condition)
        .order_by(archive.c.sort_key, image.c.sort_key)
    )
    found, methods = Candidates(), Counter[str]()
    stratum, folder = _strata(session, options), _folders() if with_folders else None
    for rows in batched(session.rows(statement), _CHUNK):
        if fixed or allowed is not None:
            rows = [
                row
                for row in rows
                if row[0] in fixed or (row[3] and (allowed is None or allowed(row[0])))
            ]
        if not rows:
            continue
        ids, hashes, named, _, *others = zip(*rows, strict=True)
        found.ids.extend(ids)
        found.hashes.extend(hashes)
        methods.update(named)
        if take is not None:
            take(others[: len(also)])
        others = others[len(also) :]
        if stratum is not None:
            found.strata.extend(stratum(ids, others))
        if folder is not None:
            found.folders.extend(folder(others))
    refuse_to_mix(methods)
    if fixed:
        found.fixed.update(place for place, one in enumerate(found.ids) if one in fixed)
    if excluded and not barred:
        found.excluded.update(place for place, one in enumerate(found.ids) if one in excluded)
    return found


def drawable(session: Session, options: SampleOptions) -> sa.ColumnElement[Any]:
    """Return the condition that an image passes the filters that are questions in SQL.

    Raises
    ------
    ArchiveError, SampleError
        When the index has no such folder, or no such label.
    """
    conditions = [available()]
    if options.under:
        parts = archives.parts_under(session, options.under)
        conditions.append(sa.or_(*(part.images() for part in parts)))
    if options.since is not None:
        conditions.append(image.c.taken_at >= _moment(options.since, time.min))
    if options.until is not None:
        conditions.append(image.c.taken_at <= _moment(options.until, time.max))
    if options.labels:
        conditions.append(image.c.id.in_(_labelled(session, options.labels)))
    if options.not_labels:
        conditions.append(image.c.id.not_in(_labelled(session, options.not_labels)))
    return sa.and_(*conditions)


def refuse_to_mix(methods: Mapping[str, int]) -> None:
    """Refuse a sample from hashes of several methods, given the images of each.

    Raises
    ------
    SampleError
        When there is more than one.
    """
    if len(methods) > 1:
        named = ", ".join(f"{images:,} {method}" for method, images in sorted(methods.items()))
        raise SampleError(
            f"hashes of two methods do not mix in one sample ({named}); bring all archives to "
            "one with: sdindex index --method METHOD FOLDER, or choose some with --under"
        )


def _moment(day: date, at: time) -> datetime:
    return day if isinstance(day, datetime) else datetime.combine(day, at)


def _labelled(session: Session, names: Sequence[str]) -> sa.Select[Any]:
    known = set(session.scalars(sa.select(label.c.label).distinct()))
    for name in names:
        if name not in known:
            held = ", ".join(sorted(printable(one) for one in known if one)) or "none"
            raise SampleError(
                f"no image has the label {printable(name)!r}; the labels of this index: {held}"
            )
    return sa.select(label.c.image_id).where(label.c.label.in_(names))


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


def _allowed(
    session: Session, options: SampleOptions, listed: Listed, excluded: set[int]
) -> Callable[[int], bool] | None:
    """Return what says whether an image passes the filters that are lists; None without any."""
    lists = []
    if options.within is not None:
        lists.append(set(samples.bursts_of(session, options.within)))
    if listed.files is not None:
        lists.append(set(listed.files))
    if options.where is not None:
        lists.append(session.matching(options.where))
    if not lists:
        return (lambda row: row not in excluded) if excluded else None
    allowed = set.intersection(*lists) - excluded
    return allowed.__contains__


def _columns(options: SampleOptions, *, with_folders: bool) -> list[sa.ColumnElement[Any]]:
    """Return what else is asked of each image: its archive first, its path last."""
    columns: list[sa.ColumnElement[Any]] = []
    if options.balance == "camera":
        columns.append(image.c.camera)
    if with_folders or options.folders is not None:
        columns.append(image.c.path)
    return [image.c.archive_id, *columns] if columns else []


_Columns = Sequence[Sequence[Any]]  # those of `_columns`, of many images


def _strata(
    session: Session, options: SampleOptions
) -> Callable[[Sequence[int], _Columns], Iterable[int]] | None:
    """Return what numbers the strata of many images; None when nothing is to be balanced."""
    if options.balance is None:
        return None
    numbers: dict[Hashable, int] = defaultdict(count().__next__)
    labels = _main_labels(session) if options.balance == "label" else {}
    folders = options.folders

    def of(ids: Sequence[int], columns: _Columns) -> Iterable[int]:
        if options.balance == "label":
            keys: Iterable[Hashable] = map(labels.get, ids)
        elif folders is None:
            keys = zip(columns[0], columns[1], strict=True)
        else:
            keys = zip(columns[0], _leading(columns[-1], folders), strict=True)
        return map(numbers.__getitem__, keys)

    return of


def _leading(paths: Iterable[str], folders: int) -> Iterator[tuple[str, ...]]:
    return (tuple(path.split("/", folders)[:-1]) for path in paths)


def _folders() -> Callable[[_Columns], list[int]]:
    """Return what numbers folders, anew wherever an image is in another than the one before."""
    number, last = 0, (0, "")

    def of(columns: _Columns) -> list[int]:
        nonlocal number, last
        folders = [path.rpartition("/")[0] for path in columns[-1]]
        ones = list(zip(columns[0], folders, strict=True))
        numbers = list(accumulate(map(ne, ones, chain([last], ones)), initial=number))[1:]
        number, last = numbers[-1], ones[-1]
        return numbers

    return of


def _main_labels(session: Session) -> dict[int, str]:
    """Return each image's label: the surest (one without a confidence is), then by name."""
    statement = (
        sa.select(label.c.image_id, label.c.label)
        .where(label.c.label.is_not(None))
        .order_by(sa.func.coalesce(label.c.confidence, 1), label.c.label.desc())
    )
    return dict(session.rows(statement))
