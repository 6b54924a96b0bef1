"""The list of files to be read, and of images that are gone, in temporary tables.

There may be millions: the tables lie on this machine's disk, and go with the session.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from sdindex.archive.changes import Reason, ToRead
from sdindex.archive.state import BY_TIME, FileState
from sdindex.hashing.methods import stored_name
from sdindex.store import images
from sdindex.store.archives import Archive, below
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched, has_id
from sdindex.store.tables import image

_temporary = sa.MetaData()
_to_read = sa.Table(
    "to_read",
    _temporary,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", image.c.path.type, nullable=False),
    sa.Column("name", image.c.path.type, nullable=False),
    sa.Column("image_id", sa.BigInteger),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in FileState._fields),
)
# With all columns that are needed, so that the images themselves are not searched.
_gone = sa.Table(
    "gone",
    _temporary,
    sa.Column("image_id", sa.BigInteger, primary_key=True),
    sa.Column("name", image.c.path.type, nullable=False),
    sa.Column("was_there", sa.Boolean, nullable=False),
    sa.Column("usable", sa.Boolean, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in FileState._fields),
)
_moved = sa.Table(
    "moved",
    _temporary,
    sa.Column("image_id", sa.BigInteger, primary_key=True),
    sa.Column("to_read_id", sa.BigInteger, nullable=False),
    sa.Column("path", image.c.path.type, nullable=False),
)


class FileToRead(NamedTuple):
    """A file to be read, and the id of its row; None if it is new.

    `version` is that of an object: see `sdindex.archive.state.FoundFile`.
    """

    path: str
    state: FileState
    image_id: int | None
    reason: Reason
    version: str


def begin(session: Session) -> None:
    """Make an empty list."""
    _temporary.drop_all(session.local.connection)
    _temporary.create_all(session.local.connection)


def add(session: Session, files: Iterable[ToRead]) -> None:
    """List files to be read."""
    for chunk in batched(files, PARAMETERS):
        session.local.execute(_to_read.insert(), [_row(listed) for listed in chunk])


def files(session: Session) -> Iterator[FileToRead]:
    """Yield the files that are listed; the caller may commit in between."""
    last = 0
    while True:
        rows = session.local.execute(
            sa.select(_to_read)
            .where(_to_read.c.id > last)
            .order_by(_to_read.c.id)
            .limit(PARAMETERS)
        ).all()
        for row in rows:
            state = FileState(row.size, row.mtime_ns, row.ctime_ns, row.inode)
            yield FileToRead(row.path, state, row.image_id, Reason(row.reason), row.version)
        if not rows:
            return
        last = rows[-1].id


def drop_below(session: Session, folder: str) -> int:
    """Take files below a folder off the list; return how many."""
    return session.local.execute(_to_read.delete().where(below(_to_read.c.path, folder))).rowcount


def accept_shift(session: Session, shifted: Reason, by_ns: int) -> tuple[int, int]:
    """Take files off the list whose only change is a shift of times, and store the new times.

    Return how many, and how many of these are unreadable.
    """
    is_shifted = _to_read.c.reason == shifted.value
    of_image = session.local.scalars(sa.select(_to_read.c.image_id).where(is_shifted)).all()
    accepted = images.shift_times(session, of_image, by_ns)
    session.local.execute(_to_read.delete().where(is_shifted))
    return accepted


def list_gone(
    session: Session, archive: Archive, gone: Iterable[int], fields: Sequence[str] = BY_TIME
) -> set[int]:
    """List images that a new file may be, after a move: missing before, or gone now.

    Return the ids of gone images with the base name and `fields` of a new file. Where several
    match, it is unknown which one moved, but none counts as lost.
    """
    if not session.local.scalar(sa.select(sa.exists().where(_to_read.c.image_id.is_(None)))):
        return set()
    missing = (image.c.archive_id == archive.id) & image.c.missing_since.is_not(None)
    _list_as_gone(session, archive, missing)
    for chunk in batched(gone, PARAMETERS):
        _list_as_gone(session, archive, has_id(image.c.id, chunk))
    alike_in = ("name", *fields)
    new = sa.select(*(_to_read.c[name] for name in alike_in))
    alike = session.local.scalars(
        sa.select(_gone.c.image_id).where(
            _gone.c.was_there,
            sa.tuple_(*(_gone.c[name] for name in alike_in)).in_(
                new.where(_to_read.c.image_id.is_(None))
            ),
        )
    )
    return set(alike)


def record_moves(session: Session, archive: Archive, fields: Sequence[str]) -> set[int]:
    """Give images that `list_gone` listed the path of the new file that each became.

    A new file is a moved image if exactly one listed image has its base name and `fields`, and no
    other new file has. It is taken off the list. Return the ids of the moved images.
    """
    moved = sa.select(_moved.c.image_id, _moved.c.path)
    session.local.execute(
        _moved.insert().from_select(["to_read_id", "image_id", "path"], _moves(fields))
    )
    images.move(session, archive, session.local.rows(moved))
    is_moved = _to_read.c.id.in_(sa.select(_moved.c.to_read_id))
    session.local.execute(_to_read.delete().where(is_moved))
    return set(session.local.scalars(sa.select(_moved.c.image_id)))


def _row(listed: ToRead) -> dict[str, Any]:
    file, known, reason = listed
    return {
        "path": file.path,
        "name": _base_name(file.path),
        "image_id": known.id if known else None,
        "reason": reason,
        "version": file.version,
        **file.state._asdict(),
    }


def _list_as_gone(session: Session, archive: Archive, images: sa.ColumnElement[bool]) -> None:
    usable = image.c.settled & (image.c.method == stored_name(archive.method))
    found = session.rows(
        sa.select(
            image.c.id,
            image.c.path,
            image.c.missing_since.is_(None),
            usable,
            *(image.c[name] for name in FileState._fields),
        ).where(images)
    )
    for chunk in batched(found, PARAMETERS):
        rows = [
            {"image_id": row_id, "name": _base_name(path), "was_there": there, "usable": usable}
            | FileState(*state)._asdict()
            for row_id, path, there, usable, *state in chunk
        ]
        session.local.execute(_gone.insert(), rows)


def _moves(compared: Sequence[str]) -> sa.Select[Any]:
    """Select, for each moved file, its row in the list, the image and the new path."""
    return (
        sa.select(
            sa.func.min(_to_read.c.id), sa.func.min(_gone.c.image_id), sa.func.min(_to_read.c.path)
        )
        .select_from(_to_read)
        .join(
            _gone,
            sa.and_(*(_to_read.c[name] == _gone.c[name] for name in ("name", *compared))),
        )
        .where(_to_read.c.image_id.is_(None), _gone.c.usable)
        .group_by(*(_to_read.c[name] for name in ("name", *compared)))
        .having(sa.func.count() == 1)
    )


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]
