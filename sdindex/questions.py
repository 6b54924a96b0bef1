"""The questions that an index answers: none of them changes it."""

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
from sdindex.errors import UsageError
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
        """Close every session; a later question opens a new one."""
        self._store.close()

    @property
    def file(self) -> Path | None:
        """The SQLite file; None when the index is elsewhere."""
        return self._store.file

    def status(self) -> Status:
        """Return what is in the index, archive by archive."""
        with self._store.reading() as session:
            return overview.status(session, str(self._store))

    def errors(self) -> list[UnreadableImage]:
        """Return the present files that could not be read, in natural order."""
        with self._store.reading() as session:
            return overview.unreadable(session)

    def cameras(self) -> list[Camera]:
        """Return the cameras, in the natural order of their folders."""
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
        """Return the buckets of look-alike images, and how many a sample of `count` keeps of each.

        Without `count`, each keeps all. The other parameters, and the errors, are those of
        `sdindex.Index.select`.
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
        """Measure how well a sample stands for the images that it is drawn from.

        Count the labels, rare labels, cameras, bursts, events and days that it reaches, what it
        has of one burst or event, and how near it comes to every image, beside random samples and
        a plain stride of the same size; and the labels that samples of a quarter, of half and of
        twice its size reach. No image is opened.

        Parameters
        ----------
        count, **options
            As for `sdindex.Index.select`: of the sample that it would draw, beside all the
            images that pass the filters.
        name
            Of a saved sample, beside all the images there are, instead of `count` and
            `options`.

        Raises
        ------
        SampleError, ArchiveError, QueryError
            As `select` and `sample` do; and when there is no image to measure.
        UsageError
            When there is neither a count nor a name, or both.
        """
        from sdindex.sampling.quality import QUALITY_COLUMNS, quality  # numpy, for this alone
        from sdindex.sampling.sample import draw
        from sdindex.store.candidates import candidates

        with self._store.reading() as session:
            if count is not None and name is None:
                chosen = sample_options(**options)
                refuse_idle(options, chosen, told=True)
                listed = lists.resolve(session, chosen)
                found = candidates(session, chosen, QUALITY_COLUMNS, listed)
                sampled = draw(found, images_wanted(sample_count(count), len(found))).positions
            elif name is not None and count is None and not options:
                ids, chosen = selection.saved_ids(session, text("name", name))
                found = candidates(session, chosen, QUALITY_COLUMNS)
                sampled = found.frame.positions_of(ids)
            else:
                raise UsageError(
                    "quality measures a sample of so many images (-n, and the options of select), "
                    "or a saved sample (its name alone)"
                )
        return quality(found, sampled, distance=chosen.burst_distance, sizes=name is None)

    def decisions(self, name: str) -> "list[Decision]":
        """Return what people decided in a review, or in that which a saved sample came from.

        All of it, in the order in which it was decided: of several decisions on an image the last
        one counts.

        Raises
        ------
        SampleError
            When there is neither of that name.
        """
        from sdindex.store import decisions  # which few ask about

        with self._store.reading() as session:
            return decisions.told(session, text("name", name))

    def hashes(self, files: Iterable[AnyPath]) -> dict[str, int]:
        """Return the hash, as a signed integer, of each file that the index has read."""
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

        A file that the index does not have is read, as the index's own images were.

        Parameters
        ----------
        count
            At most this many.
        within
            Only images whose hashes differ in at most so many of the 64 bits.
        every
            Also several images of one burst, and of the file's own; by default there is one of
            each burst, and none of the file's own.

        Raises
        ------
        SampleError
            When the file cannot be read, or the index has hashes of several methods.
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

        Each image differs from the one that leads its group in at most `within` of 64 bits, so
        that groups do not chain through a whole night; 0 gives those with equal hashes. Iterate
        over the groups, over their ``members()``, or over the ``others()``: the paths of all
        images but those that lead, which a sample may exclude.

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
        """Run one SQL query, and give the names of its columns and its rows as they come.

        The tables and views are those that ``sdindex sql --help`` lists. Beside the functions
        of the database there are ``hamming(a, b)``, ``bucket(dhash, bits)`` and
        ``dhash_hex(dhash)``. Nothing is written, whatever the query says. SQLite lets a process
        lower its limit of memory but not raise it again: from the first query on it is 512 MB in
        this process. A PostgreSQL index takes that server's SQL: see ``sdindex help team``.

        Parameters
        ----------
        query
            One statement that only reads.
        seconds
            Stop the query when the database has worked on it for this long; the time in which
            the caller reads the rows does not count. Inside a single function SQLite cannot be
            stopped: there, ``when_stuck`` of `sdindex.Index` is called.

        Yields
        ------
        Answer
            Its ``rows`` are an iterator, to be read inside the ``with`` block.

        Raises
        ------
        QueryError
            When the query has no answer, takes too long or too much memory: also while the
            rows are read.

        Examples
        --------
        >>> query = "SELECT camera, count(*) AS images FROM image GROUP BY camera"
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
        """Return a sample as an HTML page, which needs no network.

        Parameters
        ----------
        count, **options
            As for `sdindex.Index.select`: of the sample that it would draw.
        name
            Of a saved sample, beside what passes its filters, and is of its lists, now, instead of
            `count` and `options`.
        thumbnails
            Show at most this many images of the sample, and of those left out: an even subset
            of each. `workers` processes make them.
        pixels
            The longer side of a picture of the sample.
        workers, progress
            As for `sdindex.Index.update`.
        say
            Called with a line about pictures that could not be made.

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
                "a report is of a sample of so many images (-n, and the options of select), "
                "or of a saved sample (its name alone)"
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
            refuse_idle(options, chosen, told=True)
            with self._store.reading() as session:
                data = gather(session, db, wanted, chosen)
        # The pictures may take minutes: the index is not kept busy meanwhile.
        return page(data, thumbnails=shown, pixels=side, workers=processes, progress=bars, say=tell)
