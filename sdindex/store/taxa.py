"""The ranks of labels in a taxonomy, and their names there."""

from collections.abc import Mapping

import sqlalchemy as sa

from sdindex.store.database import Session
from sdindex.store.tables import label, taxon


def store(session: Session, taxonomy: Mapping[str, Mapping[str, str]]) -> None:
    """Store the names of labels at each rank, in place of what was known of these labels."""
    rows = [
        {"label": name, "rank": rank, "name": value}
        for name, ranks in taxonomy.items()
        for rank, value in ranks.items()
    ]
    for name in taxonomy:
        session.execute(taxon.delete().where(taxon.c.label == name))
    if rows:
        session.execute(taxon.insert(), rows)


def forget_unused(session: Session) -> None:
    """Forget what is known of labels that no image has."""
    used = sa.select(label.c.label).where(label.c.label.is_not(None))
    session.execute(taxon.delete().where(taxon.c.label.not_in(used)))


def names_at(session: Session, rank: str) -> dict[str, str]:
    """Return the name at a rank, such as ``family``, of each label that has one there."""
    of_rank = sa.select(taxon.c.label, taxon.c.name).where(taxon.c.rank == rank)
    return dict(session.rows(of_rank.order_by(taxon.c.label)))


def ranks(session: Session) -> list[str]:
    """Return the ranks at which labels have names."""
    return list(session.scalars(sa.select(taxon.c.rank).distinct().order_by(taxon.c.rank)))
