"""Saved samples: storing them under a name, and reading them back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from itertools import repeat
from typing import Any

import sqlalchemy as sa

from sdindex.archive.names import printable
from sdindex.archive.roots import stored_root
from sdindex.errors import SampleError
from sdindex.sampling.options import SampleOptions
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.frames import available
from sdindex.store.tables import archive, from_json, image, sample, sample_image, utc_now

# The options of a saved sample that draw the same images from the sample itself.
_NOT_AGAIN = ("extend", "include", "files", "exclude", "review")


@dataclass(frozen=True, slots=True)
class SavedSample:
    """A sample that is kept in the index.

    Attributes
    ----------
    name
        Unique in the index.
    made_at
        UTC.
    asked
        Images that were asked for.
    images
        Images that it has.
    missing
        How many of them are missing, or cannot be read, now.
    options
        The options that it was drawn with and that are not at their defaults.
    program
        The version of sdindex that drew it.
    drawn_from
        How many images could be sampled then.
    split
        The parts that it is split into, with the percent asked for; empty where it is not split.
    """

    name: str
    made_at: datetime
    asked: int
    images: int
    missing: int
    options: dict[str, Any]
    program: str
    drawn_from: int
    split: dict[str, float]


def save(
    session: Session,
    name: str,
    count: int,
    options: SampleOptions,
    ids: Sequence[int],
    bursts: Sequence[int] | None,
) -> None:
    """Store a sample under a name that `require_new` has passed; the caller commits.

    From then on, the session no longer sees the state in which the sample was drawn.
    """
    from sdindex.sampling.bursts import BURST_RULE  # numpy, which has drawn the sample

    drawn_from = session.scalar(sa.select(sa.func.count()).where(available()))
    session.leave_state()
    inserted = sample.insert().values(
        name=name,
        made_at=utc_now(),
        asked=count,
        options=options.to_json(),
        program=version("sdindex"),
        drawn_from=drawn_from,
        burst_rule=BURST_RULE,
    )
    (sample_id,) = session.execute(inserted.returning(sample.c.id)).one()
    rows = zip(ids, bursts if bursts else repeat(None, len(ids)), strict=True)
    for chunk in batched(rows, PARAMETERS):
        session.execute(
            sample_image.insert(),
            [{"sample_id": sample_id, "image_id": row, "burst": burst} for row, burst in chunk],
        )


def require_new(session: Session, name: str) -> None:
    """Refuse a name that a sample cannot get.

    Raises
    ------
    SampleError
        When it is taken, empty, begins or ends with a blank, or has what a terminal would act on.
    """
    if not name.strip() or printable(name) != name:
        raise SampleError(f"{printable(name)!r} is no name for a sample")
    if name.strip() != name:
        raise SampleError(f"{name!r} is no name for a sample: give it without the blanks around it")
    if name in names(session):
        raise SampleError(
            f"there is a sample {name!r} already; choose another name, or drop it first: "
            "sdindex samples drop NAME"
        )


def names(session: Session) -> set[str]:
    """Return the names of the saved samples."""
    return set(session.scalars(sa.select(sample.c.name)))


def listing(session: Session) -> list[SavedSample]:
    """Return the saved samples, the oldest first."""
    rows = session.execute(
        sa.select(
            sample,
            sa.func.count(sample_image.c.image_id).label("images"),
            sa.func.count(image.c.id).filter(~available()).label("missing"),
        )
        .join(sample_image, sample_image.c.sample_id == sample.c.id, isouter=True)
        .join(image, image.c.id == sample_image.c.image_id, isouter=True)
        .group_by(sample.c.id)
        .order_by(sample.c.id)
    )
    return [
        SavedSample(
            row.name,
            row.made_at,
            row.asked,
            row.images,
            row.missing,
            _options(row.options),
            row.program,
            row.drawn_from,
            {} if row.split is None else from_json(row.split, dict)["into"],
        )
        for row in rows
    ]


def options_of(session: Session, name: str) -> dict[str, Any]:
    """Return the options of a saved sample that are not at their defaults.

    Raises
    ------
    SampleError
        When there is none of that name.
    """
    of_id = sa.select(sample.c.options).where(sample.c.id == _id_of(session, name))
    return _options(session.scalars(of_id).one())


def _options(stored: str) -> dict[str, Any]:
    return from_json(stored, dict)


def again(session: Session, name: str) -> tuple[int, SampleOptions]:
    """Return how many images of a saved sample are there, and the options that draw just these.

    Raises
    ------
    SampleError
        When there is none of that name.
    """
    given = options_of(session, name)
    kept = {option: value for option, value in given.items() if option not in _NOT_AGAIN}
    there = present(session, bursts_of(session, name))
    return len(there), SampleOptions(**kept, extend=name)


def has_ids_of_bursts(session: Session, name: str) -> bool:
    """Say whether a burst is stored as its first image's id; older versions stored a number."""
    rule = session.scalar(
        sa.select(sample.c.burst_rule).where(sample.c.id == _id_of(session, name))
    )
    return rule is not None and rule > 1


def bursts_of(session: Session, name: str) -> dict[int, int | None]:
    """Return the burst of each image of a saved sample, by the image's id.

    Raises
    ------
    SampleError
        When there is none of that name.
    """
    rows = session.execute(
        sa.select(sample_image.c.image_id, sample_image.c.burst).where(
            sample_image.c.sample_id == _id_of(session, name)
        )
    )
    return {row.image_id: row.burst for row in rows}


def ids_of(session: Session, name: str) -> set[int]:
    """Return the ids of a saved sample's images.

    Raises
    ------
    SampleError
        When there is none of that name.
    """
    of_sample = sample_image.c.sample_id == _id_of(session, name)
    found: set[int] = set()
    for (rows,) in session.columns(sa.select(sample_image.c.image_id).where(of_sample)):
        found.update(rows)
    return found


def parts_of(session: Session, name: str, part: str | None = None) -> dict[int, str | None]:
    """Return the part of a split sample that each image is in, by the image's id.

    Parameters
    ----------
    part
        Only the images of this part.

    Raises
    ------
    SampleError
        When there is no sample of that name, or no such part of it.
    """
    of_name = sample_image.c.sample_id == _id_of(session, name)
    known = sa.select(sample_image.c.split).where(of_name, sample_image.c.split.is_not(None))
    there = sorted(session.scalars(known.distinct()))
    if part is not None and part not in there:
        raise SampleError(
            f"{printable(name)} has no part {printable(part)!r}; its parts: "
            f"{', '.join(there) or 'none, split it with: sdindex samples split NAME'}"
        )
    if not there:
        return {}
    wanted = of_name if part is None else of_name & (sample_image.c.split == part)
    return dict(
        session.rows(sa.select(sample_image.c.image_id, sample_image.c.split).where(wanted))
    )


def _id_of(session: Session, name: str) -> int:
    found: int | None = session.scalar(sa.select(sample.c.id).where(sample.c.name == name))
    if found is None:
        others = ", ".join(sorted(names(session))) or "none"
        raise SampleError(
            f"there is no saved sample {printable(name)!r}; those there are: {others}"
        )
    return found


def present(session: Session, ids: Collection[int]) -> set[int]:
    """Return those of the images that can be sampled."""
    return {
        row
        for chunk in batched(ids, PARAMETERS)
        for row in session.scalars(
            sa.select(image.c.id).where(has_id(image.c.id, chunk), available())
        )
    }


def missing(session: Session, name: str) -> list[str]:
    """Return the paths of a saved sample's images that are missing or unreadable now.

    Raises
    ------
    SampleError
        When there is none of that name.
    """
    rows = session.execute(
        sa.select(archive.c.root, image.c.path)
        .join(archive, archive.c.id == image.c.archive_id)
        .join(sample_image, sample_image.c.image_id == image.c.id)
        .where(sample_image.c.sample_id == _id_of(session, name), ~available())
        .order_by(archive.c.sort_key, image.c.sort_key)
    )
    return [stored_root(root).location(path) for root, path in rows]


def drop(session: Session, name: str) -> None:
    """Forget a saved sample; the caller commits.

    Raises
    ------
    SampleError
        When there is none of that name.
    """
    dropped = _id_of(session, name)
    session.execute(sample_image.delete().where(sample_image.c.sample_id == dropped))
    session.execute(sample.delete().where(sample.c.id == dropped))
