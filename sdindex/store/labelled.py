"""The ids of images with labels, in natural order."""

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from sdindex.store.database import Session
from sdindex.store.loading import load
from sdindex.store.tables import image, label


def labelled_ids(session: Session, sources: Sequence[str]) -> Sequence[int]:
    """Return the ids of the present images with labels or failures of these sources.

    Images that can be sampled come first, in natural order.
    """
    said = sa.select(label.c.image_id).where(label.c.source.in_(sources))
    there = sa.select(image.c.id).where(image.c.missing_since.is_(None), image.c.id.in_(said))
    ids = np.fromiter((row_id for (row_id,) in session.rows(there)), np.int64)
    in_order = load(session).ids
    rest = np.setdiff1d(ids, in_order)
    found: list[int] = np.concatenate([in_order[np.isin(in_order, ids)], rest]).tolist()
    return found
