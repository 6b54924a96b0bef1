"""The part of `Index` that only reads: questions, reports, SQL."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from sdindex.arguments import (
    DEFAULT_BITS,
    DEFAULT_INDEX,
    DEFAULT_PIXELS,
    DEFAULT_SECONDS,
    DEFAULT_SIMILAR,
    DEFAULT_THUMBNAILS,
    DEFAULT_TIMEOUT,
    DEFAULT_WITHIN,
    DEFAULT_WORKERS,
    PIXELS,
    AnyPath,
    flag,
    function,
    optional,
    path,
    paths,
    positive,
    text,
    whole,
)
from sdindex.errors import Option, UsageError
from sdindex.exchange import lists
from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.count import images_wanted, sample_count
from sdindex.sampling.idle import refuse_idle
from sdindex.sampling.options import Clock, SampleArguments, sample_options
from sdindex.store import overview, selection
from sdindex.store.database import Store
from sdindex.store.overview import Camera, Status, UnreadableImage
from sdindex.store.query import Answer, WhenStuck
from sdindex.store.selection import Bucket

if TYPE_CHECKING:
    from sdindex.sampling.quality import Quality
    from sdindex.store.decisions import Decision
    from sdindex.store.likeness import Duplicates, SimilarImage


class Questions:
    """The part of `sdindex.Index` that only reads the index."""

    def __init__(self, db: AnyPath = DEFAULT_INDEX, *, when_stuck: WhenStuck | None = None) -> None:
        call = optional(function, "when_stuck", when_stuck)
        self._store = Store(path("db", db), when_stuck=call)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._store)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the index; a later call opens a new one."""
        self._store.close()

    @property
    def file(self) -> Path | None:
        """The index's SQLite file; None when it is in a server."""
        return self._store.file

    def status(self) -> Status:
        """Return the archives with their image counts, and the size of the index."""
        with self._store.reading() as session:
            return overview.status(session, str(self._store))

    def errors(self) -> list[UnreadableImage]:
        """Return the files that could not be read and are not missing, in natural order."""
        with self._store.reading() as session:
            return overview.unreadable(session)

    def cameras(self) -> list[Camera]:
        """Return the cameras that have images which can be sampled, in natural order."""
        from sdindex.store.cameras import cameras  # numpy, for this alone

        with self._store.reading() as session:
            return cameras(session)

    def buckets(
        self,
        count: int | str | None = None,
        *,
        bits: int | None = DEFAULT_BITS,
        order: str | Iterable[int] | None = None,
        under: AnyPath | Iterable[AnyPath] = (),
    ) -> list[Bucket]:
        """Return the buckets of look-alike images, and how many images a sample keeps of each.

        `count` is the size of that sample; without it, all images are kept. The parameters and the
        errors are those of `sdindex.Index.select`.
        """
        wanted = None if count is None else sample_count(count)
        options = sample_options(bits=bits, order=order, under=under)
        with self._store.reading() as session:
            return selection.buckets(session, wanted, options)

    def quality(
        self,
        count: int | str | None = None,
        *,
        name: str | None = None,
        **options: Unpack[SampleArguments],
    ) -> "Quality":
        """Measure how well a sample represents the images that it is drawn from.

        Measured are the labels, rare labels, cameras, bursts, events and days that it reaches, the
        share of its images that share a burst or event, and the distances of all images to it;
        beside the same of random samples and of a plain stride of its size. With `count`, also the
        labels that samples of a quarter, half and twice the size reach. No image is opened.

        Parameters
        ----------
        count, **options
            Measure the sample that `sdindex.Index.select` would draw, beside all images that pass
            the filters.
        name
            Measure the saved sample of this name, beside all images of the index; without `count`
            and `options`.

        Raises
        ------
        SampleError, ArchiveError, QueryError
            As `select` and `sample` do; also when there is no image to measure.
        UsageError
            When there is neither a count nor a name, or both.
        """
        from sdindex.sampling.quality import QUALITY_COLUMNS, quality  # numpy, for this alone
        from sdindex.sampling.sample import draw
        from sdindex.store.candidates import candidates

        with self._store.reading() as session:
            if count is not None and name is None:
                chosen = sample_options(**options)
                refuse_idle(options, chosen, with_bursts=True)
                listed = lists.resolve(session, chosen)
                found = candidates(session, chosen, QUALITY_COLUMNS, listed)
                sampled = draw(found, images_wanted(sample_count(count), len(found))).positions
            elif name is not None and count is None and not options:
                ids, chosen = selection.saved_ids(session, text("name", name))
                found = candidates(session, chosen, QUALITY_COLUMNS)
                sampled = found.frame.positions_of(ids)
            else:
                raise UsageError(
                    "quality needs a number of images (",
                    Option("count"),
                    ", with options of select), or the name of a saved sample alone",
                )
        return quality(found, sampled, distance=chosen.burst_distance, sizes=name is None)

    def decisions(self, name: str) -> "list[Decision]":
        """Return the decisions of a review, or of the review that a saved sample came from.

        They come in the order in which they were made. Of several decisions on an image the last
        one counts.

        Raises
        ------
        SampleError
            When there is neither a review nor a sample of that name, or the sample came from no
            review.
        """
        from sdindex.store import decisions  # imported only when asked about

        with self._store.reading() as session:
            return decisions.told(session, text("name", name))

    def hashes(self, files: Iterable[AnyPath]) -> dict[str, int]:
        """Return the signed 64-bit hashes of those of the files that the index has, by path."""
        with self._store.reading() as session:
            ids = lists.ids_of_files(session, paths("files", files))
            found = selection.hashes(session, ids.values())
        return {file: found[row] for file, row in ids.items() if row in found}

    def similar(
        self,
        file: AnyPath,
        count: int = DEFAULT_SIMILAR,
        *,
        within: int = HASH_BITS,
        every: bool = False,
    ) -> "list[SimilarImage]":
        """Return the images of the index that are most like an image file, the nearest first.

        A file that the index does not have is read and hashed by the index's method.

        Parameters
        ----------
        count
            At most this many.
        within
            Only images whose hashes differ in at most this many of the 64 bits.
        every
            List all images. By default one image of each burst is listed, and none of the burst
            that the file is in.

        Raises
        ------
        SampleError
            When the file cannot be read, the index has no image, or hashes of several methods.
        """
        wanted = whole("count", count, 1), whole("within", within, 0, HASH_BITS)
        name, of_bursts = path("file", file), None if flag("every", every) else Clock()
        from sdindex.indexing.single import hash_of  # numpy and processes, for this alone
        from sdindex.store import likeness

        with self._store.reading() as session:
            own = lists.ids_of_files(session, [name]).get(name)
            known = selection.hashes(session, [] if own is None else [own])
            method = likeness.method_of(session)
        dhash = known[own] if own in known else hash_of(name, method, timeout=DEFAULT_TIMEOUT)
        with self._store.reading() as session:
            return likeness.similar(
                session,
                dhash,
                own if own in known else None,
                count=wanted[0],
                within=wanted[1],
                of_bursts=of_bursts,
            )

    def duplicates(
        self, within: int = DEFAULT_WITHIN, *, progress: bool | None = False
    ) -> "Duplicates":
        """Return groups of near-duplicates, the largest first.

        In each group one image leads: each other one differs from it in at most `within` of the 64
        bits, so that a group does not chain through a whole night. 0 groups equal hashes. Iterate
        over the groups, over all their ``members()``, or over the ``others()``: the paths of all
        images that do not lead, for `exclude` of `sdindex.Index.select`.

        Examples
        --------
        >>> others = index.duplicates(0).others()
        >>> len(index.select(100, exclude=others))
        12
        """
        most = whole("within", within, 0, HASH_BITS)
        from sdindex.store.likeness import duplicates  # numpy, for this alone

        return duplicates(self._store, most, progress=optional(flag, "progress", progress))

    @contextmanager
    def sql(
        self,
        query: str,
        *,
        seconds: float = DEFAULT_SECONDS,
    ) -> Iterator[Answer]:
        """Run one SQL query; in a ``with`` block, gives the columns and the rows as they come.

        The tables and views are those that ``sdindex sql --help`` lists. Beside the functions of
        the database there are ``hamming(a, b)``, ``bucket(dhash, bits)`` and ``dhash_hex(dhash)``.
        Nothing is written, whatever the query says. SQLite can lower the memory limit of a process,
        but not raise it again: from the first query on, SQLite may use 512 MB in this process. A
        PostgreSQL index takes that server's SQL: see ``sdindex help team``.

        Parameters
        ----------
        query
            One statement that only reads.
        seconds
            Stop the query when the database has worked on it for so many seconds; time that the
            caller takes to read rows does not count. SQLite cannot be stopped inside a single
            function: then ``when_stuck`` of `sdindex.Index` is called.

        Yields
        ------
        Answer
            Its ``rows`` are an iterator, to be read inside the ``with`` block.

        Raises
        ------
        QueryError
            When the query is wrong, would write, or takes too long or too much memory: also while
            the rows are read.

        Examples
        --------
        >>> query = "SELECT camera, count(*) AS images FROM image GROUP BY 1 ORDER BY 1"
        >>> with index.sql(query) as answer:
        ...     print(answer.columns, list(answer.rows))
        ['camera', 'images'] [('cam0', 6), ('cam1', 6)]
        """
        limit = positive("seconds", seconds)
        with self._store.asking(text("query", query), seconds=limit) as answer:
            yield answer

    def report(
        self,
        count: int | str | None = None,
        *,
        name: str | None = None,
        thumbnails: int = DEFAULT_THUMBNAILS,
        pixels: int = DEFAULT_PIXELS,
        workers: int = DEFAULT_WORKERS,
        progress: bool | None = False,
        say: Callable[[str], object] | None = None,
        **options: Unpack[SampleArguments],
    ) -> str:
        """Return a sample as an HTML page, in one text, which needs no network.

        Parameters
        ----------
        count, **options
            Show the sample that `sdindex.Index.select` would draw.
        name
            Show the saved sample of this name, beside the images that its options would draw from
            today; without `count` and `options`.
        thumbnails
            Show pictures of at most this many images of the sample, and of as many of those left
            out: an even subset of each.
        pixels
            The longer side, in pixels, of a picture of the sample.
        workers, progress
            As for `sdindex.Index.update`.
        say
            Called with a line of text about pictures that could not be made.

        Raises
        ------
        SampleError, ArchiveError
            As `sdindex.Index.select` and `sample` do.
        UsageError
            When there is neither a count nor a name, or both.
        """
        # plotly, numpy and Pillow, for the page alone
        from sdindex.pages.report import page
        from sdindex.pages.report_data import gather, gather_saved

        if (count is None) == (name is None) or (name is not None and options):
            raise UsageError(
                "a report needs a number of images (",
                Option("count"),
                ", with options of select), or the name of a saved sample alone",
            )
        shown, processes = whole("thumbnails", thumbnails, 0), whole("workers", workers, 1)
        side, tell = whole("pixels", pixels, *PIXELS), optional(function, "say", say)
        bars = optional(flag, "progress", progress)
        db = "" if self._store.db == DEFAULT_INDEX else str(self._store)
        if count is None:
            saved = text("name", name)
            with self._store.reading() as session:
                data = gather_saved(session, db, saved)
        else:
            wanted, chosen = sample_count(count), sample_options(**options)
            refuse_idle(options, chosen, with_bursts=True)
            with self._store.reading() as session:
                data = gather(session, db, wanted, chosen)
        # The pictures may take minutes: the index is closed meanwhile.
        return page(data, thumbnails=shown, pixels=side, workers=processes, progress=bars, say=tell)
