"""The library's one entry: an index, and what can be asked of it."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from sdindex.archive.names import to_text
from sdindex.arguments import (
    DEFAULT_COLUMN,
    DEFAULT_SECONDS,
    DEFAULT_THRESHOLD,
    DEFAULT_THUMBNAILS,
    DEFAULT_TIMEOUT,
    DEFAULT_WORKERS,
    AnyPath,
)
from sdindex.errors import UsageError
from sdindex.exchange.label_files import LabelFile
from sdindex.hashing.methods import Method
from sdindex.indexing import update
from sdindex.indexing.summary import Summary
from sdindex.sampling.options import SampleArguments, sample_options
from sdindex.sampling.trim import DEFAULT_BITS
from sdindex.store import images, labels, lookup, overview, registry, samples, selection
from sdindex.store.database import Store
from sdindex.store.labels import LabelCount, LabelImport
from sdindex.store.overview import Camera, Status, UnreadableImage
from sdindex.store.query import Answer
from sdindex.store.samples import SavedSample
from sdindex.store.selection import Bucket, SampledImage

if TYPE_CHECKING:
    from sdindex.exchange.copies import FilesPut, How
    from sdindex.sampling.quality import Quality


class Index:
    """An index of camera-trap archives.

    Nothing is opened before the first question, and only `update` may create an index.

    Parameters
    ----------
    db
        A path means an SQLite file; anything with ``://`` is a SQLAlchemy URL.

    Examples
    --------
    >>> with Index("sdindex.db") as index:  # doctest: +SKIP
    ...     index.update("/data/archive")
    ...     sample = index.select(500)
    """

    def __init__(self, db: AnyPath = "sdindex.db") -> None:
        self._store = Store(db)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every session; a later question opens a new one."""
        self._store.close()

    @property
    def file(self) -> Path | None:
        """The SQLite file; None when the index is elsewhere."""
        return self._store.file

    def update(
        self,
        *paths: AnyPath,
        workers: int = DEFAULT_WORKERS,
        method: Method | None = None,
        strict: bool = False,
        camera_pattern: str | None = None,
        accept_shift: bool = False,
        accept_loss: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        progress: bool | None = False,
        executor: Executor | None = None,
    ) -> Summary:
        """Bring the index up to date with folders of images, reading only what changed.

        Results are stored as they come, in batches of 256 files or 2 seconds. The workers
        are processes: a script calls this under ``if __name__ == "__main__":``, as for
        every use of ``multiprocessing``.

        Parameters
        ----------
        paths
            Folders: archives, new or known, or folders inside a known one, of which that
            part alone is brought up to date.
        workers
            How many files are read at once.
        method
            ``"scaled"``, ``"exact"`` or ``"thumbnail"``; by default the archive's own, and
            ``"scaled"`` for the first one.
        strict
            Take a file for changed when its ctime or inode changed, too.
        camera_pattern
            A regular expression that finds the camera in an archive-relative path, kept with
            the archive; an empty one goes back to the folder above the card's numbering. See
            `sdindex.archive.cameras.camera_pattern`.
        accept_shift
            Take all files as unchanged, and store their times, where these are all later, or
            all earlier, by exactly an hour: when daylight saving time changes, exFAT shows
            them so. Not with `strict`.
        accept_loss
            Take the images that are gone from a folder as deleted, also where it lost all it
            had, or most of it and ten or more: as if a disk were away. By default such a
            folder is told, and kept as it was. A folder that is itself gone was deleted. Where
            a disk was mounted, `paths` must name that folder, or one below it.
        timeout
            Seconds after which reading a file is given up: it counts as unreadable, and is
            tried again at the next update. An `executor` has its own idea of that.
        progress
            Show bars on stderr: always, never, or (None) only on a terminal.
        executor
            Reads images in place of this program's own processes; anything with the
            interface of ``concurrent.futures.Executor``. `workers` then says only how
            many files are under way.

        Raises
        ------
        ArchiveError
            When a path cannot be indexed. What was known of it is unchanged.
        IndexUnusableError
            When the index cannot be written.
        """
        return update.update(
            self._store,
            _strings(paths),
            workers=workers,
            method=method,
            strict=strict,
            camera_pattern=camera_pattern,
            accept_shift=accept_shift,
            accept_loss=accept_loss,
            timeout=timeout,
            progress=progress,
            executor=executor,
        )

    def update_files(
        self,
        files: Iterable[AnyPath],
        *,
        workers: int = DEFAULT_WORKERS,
        method: Method | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        progress: bool | None = False,
        executor: Executor | None = None,
    ) -> Summary:
        """Bring the index up to date with single files, and look at no other.

        A file that lies in no archive is kept in one whose root is that of the disk. The
        parameters are those of `update`.
        """
        return update.update_files(
            self._store,
            _strings(files),
            workers=workers,
            method=method,
            timeout=timeout,
            progress=progress,
            executor=executor,
        )

    def hashes(self, files: Iterable[AnyPath]) -> dict[str, int]:
        """Return the hash, as a signed integer, of each of those files that the index has read."""
        with self._store.reading() as session:
            return selection.hashes(session, _strings(files))

    def select(
        self, count: int, *, save: str | None = None, **options: Unpack[SampleArguments]
    ) -> list[SampledImage]:
        """Draw a varied sample; no image is opened and no folder looked at.

        Images are grouped by the leading bits of their hashes. Small groups are kept whole,
        only the largest are trimmed, by an even stride through natural order.

        Parameters
        ----------
        count
            Images wanted; all there are when the index holds fewer.
        save
            Keep the sample in the index under this name.
        **options
            Those of `sdindex.SampleOptions`.

        Returns
        -------
        list of SampledImage
            In natural order, the same for the same index on every run and machine.

        Raises
        ------
        SampleError
            When an option is out of range, the request is impossible, or hashes of two
            methods would mix.
        ArchiveError
            When the index holds no image below one of `under`.
        """
        chosen = sample_options(**options)
        if save is None:
            with self._store.reading() as session:
                return selection.select(session, count, chosen)
        with self._store.writing() as session:
            sample = selection.select(session, count, chosen, save=save)
            session.commit()
            return sample

    def put_files(
        self,
        sample: Collection[SampledImage],
        folder: AnyPath,
        *,
        how: "How" = "copy",
        name: str = "",
        progress: bool | None = False,
    ) -> "FilesPut":
        """Put the files of a sample below a folder, each at its path in the archive.

        Parameters
        ----------
        sample
            As `select` and `sample` return it.
        folder
            It is made where it is not there; what is there already is kept, and completed.
        how
            ``"copy"``, ``"link"`` (hard links) or ``"symlink"``.
        name
            The sample's name, for the manifest.
        progress
            As for `update`.

        Returns
        -------
        FilesPut
            How many files are new, were there, and are not what the index read.

        Raises
        ------
        OutputError
            When an original is missing, something else has a file's name there, the disk is
            too small, or a file cannot be put. What was put before stays, whole.
        """
        from sdindex.exchange.copies import put_files

        with self._store.reading() as session:
            indexed = lookup.recorded(session, sample)
        return put_files(
            sample, os.fspath(folder), how=how, sample=name, progress=progress, indexed=indexed
        )

    def samples(self) -> list[SavedSample]:
        """Return the saved samples, the oldest first."""
        with self._store.reading() as session:
            return samples.listing(session)

    def sample(self, name: str) -> list[SampledImage]:
        """Return the images of a saved sample that are there, in natural order.

        Raises
        ------
        SampleError
            When there is none of that name.
        """
        with self._store.reading() as session:
            return selection.saved(session, name)

    def missing_of(self, name: str) -> list[str]:
        """Return the paths of a saved sample's images that are missing, or unreadable, now.

        Raises
        ------
        SampleError
            When there is none of that name.
        """
        with self._store.reading() as session:
            return samples.missing(session, name)

    def quality(
        self,
        count: int | None = None,
        *,
        name: str | None = None,
        **options: Unpack[SampleArguments],
    ) -> "Quality":
        """Measure how well a sample stands for what it is drawn from.

        What it reaches, and how near it comes to every image, beside random samples and a
        plain stride of the same size. No image is opened.

        Parameters
        ----------
        count, **options
            As for `select`: of the sample that it would draw, beside all the images that
            pass the filters.
        name
            Of a saved sample, beside all the images there are, in place of `count` and
            `options`.

        Raises
        ------
        SampleError, ArchiveError, QueryError
            As `select` and `sample` do; and when there is no image to measure.
        UsageError
            When there is neither a count nor a name, or both.
        """
        from sdindex.sampling.quality import quality
        from sdindex.store.population import population  # numpy, for this alone

        with self._store.reading() as session:
            if count is not None and name is None:
                chosen = sample_options(**options)
                held = population(session, chosen)
                ids, _ = selection.drawn_from(held.candidates, count, chosen)
            elif name is not None and count is None and not options:
                ids, chosen = selection.saved_ids(session, name)
                held = population(session, chosen)
            else:
                raise UsageError(
                    "quality is of a sample of so many images (-n, and select's options), or of a "
                    "saved one (its name alone)"
                )
        return quality(held, ids, bits=chosen.bits, distance=chosen.burst_distance)

    def drop_sample(self, name: str) -> None:
        """Forget a saved sample; its images stay.

        Raises
        ------
        SampleError
            When there is none of that name.
        """
        with self._store.writing() as session:
            samples.drop(session, name)
            session.commit()

    def cameras(self) -> list[Camera]:
        """Return the cameras, in the natural order of their folders."""
        with self._store.reading() as session:
            return overview.cameras(session)

    def import_labels(
        self,
        file: AnyPath,
        *,
        threshold: float = DEFAULT_THRESHOLD,
        column: str = DEFAULT_COLUMN,
        relative_to: AnyPath | None = None,
        source: str | None = None,
    ) -> LabelImport:
        """Store the labels of a file: MegaDetector's results, or CSV.

        Parameters
        ----------
        threshold
            0 to 1: detections of a lower confidence are of no account.
        column
            The column of the labels, in CSV.
        relative_to
            A folder in an archive that the file's paths are relative to; the archives' roots
            by default.
        source
            Who says so; what it said before of an image is replaced. The file's name by
            default.

        Raises
        ------
        LabelFileError
            When the file cannot be read or understood.
        SampleError
            When none of its paths is of an image of the index.
        """
        read = LabelFile(os.fspath(file), threshold=threshold, column=column)
        folder = None if relative_to is None else os.fspath(relative_to)
        with self._store.writing() as session:
            result = labels.import_labels(
                session, read, source=source or to_text(Path(file).name), folder=folder
            )
            session.commit()
            return result

    def labels(self) -> list[LabelCount]:
        """Return the labels of each source, and how many images have them."""
        with self._store.reading() as session:
            return labels.counts(session)

    def drop_labels(self, source: str) -> int:
        """Forget what a source said of images; return how many labels.

        Raises
        ------
        SampleError
            When there is no such source.
        """
        with self._store.writing() as session:
            dropped = labels.drop(session, source)
            session.commit()
            return dropped

    def buckets(
        self,
        count: int | None = None,
        *,
        bits: int = DEFAULT_BITS,
        under: AnyPath | Iterable[AnyPath] = (),
    ) -> list[Bucket]:
        """Return the groups of look-alike images, and what a sample of `count` keeps of each.

        Without `count`, all. The other parameters, and the errors, are those of `select`.
        """
        with self._store.reading() as session:
            return selection.buckets(session, count, sample_options(bits=bits, under=under))

    @contextmanager
    def sql(
        self,
        query: str,
        *,
        seconds: float = DEFAULT_SECONDS,
        when_stuck: Callable[[], object] | None = None,
    ) -> Iterator[Answer]:
        """Ask one question in SQL, and give the answer's rows as they come.

        Beside SQLite's own there are the functions ``hamming(a, b)``, ``bucket(dhash, bits)``
        and ``dhash_hex(dhash)``. Whatever the query says, nothing is written, and it is
        stopped when SQLite has worked on it for `seconds`. SQLite's memory is limited to 512
        MB from then on, in the whole process. `when_stuck` is called, from another thread,
        where SQLite cannot be stopped: when it is busy for long inside a single function.

        Raises
        ------
        QueryError
            When there is no answer: also while the rows are taken.
        """
        with self._store.asking(query, seconds=seconds, when_stuck=when_stuck) as answer:
            yield answer

    def report(
        self,
        count: int,
        *,
        thumbnails: int = DEFAULT_THUMBNAILS,
        workers: int = DEFAULT_WORKERS,
        progress: bool | None = False,
        **options: Unpack[SampleArguments],
    ) -> str:
        """Return the sample of `count` images as a page of HTML, which needs no network.

        Parameters
        ----------
        thumbnails
            How many images of the sample are shown, at most, and how many of those left
            out: an even subset of each. `workers` processes make them.
        workers, progress
            As for `update`.
        count, **options
            As for `select`.

        Raises
        ------
        SampleError, ArchiveError
            As `select` does.
        """
        from sdindex.pages.report import (  # plotly, numpy and Pillow, for the page alone
            gather,
            page,
        )

        with self._store.reading() as session:
            gathered = gather(session, count, sample_options(**options))
        # The pictures may take minutes: the index is not kept busy meanwhile.
        return page(gathered, thumbnails=thumbnails, workers=workers, progress=progress)

    def status(self) -> Status:
        """Return what the index holds, archive by archive."""
        with self._store.reading() as session:
            return overview.status(session, str(self._store), self._store.file)

    def errors(self) -> list[UnreadableImage]:
        """Return the present files that could not be read, in natural order."""
        with self._store.reading() as session:
            return overview.unreadable(session)

    def relocate(self, old: AnyPath, new: AnyPath) -> None:
        """Tell the index that an archive is now in another folder; nothing is read again.

        Raises
        ------
        ArchiveError
            When `old` is no archive's root, or `new` does not hold its images.
        """
        with self._store.writing() as session:
            registry.relocate(session, os.fspath(old), os.fspath(new))
            session.commit()

    def prune(self, archive: AnyPath | None = None) -> int:
        """Forget the images that are missing, or a whole archive; return how many images.

        A missing image of a saved sample is kept.

        Raises
        ------
        ArchiveError
            When `archive` is no archive's root, or a saved sample holds images of it.
        """
        with self._store.writing() as session:
            if archive is None:
                pruned = images.delete_missing(session)
            else:
                pruned = registry.forget(session, os.fspath(archive))
            session.commit()
            return pruned


def _strings(paths: AnyPath | Iterable[AnyPath]) -> Sequence[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]
