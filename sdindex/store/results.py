"""Results of detectors and classifiers, stored as they were imported, to be exported again.

The table `result` has, as JSON, all that a source's file says of an image but its path;
`result_file` all that the file has beside the images, such as the names of categories. Labels are
made from these: see `sdindex.exchange.detections`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.inserting import insert
from sdindex.store.tables import from_json, label, result, result_file

Header = dict[str, Any]


def header_of(session: Session, source: str) -> Header | None:
    """Return what a source's file has beside the images; None when it has no results."""
    stored = session.scalar(sa.select(result_file.c.header).where(result_file.c.source == source))
    return None if stored is None else from_json(stored, dict)


def store_header(session: Session, source: str, header: Header) -> None:
    """Store what a source's file has beside the images."""
    of_source = result_file.c.source == source
    values = {"header": json.dumps(header)}
    if number_of(session, source) is None:
        session.execute(result_file.insert().values(source=source, **values))
    else:
        session.execute(result_file.update().where(of_source).values(values))


def replace(
    session: Session, source: str, records: Mapping[int, str], *, instead_of: Iterable[int]
) -> None:
    """Store results by image id, and delete the earlier results of `instead_of`."""
    number = number_of(session, source)
    if number is None:
        return
    for chunk in batched(instead_of, PARAMETERS):
        session.execute(
            result.delete().where(has_id(result.c.image_id, chunk), result.c.file_id == number)
        )
    rows = [(image_id, number, data) for image_id, data in records.items()]
    insert(session, result, ("image_id", "file_id", "data"), rows)


def drop(session: Session, source: str) -> None:
    """Delete the results of a source."""
    number = sa.select(result_file.c.id).where(result_file.c.source == source).scalar_subquery()
    session.execute(result.delete().where(result.c.file_id == number))
    session.execute(result_file.delete().where(result_file.c.source == source))


def number_of(session: Session, source: str) -> int | None:
    """Return the id of a source's results; None when it has none."""
    found = session.scalar(sa.select(result_file.c.id).where(result_file.c.source == source))
    return None if found is None else int(found)


def of_images(session: Session, ids: Iterable[int], source: str) -> dict[int, str]:
    """Return a source's results of images (a batch at most), by image id."""
    number = number_of(session, source)
    if number is None:
        return {}
    of_ids = has_id(result.c.image_id, ids) & (result.c.file_id == number)
    return dict(session.rows(sa.select(result.c.image_id, result.c.data).where(of_ids)))


class SaidAlone(NamedTuple):
    """A label or failure without results, such as one that a person gave."""

    image_id: int
    source: str
    label: str | None
    confidence: float | None
    failure: str | None
    bbox: str | None


def said_alone(session: Session, ids: Iterable[int], sources: Sequence[str]) -> list[SaidAlone]:
    """Return the labels of images (a batch at most) that have no results."""
    columns = (label.c[name] for name in SaidAlone._fields)
    statement = _alone(sources, *columns).where(has_id(label.c.image_id, ids)).order_by(label.c.id)
    return [SaidAlone(*row) for row in session.rows(statement)]


def labels_alone(session: Session, sources: Sequence[str]) -> list[str]:
    """Return the labels that some image has without results."""
    statement = _alone(sources, label.c.label).where(label.c.label.is_not(None)).distinct()
    return list(session.scalars(statement.order_by(label.c.label)))


def _alone(sources: Sequence[str], *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    is_kept = (result.c.image_id == label.c.image_id) & (result.c.file_id == result_file.c.id)
    return (
        sa.select(*columns)
        .outerjoin(result_file, result_file.c.source == label.c.source)
        .outerjoin(result, is_kept)
        .where(label.c.source.in_(sources), result.c.image_id.is_(None))
    )
