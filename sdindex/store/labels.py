"""Labels of images, kept in the index: stored by their source, counted, removed."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from sdindex.archive.names import printable
from sdindex.errors import SampleError
from sdindex.store import frames
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.tables import label, sample_image


class Said(NamedTuple):
    """What a source says of an image: a label, or why it has none.

    Attributes
    ----------
    confidence
        0 to 1; None is as sure as 1.
    """

    image_id: int
    label: str | None
    confidence: float | None = None
    failure: str | None = None


class Stored(NamedTuple):
    """What is stored: so many `labels` of so many `images`, and `failures`."""

    images: int
    labels: int
    failures: int


@dataclass(frozen=True, slots=True)
class LabelCount:
    """A label of a source, and how many images have it; None stands for failures."""

    source: str
    label: str | None
    images: int


class LabelWriter:
    """Stores what a source says, instead of what it said before of the same images.

    The caller commits. Each label is stored once for an image, with its highest confidence,
    however often it is said.
    """

    def __init__(self, session: Session, source: str) -> None:
        self._session = session
        self._source = source
        newest = session.scalar(sa.select(sa.func.max(label.c.id))) or 0
        self._first = self._next = newest + 1  # what has a smaller id was said before

    def replace(self, ids: Collection[int], said: Iterable[Said]) -> None:
        """Forget what was said before of some images, and store what is said now of them.

        What is said of one image may come in several calls.
        """
        frames.forget_labels(self._session, ids)
        of_source = label.c.source == self._source
        for chunk in batched(ids, PARAMETERS):
            before = has_id(label.c.image_id, chunk) & (label.c.id < self._first)
            self._session.execute(label.delete().where(of_source, before))
        surest: dict[tuple[int, str | None], Said] = {}
        for remark in said:
            key = (remark.image_id, remark.label)
            if key not in surest or _is_surer(remark.confidence, surest[key].confidence):
                surest[key] = remark
        for some in batched(surest.values(), PARAMETERS):
            self._store(some)

    def finish(self) -> Stored:
        """Bring the frame up to date when all is said; return what is stored."""
        frames.bring_up_to_date(self._session)
        labelled = sa.case((label.c.label.is_not(None), label.c.image_id))
        counted = self._session.execute(
            sa.select(
                sa.func.count(labelled.distinct()),
                sa.func.count(label.c.label),
                sa.func.count(label.c.failure),
            ).where(label.c.id >= self._first)
        ).one()
        return Stored(*counted)

    def _store(self, said: Sequence[Said]) -> None:
        """Store what is said, but for what an earlier call has stored with no less confidence."""
        of_images = has_id(label.c.image_id, {remark.image_id for remark in said})
        statement = sa.select(label.c.image_id, label.c.label, label.c.id, label.c.confidence)
        there = {
            (image_id, name): (row_id, confidence)
            for image_id, name, row_id, confidence in self._session.rows(
                statement.where(of_images, label.c.id >= self._first)
            )
        }
        self._insert([remark for remark in said if remark[:2] not in there])
        for remark in said:
            row_id, confidence = there.get(remark[:2], (None, None))
            if row_id is not None and _is_surer(remark.confidence, confidence):
                better = label.update().where(label.c.id == row_id)
                self._session.execute(better.values(confidence=remark.confidence))

    def _insert(self, said: Sequence[Said]) -> None:
        rows: list[dict[str, Any]] = [
            {"id": row_id, "source": self._source, **remark._asdict()}
            for row_id, remark in enumerate(said, self._next)
        ]
        if rows:
            self._session.execute(label.insert(), rows)
        self._next += len(rows)


def _is_surer(confidence: float | None, other: float | None) -> bool:
    """Compare confidences: what has none is as sure as can be."""
    return other is not None and (confidence is None or confidence > other)


def counts(session: Session) -> list[LabelCount]:
    """Return the labels of each source, the most frequent first."""
    images = sa.func.count(label.c.image_id.distinct())
    rows = session.execute(
        sa.select(label.c.source, label.c.label, images)
        .group_by(label.c.source, label.c.label)
        .order_by(label.c.source, images.desc(), label.c.label)
    )
    return [LabelCount(*row) for row in rows]


def drop(session: Session, source: str) -> int:
    """Forget what a source said; return how many labels. The caller commits.

    Raises
    ------
    SampleError
        When there is no such source.
    """
    of_source = label.c.source == source
    frames.forget_labels(session, session.scalars(sa.select(label.c.image_id).where(of_source)))
    dropped = session.execute(label.delete().where(of_source)).rowcount
    frames.bring_up_to_date(session)
    if not dropped:
        sources = session.scalars(sa.select(label.c.source).distinct().order_by(label.c.source))
        others = ", ".join(map(printable, sources)) or "none"
        raise SampleError(f"no labels are from {printable(source)!r}; there are those of: {others}")
    return dropped


class Spoken(NamedTuple):
    """Of some images: how many have `labels`, and how many are in saved `samples`."""

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
