"""All images of an archive in natural order, a few folders at a time.

A database sorts millions of rows on disk. Here their folders are sorted, which are few: in
natural order, too, the images of a folder follow each other, unless it has folders itself.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice, pairwise
from operator import attrgetter, le
from typing import Any, NamedTuple

import sqlalchemy as sa

from sdindex.archive.names import from_text
from sdindex.archive.natural import SORT_RULE, folder_key
from sdindex.store.database import Session
from sdindex.store.tables import archive, image

_TOGETHER = 1 << 14  # images that are read at once, unless a folder has more
_MOST = 1 << 17  # images that are sorted here: of more in one folder, the database does it
_FEWEST = 256  # images that a query is to find on average: of fewer, the database sorts all

Columns = Sequence[Sequence[Any]]


class _Span(NamedTuple):
    """Images of one folder, from one path to before another one; their keys begin with `key`."""

    key: bytes
    start: str
    end: str | None
    images: int


class _Read(NamedTuple):
    """Spans that are read together, behind so many of the images that lie beside folders."""

    beside: int
    spans: list[_Span]

    @property
    def images(self) -> int:
        """Return how many images there are, with those that are missing."""
        return sum(span.images for span in self.spans)


def in_order(session: Session, archive_id: int, statement: sa.Select[Any]) -> Iterator[Columns]:
    """Yield columns of an archive's images in natural order, some images at a time.

    `statement` selects the columns (the second is the sort key) and the images.
    """
    of_archive = statement.where(image.c.archive_id == archive_id)
    spans = list(_spans(session, archive_id))
    inner = _inner_keys(span.key for span in spans)
    beside = [span for span in spans if span.key in inner]
    others = [span for span in spans if span.key not in inner]
    reads = list(_together(others, []))
    queries = len(beside) + sum(len(read.spans) for read in reads)
    rule = session.scalar(sa.select(archive.c.sort_rule).where(archive.c.id == archive_id))
    if (
        rule != SORT_RULE  # the keys are others than this program gives folders
        or queries * _FEWEST > sum(span.images for span in spans)
        or sum(span.images for span in beside) > _MOST
    ):
        yield from session.columns(of_archive.order_by(image.c.sort_key))
        return
    # Each of these lies between two folders, or before or behind all.
    alone = sorted_by_key(_read(session, of_archive, beside))
    done = 0
    for read in _together(others, alone[1] if alone else []):
        if read.beside > done:
            yield [column[done : read.beside] for column in alone]
            done = read.beside
        yield from _in_order(session, of_archive, read)
    if alone:
        yield [column[done:] for column in alone]


def sorted_by_key(parts: Iterable[Columns]) -> Columns:
    """Return columns, which come in parts, in the order of the second; none where none come."""
    columns = [tuple(chain.from_iterable(column)) for column in zip(*parts, strict=True)]
    if not columns or all(map(le, columns[1], islice(columns[1], 1, None))):
        return columns
    order = sorted(range(len(columns[1])), key=columns[1].__getitem__)
    return [[column[number] for number in order] for column in columns]


def _spans(session: Session, archive_id: int) -> Iterator[_Span]:
    """Yield the spans of an archive in the order of paths, which an index of the table has."""
    starts: list[tuple[str, str, int]] = []  # folder, first path, images
    paths = sa.select(image.c.path).where(image.c.archive_id == archive_id)
    for (some,) in session.columns(paths.order_by(image.c.path)):
        at = 0
        for folder, group in groupby([path.rpartition("/")[0] for path in some]):
            images = len(list(group))
            start = some[at]
            at += images
            if starts and starts[-1][0] == folder:
                _, start, before = starts.pop()
                images += before
            starts.append((folder, start, images))
    ends = [*(start for _, start, _ in starts[1:]), None]
    for (folder, start, images), end in zip(starts, ends, strict=False):
        yield _Span(folder_key(from_text(folder)), start, end, images)


def _inner_keys(keys: Iterable[bytes]) -> set[bytes]:
    """Return those that others begin with: of folders that have folders."""
    return {key for key, after in pairwise(sorted(set(keys))) if after.startswith(key)}


def _together(spans: Iterable[_Span], beside: Sequence[bytes]) -> Iterator[_Read]:
    """Yield spans in natural order, those with the same key together, and others where they fit.

    They are of folders without folders, and `beside` are the sort keys of all other images.
    """
    read, images = _Read(0, []), 0
    for key, group in groupby(sorted(spans), attrgetter("key")):
        same = list(group)
        more = sum(span.images for span in same)
        before = bisect_left(beside, key)
        if read.spans and (read.beside < before or images + more > _TOGETHER):
            yield read
            read, images = _Read(before, []), 0
        read = _Read(before, read.spans + same)
        images += more
    if read.spans:
        yield read


def _in_order(session: Session, of_archive: sa.Select[Any], read: _Read) -> Iterator[Columns]:
    if read.images <= _MOST:
        columns = sorted_by_key(_read(session, of_archive, read.spans))
        yield from [columns] if columns else []
    else:
        within = sa.or_(*map(_within, read.spans))
        yield from session.columns(of_archive.where(within).order_by(image.c.sort_key))


def _read(
    session: Session, of_archive: sa.Select[Any], spans: Sequence[_Span]
) -> Iterator[Columns]:
    """Yield the columns of spans, those that follow each other by one query."""
    joined: list[_Span] = []
    for span in spans:
        if joined and joined[-1].end == span.start:
            span = joined.pop()._replace(end=span.end)
        joined.append(span)
    for span in joined:
        yield from session.columns(of_archive.where(_within(span)).order_by(image.c.path))


def _within(span: _Span) -> sa.ColumnElement[bool]:
    after = image.c.path >= span.start
    return after if span.end is None else after & (image.c.path < span.end)
