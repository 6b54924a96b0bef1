"""The labels of images, as the sampling frame has them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from sdindex.sampling.blocks import Labels
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.tables import label


def labels_of(session: Session, ids: Sequence[int]) -> Labels:
    """Return the labels of images by id: those by people first, then the surest, then by name.

    A label without a confidence counts as 1.
    """
    if not session.scalar(sa.select(sa.exists(sa.select(label.c.id)))):
        return {}
    found: Labels = defaultdict(list)
    confidence = sa.func.max(sa.func.coalesce(label.c.confidence, 1.0))
    by_people = sa.func.max(sa.cast(label.c.human, sa.Integer))
    said = label.c.image_id, label.c.label, label.c.source
    for some in _conditions(ids):
        statement = (
            sa.select(label.c.image_id, label.c.label, confidence, label.c.source)
            .where(label.c.label.is_not(None), some)
            .group_by(*said)
            .order_by(by_people.desc(), confidence.desc(), label.c.label, label.c.source)
        )
        for image_id, name, sure, source in session.rows(statement):
            found[image_id].append((name, sure, source))
    return found


def _conditions(ids: Sequence[int]) -> Iterator[sa.ColumnElement[bool]]:
    """Yield conditions by which all labels of these images are found, and few of others."""
    first, last = min(ids, default=0), max(ids, default=0)
    if last - first < 2 * len(ids):  # as of images that were indexed one after the other
        yield label.c.image_id.between(first, last)
    else:
        for chunk in batched(ids, PARAMETERS):
            yield has_id(label.c.image_id, chunk)
