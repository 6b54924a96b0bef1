"""The labels of images in the index: storing, counting and deleting them by source."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from sdindex.archive.names import printable
from sdindex.errors import SampleError
from sdindex.store import frames, results, taxa
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.inserting import insert
from sdindex.store.tables import label, sample_image

_Key = tuple[int, str | None, str | None]  # an image's id, a label, and its box

_COLUMNS = ("id", "image_id", "source", "label", "confidence", "failure", "bbox", "human")


class Said(NamedTuple):
    """A label of an image from a source, or the failure to give one.

    Attributes
    ----------
    confidence
        0 to 1; None counts as 1.
    bbox
        The box, as JSON: x, y, width and height as fractions of the image, from the top left; None
        without one.
    is_human
        Whether a person gave it.
    """

    image_id: int
    label: str | None
    confidence: float | None = None
    failure: str | None = None
    bbox: str | None = None
    is_human: bool = False


class Stored(NamedTuple):
    """How many `labels`, `images` with labels, and `failures` were stored.

    A label that an image has in several boxes counts once.
    """

    images: int
    labels: int
    failures: int


@dataclass(frozen=True, slots=True)
class LabelCount:
    """A label of a source, and how many images have it; the label None stands for failures."""

    source: str
    label: str | None
    images: int


class LabelWriter:
    """Stores labels, in place of earlier ones of the same sources and images.

    The caller commits. For an image, each label is stored once for each box, and once without one,
    with its highest confidence.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        session.lock_labels()
        newest = session.scalar(sa.select(sa.func.max(label.c.id))) or 0
        self._first = self._next = newest + 1  # labels with a smaller id are earlier ones
        self._named = bytearray()  # by image id: 1 if a label was stored since
        self._had: dict[str, bool] = {}  # whether a source said anything before

    def replace(self, source: str, ids: Collection[int], said: Iterable[Said]) -> None:
        """Delete the earlier labels of some images, and store new ones.

        The labels of one image may come in several calls.
        """
        beyond = max(ids, default=-1) + 1 - len(self._named)
        self._named.extend(bytes(max(beyond, 0)))
        frames.forget_labels(self._session, ids)
        of_source = label.c.source == source
        for chunk in batched(ids if self._has_said(source) else (), PARAMETERS):
            before = has_id(label.c.image_id, chunk) & (label.c.id < self._first)
            self._session.execute(label.delete().where(of_source, before))
        surest: dict[_Key, Said] = {}
        for remark in said:
            key = (remark.image_id, remark.label, remark.bbox)
            if key not in surest or _is_surer(remark.confidence, surest[key].confidence):
                surest[key] = remark
        for some in batched(surest.items(), PARAMETERS):
            self._store(source, dict(some))
        for image_id in ids:
            self._named[image_id] = 1

    def _has_said(self, source: str) -> bool:
        """Say whether a source has earlier labels: most have none, and nothing is deleted."""
        if source not in self._had:
            before = (label.c.source == source) & (label.c.id < self._first)
            there = sa.select(sa.exists(sa.select(label.c.id).where(before)))
            self._had[source] = bool(self._session.scalar(there))
        return self._had[source]

    def finish(self) -> Stored:
        """Bring the frame up to date when all labels are stored; return the counts."""
        frames.complete_labels(self._session)
        new = label.c.id >= self._first
        distinct = sa.select(label.c.image_id, label.c.label, label.c.source).distinct()
        labels = distinct.where(new, label.c.label.is_not(None)).subquery()
        images, count = self._session.execute(
            sa.select(sa.func.count(labels.c.image_id.distinct()), sa.func.count(labels.c.label))
        ).one()
        failures = self._session.scalar(sa.select(sa.func.count(label.c.failure)).where(new))
        return Stored(images, count, failures or 0)

    def _store(self, source: str, said: Mapping[_Key, Said]) -> None:
        """Store labels, but those that an earlier call stored with at least the same confidence."""
        again = {image_id for image_id, _, _ in said if self._named[image_id]}
        statement = sa.select(
            label.c.image_id, label.c.label, label.c.bbox, label.c.id, label.c.confidence
        ).where(
            has_id(label.c.image_id, again), label.c.id >= self._first, label.c.source == source
        )
        there = {
            (image_id, name, bbox): (row_id, confidence)
            for image_id, name, bbox, row_id, confidence in (
                self._session.rows(statement) if again else ()
            )
        }
        self._insert(source, [remark for key, remark in said.items() if key not in there])
        for key in said.keys() & there.keys():
            row_id, confidence = there[key]
            if _is_surer(said[key].confidence, confidence):
                better = label.update().where(label.c.id == row_id)
                self._session.execute(better.values(confidence=said[key].confidence))

    def _insert(self, source: str, said: Sequence[Said]) -> None:
        rows = [
            (row_id, each.image_id, source, *each[1:])
            for row_id, each in enumerate(said, self._next)
        ]
        insert(self._session, label, _COLUMNS, rows)
        self._next += len(rows)


def _is_surer(confidence: float | None, other: float | None) -> bool:
    """Say whether a confidence is higher than another; None is the highest."""
    return other is not None and (confidence is None or confidence > other)


def counts(session: Session) -> list[LabelCount]:
    """Return the labels of each source with their image counts, the most frequent first."""
    images = sa.func.count(label.c.image_id.distinct())
    rows = session.execute(
        sa.select(label.c.source, label.c.label, images)
        .group_by(label.c.source, label.c.label)
        .order_by(label.c.source, images.desc(), label.c.label)
    )
    return [LabelCount(*row) for row in rows]


def drop(session: Session, source: str) -> int:
    """Delete all labels of a source; return how many. The caller commits.

    Raises
    ------
    SampleError
        When there is no such source.
    """
    session.lock_labels()
    of_source = label.c.source == source
    frames.forget_labels(session, session.scalars(sa.select(label.c.image_id).where(of_source)))
    dropped = session.execute(label.delete().where(of_source)).rowcount
    results.drop(session, source)
    taxa.forget_unused(session)
    frames.complete_labels(session)
    if not dropped:
        require_sources(session, [source])
    return dropped


def sources(session: Session) -> list[str]:
    """Return the sources of all labels, in alphabetical order."""
    return list(session.scalars(sa.select(label.c.source).distinct().order_by(label.c.source)))


def human_sources(session: Session) -> set[str]:
    """Return the sources of labels that people gave."""
    return set(session.scalars(sa.select(label.c.source).where(label.c.human).distinct()))


def require_sources(session: Session, wanted: Iterable[str]) -> None:
    """Refuse a source that has no labels.

    Raises
    ------
    SampleError
        When there is one among these.
    """
    known = sources(session)
    for source in wanted:
        if source not in known:
            others = ", ".join(map(printable, known)) or "none"
            raise SampleError(
                f"no labels are from {printable(source)!r}; there are those of: {others}"
            )


class Spoken(NamedTuple):
    """How many of some images have `labels`, and how many are in saved `samples`."""

    labels: int = 0
    samples: int = 0


def with_labels_or_samples(session: Session, ids: Collection[int]) -> Spoken:
    """Count these images that have labels, and that are in saved samples."""
    labelled, sampled = (
        sum(
            session.scalar(
                sa.select(sa.func.count(column.distinct())).where(has_id(column, chunk))
            ) or 0
            for chunk in batched(ids, PARAMETERS)
        )
        for column in (label.c.image_id, sample_image.c.image_id)
    )  # fmt: skip
    return Spoken(labelled, sampled)
