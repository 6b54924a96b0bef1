"""All images of an archive in natural order, a few folders at a time.

A database would sort millions of rows on disk. Here only their folders, which are few, are sorted:
in natural order, too, the images of a folder are consecutive, unless it contains folders.
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

_TOGETHER = 1 << 14  # images that are read at once; more where a folder has more
_MOST = 1 << 17  # images that are sorted here; more in one folder are sorted by the database
# Images that a query should find on average; where they are fewer, the database sorts all.
_FEWEST = 256

Columns = Sequence[Sequence[Any]]


class _Span(NamedTuple):
    """Images of one folder, from one path to before another; their sort keys begin with `key`."""

    key: bytes
    start: str
    end: str | None
    images: int


class _Read(NamedTuple):
    """Spans that are read together, after so many of the images that lie beside folders."""

    beside: int
    spans: list[_Span]

    @property
    def images(self) -> int:
        """Return how many images there are, with those that are missing."""
        return sum(span.images for span in self.spans)


def in_order(session: Session, archive_id: int, statement: sa.Select[Any]) -> Iterator[Columns]:
    """Yield columns of an archive's images in natural order, some images at a time.

    `statement` selects the images and columns; the second column is the sort key.
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
        rule != SORT_RULE  # the stored keys are not those that this program makes
        or queries * _FEWEST > sum(span.images for span in spans)
        or sum(span.images for span in beside) > _MOST
    ):
        yield from session.columns(of_archive.order_by(image.c.sort_key))
        return
    # Each of these images lies between two folders, or before or after all.
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
    """Join columns and sort them by the second one; nothing where nothing comes."""
    columns = [tuple(chain.from_iterable(column)) for column in zip(*parts, strict=True)]
    if not columns or all(map(le, columns[1], islice(columns[1], 1, None))):
        return columns
    order = sorted(range(len(columns[1])), key=columns[1].__getitem__)
    return [[column[number] for number in order] for column in columns]


def _spans(session: Session, archive_id: int) -> Iterator[_Span]:
    """Yield the spans of an archive in the order of paths, by an index of the table."""
    starts: list[tuple[str, str, int]] = []  # folder, first path, images
    paths = sa.select(image.c.path).where(image.c.archive_id == archive_id)
    for (some,) in session.columns(paths.order_by(image.c.path)):
        at = 0
        for folder, images in runs_of_folders(some):
            start = some[at]
            at += images
            if starts and starts[-1][0] == folder:
                _, start, before = starts.pop()
                images += before
            starts.append((folder, start, images))
    ends = [*(start for _, start, _ in starts[1:]), None]
    for (folder, start, images), end in zip(starts, ends, strict=False):
        yield _Span(folder_key(from_text(folder[:-1])), start, end, images)


def runs_of_folders(paths: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield the folder, with its slash, of paths that follow each other, and how many they are.

    The paths are in their order, so that all between two in a folder are in it, or below it. A
    folder may come several times in a row.
    """
    folder = folder_of(paths[0])
    if folder == folder_of(paths[-1]) and (
        "".join(paths).count("/") == len(paths) * folder.count("/")  # none is below it
    ):
        yield folder, len(paths)
    else:
        half = len(paths) // 2
        yield from runs_of_folders(paths[:half])
        yield from runs_of_folders(paths[half:])


def folder_of(path: str) -> str:
    """Return the folder of a path, with its slash; empty for the root."""
    return path[: path.rfind("/") + 1]


def _inner_keys(keys: Iterable[bytes]) -> set[bytes]:
    """Return the keys that other keys begin with: those of folders with folders inside."""
    return {key for key, after in pairwise(sorted(set(keys))) if after.startswith(key)}


def _together(spans: Iterable[_Span], beside: Sequence[bytes]) -> Iterator[_Read]:
    """Yield spans in natural order, in groups to be read together; those of one key in one.

    They are of folders without inner folders; `beside` are the sort keys of all other images.
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
    """Yield the columns of spans; consecutive spans are read by one query."""
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
