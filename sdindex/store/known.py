"""The known files of an archive, in the order of a scan, for comparing with the files found."""

from collections.abc import Iterator
from typing import cast

import sqlalchemy as sa

from sdindex.archive.changes import Doubt, KnownRow
from sdindex.archive.scan import Span
from sdindex.hashing.methods import stored_name
from sdindex.store.archives import Part
from sdindex.store.database import Session
from sdindex.store.tables import image


def spans(session: Session, part: Part, images: int) -> list[Span]:
    """Return spans of about `images` known images each; each begins at a folder's first image."""
    starts = [""]
    paths = sa.select(image.c.path).where(part.images()).order_by(image.c.path)
    path: str | None = ""
    while path is not None:
        after = paths.where(image.c.path > path).offset(images).limit(1)
        path = session.scalar(after)
        folder = path.rpartition("/")[0] + "/" if path and "/" in path else ""
        if folder > starts[-1]:
            starts.append(folder)
    return [Span(start, end) for start, end in zip(starts, [*starts[1:], None], strict=True)]


def files(session: Session, part: Part, span: Span, fields: tuple[str, ...]) -> Iterator[KnownRow]:
    """Yield the known files of a part, in the order of their paths' bytes.

    The columns are those of a `KnownImage`.

    Of a state, only size, mtime and `fields` are read; the others are 0, as each column costs time.
    """
    method = stored_name(part.archive.method)
    doubts = (
        sa.case((image.c.method != method, Doubt.METHOD.value), else_=0)
        + sa.case((~image.c.settled, Doubt.UNSETTLED.value), else_=0)
        + sa.case((image.c.missing_since.is_not(None), Doubt.MISSING.value), else_=0)
        + sa.case((image.c.dhash.is_(None), Doubt.UNREADABLE.value), else_=0)
        + sa.case((_again(part), Doubt.ASKED.value), else_=0)
    )
    nothing: sa.ColumnElement[int] = sa.literal_column("0", sa.Integer)
    rows = session.rows(
        sa.select(
            image.c.path,
            image.c.size,
            image.c.mtime_ns,
            (image.c.ctime_ns if "ctime_ns" in fields else nothing).label("ctime_ns"),
            (image.c.inode if "inode" in fields else nothing).label("inode"),
            image.c.id,
            doubts.label("doubts"),
        )
        .where(part.images(), *_within(span))
        .order_by(image.c.path)
    )
    known = cast("Iterator[KnownRow]", rows)
    if part.files is None:
        return known
    return (row for row in known if row[0] in part.files)


def _again(part: Part) -> sa.ColumnElement[bool]:
    match part.again:
        case "all":
            return sa.true()
        case "without grey":
            return image.c.grey.is_(None) & image.c.dhash.is_not(None)
        case None:
            return sa.false()


def _within(span: Span) -> Iterator[sa.ColumnElement[bool]]:
    if span.start:
        yield image.c.path >= span.start
    if span.end is not None:
        yield image.c.path < span.end
