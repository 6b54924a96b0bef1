"""The one writer of the table `image`: with each change it keeps the sampling frame true.

Whoever changes an image calls a function of this module, and `frame_up_to_date` at the end. No
other module writes to ``image``, so that none can forget the frame. (Only `sdindex.store.labels`
also keeps the frame true: for labels.)
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from sdindex.archive.names import from_text
from sdindex.archive.natural import sort_key
from sdindex.archive.state import FoundFile
from sdindex.hashing.methods import stored_name
from sdindex.hashing.picture import ImageRead
from sdindex.progress import counter
from sdindex.store import frames
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.inserting import insert, set_column
from sdindex.store.tables import archive as archive_table
from sdindex.store.tables import decision, image, sample_image

if TYPE_CHECKING:
    from sdindex.store.archives import Archive, Part

# The columns that a `Picture` gives; NULL where the image could not be read.
_OF_PICTURE = ("dhash", "brightness", "grey", "colour", "width", "height", "taken_at")


# The columns that another index of the same archive can copy: all but those that depend on the
# image's neighbours.
_OWN = {"id", "archive_id", "motion", "missing_since"}
_COPIED = 50_000  # rows that are stored together
COPIED = tuple(column.name for column in image.columns if column.name not in _OWN)


class KnownFile(NamedTuple):
    """A file as the index knows it: its path in stored form, size and time."""

    path: str
    size: int
    mtime_ns: int


def add(session: Session, archive: "Archive", read: Mapping[str, ImageRead]) -> None:
    """Store what was read of new files, by their paths in stored form.

    A batch can be stored again when it is not known whether it was committed.
    """
    rows = [
        _values(archive, result) | {"archive_id": archive.id} | _named(archive, path)
        for path, result in read.items()
    ]
    if rows:
        session.put(image, ["archive_id", "path"], rows)
        if frames.is_kept(session, archive.id):
            frames.note(session, (image.c.archive_id == archive.id) & image.c.path.in_(read))


def copy(
    session: Session, archive: "Archive", others: Sequence[tuple[Session, "Archive"]]
) -> Iterator[int]:
    """Copy the present images of an archive from other indexes; this one must have none of them.

    They are stored in the order of their paths, in which they are later read. Yield how many are
    stored, batch by batch; the caller commits.
    """
    frames.forget(session, archive.id)
    alike, found = all(other.is_like(session) for other, _ in others), []
    for other, of_other in others:
        there = (image.c.archive_id == of_other.id) & image.c.missing_since.is_(None)
        rows = sa.select(*(image.c[name] for name in COPIED)).where(there).order_by(image.c.path)
        found.append(other.raw_rows(rows) if alike else other.rows(rows))
    names = ["archive_id", *COPIED]
    for some in batched(merge(*found), _COPIED):
        rows_here = [(archive.id, *row) for row in some]
        if alike:
            insert(session, image, names, rows_here)
        else:
            named = [dict(zip(names, row, strict=True)) for row in rows_here]
            session.execute(image.insert(), named)
        yield len(some)


def replace(session: Session, archive: "Archive", read: Mapping[int, ImageRead]) -> None:
    """Store what was read of changed files, by their rows' ids."""
    rows = [_values(archive, result) | {"row": row} for row, result in read.items()]
    _set(session, rows)


def refuse(session: Session, archive: "Archive", refused: Mapping[int, ImageRead]) -> None:
    """Store why the system did not give known files, by their rows' ids.

    What the archive's method gave before stays; the files are read again next time.
    """
    for chunk in batched(refused, PARAMETERS):
        is_known = image.c.dhash.is_not(None) & (image.c.method == stored_name(archive.method))
        known = set(
            session.scalars(sa.select(image.c.id).where(has_id(image.c.id, chunk), is_known))
        )
        replace(session, archive, {row: refused[row] for row in chunk if row not in known})


def set_missing(session: Session, ids: Iterable[int], since: datetime) -> None:
    """Record that the files of some images are gone."""
    for chunk in batched(ids, PARAMETERS):
        gone = {"missing_since": since, "motion": None}
        _set(session, [{"row": row, **gone} for row in chunk])


def set_back(session: Session, ids: Iterable[int]) -> None:
    """Record that the files of some images are there again."""
    for chunk in batched(ids, PARAMETERS):
        _set(session, [{"row": row, "missing_since": None} for row in chunk])


def move(session: Session, archive: "Archive", moves: Iterable[tuple[int, str]]) -> None:
    """Give images new paths, in stored form: their files were moved, and are there."""
    for chunk in batched(moves, PARAMETERS):
        named = [{"row": row, "missing_since": None} | _named(archive, new) for row, new in chunk]
        _set(session, named)


def shift_times(session: Session, ids: Iterable[int], by_ns: int) -> tuple[int, int]:
    """Take the times of files that are there as shifted by so many nanoseconds.

    Return how many images have such times, and how many of these could not be read.
    """
    shifted = unreadable = 0
    times = {"mtime_ns": image.c.mtime_ns + by_ns, "missing_since": None}
    for chunk in batched(ids, PARAMETERS):
        chosen = has_id(image.c.id, chunk)
        frames.note(session, chosen & image.c.missing_since.is_not(None))
        shifted += session.execute(image.update().where(chosen).values(times)).rowcount
        unread = sa.select(sa.func.count()).where(chosen, image.c.dhash.is_(None))
        unreadable += session.scalar(unread) or 0
    return shifted, unreadable


def take_states(session: Session, archive: "Archive", files: Iterable[FoundFile]) -> None:
    """Take the files of an archive that was moved as the known ones, by path and size.

    Their states are stored, as another kind of root compares other fields.
    """
    known = sa.select(image.c.id, image.c.path, image.c.size).where(
        image.c.archive_id == archive.id, session.is_among(image.c.path, "paths")
    )
    for chunk in batched(files, PARAMETERS):
        there = {file.path: file for file in chunk}
        same = [
            {"row": row.id} | there[row.path].state._asdict()
            for row in session.execute(known, {"paths": list(there)})
            if row.size == there[row.path].size
        ]
        if same:
            _change(session, same)


def find_cameras(session: Session, archive: "Archive") -> None:
    """Find the camera of each image of an archive anew, by its rule and its pattern."""
    _derive(session, archive, "camera", archive.camera_of)
    frames.forget_cameras(session, archive.id)


def give(session: Session, part: "Part", archive: "Archive") -> None:
    """Give the images of a part to a new archive, whose root is the part's folder."""
    frames.forget(session, part.archive.id)
    below = sa.func.substr(image.c.path, len(part.under) + 1)
    session.execute(image.update().where(part.images()).values(archive_id=archive.id, path=below))
    sort_anew(session, archive)
    find_cameras(session, archive)


def sort_anew(session: Session, archive: "Archive") -> None:
    """Make the sort key of each image of an archive anew."""
    frames.forget(session, archive.id)
    _derive(session, archive, "sort_key", lambda path: sort_key(from_text(path)))


def delete_missing(session: Session) -> int:
    """Delete missing images, but those of saved samples or reviews; return how many."""
    for archive_id, root in session.execute(
        sa.select(archive_table.c.id, archive_table.c.root).order_by(archive_table.c.id)
    ).all():
        session.hold(archive_id, root)
    session.lock_samples()
    missing = image.c.missing_since.is_not(None)
    return session.execute(image.delete().where(missing, ~_is_saved())).rowcount


def forget(session: Session, ids: Iterable[int], since: datetime) -> tuple[int, int]:
    """Delete images; those of saved samples or reviews become missing instead.

    Return how many were deleted, and how many became missing.
    """
    deleted = kept = 0
    if ids := list(ids):
        session.lock_samples()
    for chunk in batched(ids, PARAMETERS):
        chosen = has_id(image.c.id, chunk)
        frames.note(session, chosen)
        deleted += session.execute(image.delete().where(chosen, ~_is_saved())).rowcount
        present = chosen & image.c.missing_since.is_(None)
        kept += session.execute(image.update().where(present).values(missing_since=since)).rowcount
    return deleted, kept


def delete_all(session: Session, archive: "Archive") -> int:
    """Delete the rows of an archive's images; return how many."""
    frames.forget(session, archive.id)
    return session.execute(image.delete().where(image.c.archive_id == archive.id)).rowcount


def expect(session: Session, archive: "Archive", changes: int) -> None:
    """Prepare the frame for so many changes of an archive's images."""
    frames.expect(session, archive.id, changes)


def frame_up_to_date(session: Session, *, progress: bool | None = False) -> None:
    """Bring the sampling frame up to date with the images: call it at the end of every change.

    First the motion of images with new neighbours is computed, as the frame has it. `progress`
    shows a count on stderr: always, never, or (None) only on a terminal.
    """
    if not frames.is_current(session):
        with counter("comparing neighbours", "images", show=progress, delay=1) as shown:
            _set_motion(session, shown.update)
    with counter("making the frame", "images", show=progress, delay=1) as shown:
        frames.bring_up_to_date(session, shown.update)


def _set_motion(session: Session, counted: Callable[[int], object]) -> None:
    from sdindex.store import motion  # numpy, imported only where there is something to do

    for changed in motion.changes(session, counted):
        for chunk in batched(changed, PARAMETERS):
            frames.note(session, has_id(image.c.id, (row for row, _ in chunk)))
            set_column(session, image, "motion", chunk)


def present(session: Session, part: "Part", most: int) -> int:
    """Return how many images of a part are present, counted up to `most`."""
    some = sa.select(image.c.id).where(part.images(), image.c.missing_since.is_(None)).limit(most)
    return session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0


def present_ids(session: Session, part: "Part") -> "array[int]":
    """Return the ids of the images of a part that are present."""
    present = sa.select(image.c.id).where(part.images(), image.c.missing_since.is_(None))
    return array("q", session.scalars(present))


def spread(session: Session, archive: "Archive", count: int) -> Sequence[KnownFile]:
    """Return up to `count` present files of an archive, evenly spread over its paths."""
    there = (image.c.archive_id == archive.id) & image.c.missing_since.is_(None)
    images = session.scalar(sa.select(sa.func.count()).where(there)) or 0
    number = sa.func.row_number().over(order_by=image.c.path) - 1
    numbered = sa.select(image.c.id, number.label("number")).where(there).subquery()
    chosen = sa.select(numbered.c.id).where(numbered.c.number % (images // count + 1) == 0)
    rows = session.execute(
        sa.select(image.c.path, image.c.size, image.c.mtime_ns).where(image.c.id.in_(chosen))
    )
    return [KnownFile(*row) for row in rows]


def paths_of(session: Session, ids: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Yield the id and the path of some images."""
    for chunk in batched(ids, PARAMETERS):
        rows = session.execute(sa.select(image.c.id, image.c.path).where(has_id(image.c.id, chunk)))
        yield from ((row.id, row.path) for row in rows)


def _is_saved() -> sa.ColumnElement[bool]:
    """Return the condition that an image is in a saved sample, or was decided on."""
    return sa.or_(
        sa.exists().where(sample_image.c.image_id == image.c.id),
        sa.exists().where(decision.c.image_id == image.c.id),
    )


def _values(archive: "Archive", read: ImageRead) -> dict[str, Any]:
    return {
        "method": stored_name(archive.method),
        "error": read.error,
        "settled": read.settled,
        "indexed_at": read.read_at,
        "missing_since": None,
        "motion": None,  # computed when the frame is brought up to date
        **read.state._asdict(),
        **{name: getattr(read.picture, name, None) for name in _OF_PICTURE},
    }


def _named(archive: "Archive", path: str) -> dict[str, Any]:
    """Return the columns of an image that its path decides."""
    return {
        "path": path,
        "sort_key": sort_key(from_text(path)),
        "camera": archive.camera_of(path),
    }


def _derive(
    session: Session, archive: "Archive", column: str, derived: Callable[[str], str | bytes]
) -> None:
    """Set a column of each image of an archive to what a function makes of its path."""
    of_archive = sa.select(image.c.id, image.c.path).where(image.c.archive_id == archive.id)
    last = 0
    while rows := session.execute(
        of_archive.where(image.c.id > last).order_by(image.c.id).limit(PARAMETERS)
    ).all():
        _change(session, [{"row": row.id, column: derived(row.path)} for row in rows])
        last = rows[-1].id


def _set(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change columns of rows; each is named by its id, as ``row``."""
    if not rows:
        return
    changed = has_id(image.c.id, (row["row"] for row in rows))
    frames.note(session, changed)
    _change(session, rows)
    if "path" in rows[0]:
        frames.note(session, changed)


def _change(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    columns: dict[str, Any] = {
        name: sa.bindparam(f"new_{name}") for name in rows[0] if name != "row"
    }
    session.execute(
        image.update().where(image.c.id == sa.bindparam("row")).values(**columns),
        [{name if name == "row" else f"new_{name}": row[name] for name in row} for row in rows],
    )
