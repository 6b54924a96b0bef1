"""Reviews: what people decided on images, kept as it is decided.

A review has a name, and the count and options that it was last shown with. Of several decisions on
an image the last one counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from itertools import count as numbers
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from sdindex.archive.names import printable
from sdindex.archive.roots import stored_root
from sdindex.errors import SampleError
from sdindex.sampling.options import SampleOptions
from sdindex.store import samples
from sdindex.store.database import Session
from sdindex.store.tables import archive, decision, from_json, image, review, utc_now

What = Literal["kept", "rejected", "left"]
WHAT: tuple[What, ...] = ("kept", "rejected", "left")


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on an image.

    Attributes
    ----------
    path
        Absolute.
    what
        ``"kept"``, ``"rejected"``, or ``"left"``: undecided again.
    within
        Where alike images are rejected with it: in how many bits they differ at most; else None.
    made_at
        UTC.
    """

    path: str
    what: str
    within: int | None
    observer: str
    made_at: datetime
    why: str | None


class Review(NamedTuple):
    """A review with the count and options that it was last shown with."""

    id: int
    name: str
    asked: int
    options: dict[str, Any]


class Known(NamedTuple):
    """The last decision on an image, by the image's id; see `Decision`."""

    id: int
    image: int
    what: What
    within: int | None
    why: str | None


def find(session: Session, name: str) -> Review | None:
    """Return the review of that name, or None."""
    columns = review.c.id, review.c.name, review.c.asked, review.c.options
    for row in session.execute(sa.select(*columns).where(review.c.name == name)):
        return Review(row.id, row.name, row.asked, from_json(row.options, dict))
    return None


def require(session: Session, name: str) -> Review:
    """Return the review of that name.

    Raises
    ------
    SampleError
        When there is none.
    """
    found = find(session, name)
    if found is None:
        others = ", ".join(session.scalars(sa.select(review.c.name).order_by(review.c.name)))
        raise SampleError(
            f"there is no review {printable(name)!r}; those there are: {others or 'none'}"
        )
    return found


def free_name(session: Session) -> str:
    """Return a new name, which neither a review nor a sample has."""
    taken = samples.names(session).union(session.scalars(sa.select(review.c.name)))
    return next(name for name in (f"review-{n}" for n in numbers(1)) if name not in taken)


def keep(session: Session, name: str, asked: int, options: SampleOptions) -> int:
    """Store a review's count and options; return its id. The caller commits."""
    found = find(session, name)
    values = {"asked": asked, "options": options.to_json(), "program": version("sdindex")}
    if found is None:
        made = review.insert().values(name=name, made_at=utc_now(), **values)
        return int(session.execute(made.returning(review.c.id)).one()[0])
    session.execute(review.update().where(review.c.id == found.id).values(values))
    return found.id


def decide(
    session: Session,
    review_id: int,
    images: Iterable[int],
    what: What,
    *,
    observer: str,
    within: int | None = None,
    why: str | None = None,
) -> None:
    """Store a decision on images, but those so decided already. The caller commits."""
    known = {found.image: found for found in latest(session, review_id)}
    for row in images:
        before = known.get(row)
        if before is not None and (before.what, before.within) == (what, within) and why is None:
            continue
        session.execute(
            decision.insert().values(
                review_id=review_id,
                image_id=row,
                what=what,
                within=within,
                observer=observer,
                made_at=utc_now(),
                why=why or (before and before.why) or None,
            )
        )


def annotate(session: Session, review_id: int, row: int, why: str, *, observer: str) -> None:
    """Store a note on the last decision on an image, or on leaving it. The caller commits."""
    of_image = [found.id for found in latest(session, review_id) if found.image == row]
    if not of_image:
        decide(session, review_id, [row], "left", observer=observer, why=why)
    else:
        changed = decision.update().where(decision.c.id == of_image[0])
        session.execute(changed.values(why=why or None))


def undo(session: Session, review_id: int, *, observer: str) -> int | None:
    """Delete an observer's last decision; return its image's id, or None. The caller commits."""
    last = (
        sa.select(decision.c.id, decision.c.image_id)
        .where(decision.c.review_id == review_id, decision.c.observer == observer)
        .order_by(decision.c.id.desc())
        .limit(1)
    )
    for row in session.execute(last).all():
        session.execute(decision.delete().where(decision.c.id == row.id))
        return int(row.image_id)
    return None


def latest(session: Session, review_id: int) -> list[Known]:
    """Return the last decision on each image, in the order in which they were made."""
    columns = (
        decision.c.id, decision.c.image_id, decision.c.what, decision.c.within, decision.c.why
    )  # fmt: skip
    rows = session.execute(
        sa.select(*columns).where(decision.c.review_id == review_id).order_by(decision.c.id)
    )
    found = {row[1]: Known(*row) for row in rows}
    return sorted(found.values())


def rejected_by(session: Session, observer: str) -> set[int]:
    """Return the ids of the images whose last decision by an observer is to reject.

    Raises
    ------
    SampleError
        When the observer decided nothing.
    """
    rows = session.execute(
        sa.select(decision.c.image_id, decision.c.what)
        .where(decision.c.observer == observer)
        .order_by(decision.c.id)
    )
    last = {row.image_id: row.what for row in rows}
    if not last:
        others = session.scalars(sa.select(decision.c.observer).distinct())
        known = ", ".join(sorted(map(printable, others))) or "none"
        raise SampleError(
            f"{printable(observer)!r} decided nothing in this index; the observers are: {known}"
        )
    return {row for row, what in last.items() if what == "rejected"}


def told(session: Session, name: str) -> list[Decision]:
    """Return all decisions of a review, or of the review that a saved sample came from, in order.

    Raises
    ------
    SampleError
        When there is neither of that name.
    """
    found = find(session, name)
    if found is None and name in samples.names(session):
        from_review = samples.options_of(session, name).get("review")
        found = None if from_review is None else find(session, from_review)
        if found is None:
            raise SampleError(f"nobody decided on the sample {printable(name)!r}")
    found = found or require(session, name)
    rows = session.execute(
        sa.select(
            archive.c.root, image.c.path, decision.c.what, decision.c.within,
            decision.c.observer, decision.c.made_at, decision.c.why,
        )
        .join(image, image.c.id == decision.c.image_id)
        .join(archive, archive.c.id == image.c.archive_id)
        .where(decision.c.review_id == found.id)
        .order_by(decision.c.id)
    )  # fmt: skip
    return [Decision(stored_root(root).location(path), *values) for root, path, *values in rows]
