"""An archive's files compared with its rows: as one, or, if it is large, in sections at once.

What a million unchanged files cost is listing folders, fetching rows and comparing them. A
section is a span of paths, of which all three are done in a process of their own.
"""

from collections.abc import Iterator
from itertools import chain
from typing import cast

import sqlalchemy as sa

from sdindex.archive.changes import (
    AllUnchanged,
    Change,
    Doubt,
    KnownImage,
    ToRead,
    Vanished,
    compare,
)
from sdindex.archive.scan import ALL_PATHS, Found, Linked, Links, Span, Unlooked, look_at, scan
from sdindex.errors import IndexUnusableError
from sdindex.hashing.methods import stored_name
from sdindex.store.archives import Part
from sdindex.store.database import Session, Store
from sdindex.store.fetching import no_garbage_collection
from sdindex.store.tables import image

SECTION_IMAGES = 20_000  # a worker takes about a tenth of a second for them
_ENOUGH_SECTIONS = 3  # fewer are not worth the start of processes
_CHUNK = 1000  # rows fetched at once


def changes(session: Session, part: Part, *, strict: bool, workers: int) -> Iterator[Change]:
    """Yield what became of each file of a part, found or known, in the order of the paths.

    The parameters are those of `sdindex.indexing.survey.survey`; `session` sees the same
    committed rows as the workers, which read the index by themselves.
    """
    spans = [ALL_PATHS] if workers == 1 or part.files is not None else _spans(session, part)
    links = Links(part.archive.root, part.folder)
    if len(spans) < _ENOUGH_SECTIONS:
        with no_garbage_collection():
            yield from _compared(session, part, ALL_PATHS, links, strict=strict)
        return
    for change in _in_workers(session.db, part, spans, strict=strict, workers=workers):
        if isinstance(change, Linked):
            # Whether a link is followed depends on those before it, so it is done here.
            yield from _behind(session, part, change, links, strict=strict)
        else:
            yield change


def _spans(session: Session, part: Part) -> list[Span]:
    """Return spans of about equally many known images, each from the start of a folder on."""
    starts = [""]
    paths = sa.select(image.c.path).where(part.images()).order_by(image.c.path)
    path: str | None = ""
    while path is not None:
        after = paths.where(image.c.path > path).offset(SECTION_IMAGES).limit(1)
        path = session.scalar(after)
        folder = path.rpartition("/")[0] + "/" if path and "/" in path else ""
        if folder > starts[-1]:
            starts.append(folder)
    return [Span(start, end) for start, end in zip(starts, [*starts[1:], None], strict=True)]


def _in_workers(
    db: str, part: Part, spans: list[Span], *, strict: bool, workers: int
) -> Iterator[Change]:
    from sdindex.workers import WorkerDiedError, Workers, get_ready, in_order

    get_ready(__name__)
    place: Unlooked | Linked | None = None
    with Workers(workers) as pool:
        jobs = (pool.submit(compare_section, db, part, span, strict=strict) for span in spans)
        for future in in_order(jobs, in_flight=2 * workers):
            try:
                found = future.result()
            except WorkerDiedError as problem:
                raise IndexUnusableError(
                    "a process that compared files with the index died, or was killed; "
                    "nothing was changed: index again"
                ) from problem
            for change in found:
                if isinstance(change, Unlooked | Linked):
                    if change == place:  # a folder that reaches over several sections
                        continue
                    place = change
                yield change


def compare_section(db: str, part: Part, span: Span, *, strict: bool) -> list[Change]:
    """Return what became of each file of one section; the work of a worker."""
    with Store(db).reading() as session, no_garbage_collection():
        return list(_small(_compared(session, part, span, None, strict=strict)))


def _small(changes: Iterator[Change]) -> Iterator[Change]:
    """Yield the changes in as little as tells them to another process."""
    unchanged = 0
    for change in changes:
        match change:
            case AllUnchanged(files):
                unchanged += files
                continue
            case ToRead(file, known, why) if known is not None:
                yield ToRead(file, KnownImage(*known), why)
            case Vanished(known):
                yield Vanished(KnownImage(*known))
            case _:
                yield change
    if unchanged:
        yield AllUnchanged(unchanged)


def _behind(
    session: Session, part: Part, link: Linked, links: Links, *, strict: bool
) -> Iterator[Change]:
    """Yield what became of the files behind a link to a folder."""
    behind = part._replace(under=link.path)
    if links.is_new(behind.folder):
        yield from _compared(session, behind, ALL_PATHS, links, strict=strict)
    else:
        yield from map(Vanished, _known(session, behind, ALL_PATHS, strict=strict))


def _compared(
    session: Session, part: Part, span: Span, links: Links | None, *, strict: bool
) -> Iterator[Change]:
    known = _known(session, part, span, strict=strict)
    return compare(_found(part, span, links), known, strict=strict)


def _found(part: Part, span: Span, links: Links | None) -> Iterator[Found]:
    if part.files is not None:
        return look_at(part.archive.root, part.files)
    return scan(part.archive.root, part.under, span=span, links=links)


def _known(session: Session, part: Part, span: Span, *, strict: bool) -> Iterator[KnownImage]:
    method = stored_name(part.archive.method)
    doubts = (
        sa.case((image.c.method != method, Doubt.METHOD.value), else_=0)
        + sa.case((~image.c.settled, Doubt.UNSETTLED.value), else_=0)
        + sa.case((image.c.missing_since.is_not(None), Doubt.MISSING.value), else_=0)
        + sa.case((image.c.dhash.is_(None), Doubt.UNREADABLE.value), else_=0)
    )
    # Each column costs, and two of them are compared by `strict` alone.
    nothing: sa.ColumnElement[int] = sa.literal_column("0")
    rows = session.execute(
        sa.select(
            image.c.path,
            image.c.size,
            image.c.mtime_ns,
            (image.c.ctime_ns if strict else nothing).label("ctime_ns"),
            (image.c.inode if strict else nothing).label("inode"),
            image.c.id,
            doubts.label("doubts"),
        )
        .where(part.images(), *_within(span))
        .order_by(image.c.path)
        .execution_options(yield_per=_CHUNK)
    )
    # A row has the names of a KnownImage, and is not made one: there may be millions.
    known = cast("Iterator[KnownImage]", chain.from_iterable(rows.partitions()))
    if part.files is None:
        return known
    return (row for row in known if row.path in part.files)


def _within(span: Span) -> Iterator[sa.ColumnElement[bool]]:
    if span.start:
        yield image.c.path >= span.start
    if span.end is not None:
        yield image.c.path < span.end
