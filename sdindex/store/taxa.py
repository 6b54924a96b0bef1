"""The taxonomy of labels: the name of each label at each rank."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from sdindex.archive.names import printable
from sdindex.errors import SampleError
from sdindex.store.database import Session
from sdindex.store.tables import label, taxon


def store(session: Session, taxonomy: Mapping[str, Mapping[str, str]]) -> None:
    """Store the names of labels at each rank, in place of earlier ones of these labels."""
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
    """Delete the taxonomy of labels that no image has."""
    used = sa.select(label.c.label).where(label.c.label.is_not(None))
    session.execute(taxon.delete().where(taxon.c.label.not_in(used)))


def names_at(session: Session, rank: str) -> dict[str, str]:
    """Return, by label, the name at a rank, such as ``family``, where it has one."""
    of_rank = sa.select(taxon.c.label, taxon.c.name).where(taxon.c.rank == rank)
    return dict(session.rows(of_rank.order_by(taxon.c.label)))


def ranks_of(session: Session, labels: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the names at each rank, by label, of the labels that have any."""
    wanted, found = set(labels), defaultdict[str, dict[str, str]](dict)
    for name, rank, at_rank in session.rows(sa.select(taxon.c.label, taxon.c.rank, taxon.c.name)):
        if name in wanted:
            found[name][rank] = at_rank
    return found


def labels_of(session: Session, rank: str, name: str) -> set[str]:
    """Return the labels with a name at a rank, such as of a family; case does not matter.

    Raises
    ------
    SampleError
        When there are none; the text lists the names at that rank.
    """
    names = names_at(session, rank)
    found = {label for label, of_label in names.items() if of_label.lower() == name.lower()}
    if found:
        return found
    if not names:
        raise SampleError(
            f"no label of this index has a {rank}: import results with a taxonomy "
            "(classification_category_descriptions)"
        )
    there = ", ".join(printable(each) for each in sorted({*names.values()}))
    raise SampleError(
        f"no label is of the {rank} {printable(name)!r}; those of this index: {there}"
    )
