"""The library's one entry: an index, and what can be asked of it and done with it."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Unpack, cast

from sdindex.archive.names import to_text
from sdindex.arguments import (
    DEFAULT_COLUMN,
    DEFAULT_THRESHOLD,
    DEFAULT_TIMEOUT,
    DEFAULT_WORKERS,
    AnyPath,
    flag,
    fraction,
    optional,
    path,
    paths,
    positive,
    text,
    whole,
)
from sdindex.errors import UsageError
from sdindex.exchange import lists
from sdindex.exchange.label_files import LabelFile
from sdindex.exchange.label_import import LabelImport, import_labels
from sdindex.hashing.methods import Method
from sdindex.indexing import update
from sdindex.indexing.summary import Summary
from sdindex.questions import Questions
from sdindex.sampling.options import (
    Count,
    SampleArguments,
    SampleOptions,
    sample_count,
    sample_options,
)
from sdindex.store import images, labels, registry, samples, selection
from sdindex.store.sampled import SampledImage, paths_by_id


class Index(Questions):
    """An index of camera-trap archives.

    Nothing is opened before the first question, and only `update` may create an index. Errors,
    also of arguments, are `sdindex.SdindexError`s that say what is allowed.

    Parameters
    ----------
    db
        A path means an SQLite file; anything with ``://`` is a SQLAlchemy URL.
    when_stuck
        Called with a line of text, from another thread, when a query of `sql` or an expression
        of ``where`` keeps SQLite inside a single function for a second longer than it may take:
        only the end of the process stops that. By default, it is waited for.

    Examples
    --------
    >>> from sdindex import Index
    >>> with Index("sdindex.db") as index:
    ...     summary = index.update("archive")
    ...     sample = index.select(4, balance="camera")
    >>> summary.found, len(sample)
    (12, 4)
    """

    def update(
        self,
        *folders: AnyPath,
        workers: int = DEFAULT_WORKERS,
        method: Method | None = None,
        strict: bool = False,
        camera_pattern: str | None = None,
        accept_shift: bool = False,
        accept_loss: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        progress: bool | None = False,
        executor: Executor | None = None,
        verify: bool = False,
    ) -> Summary:
        """Bring the index up to date with folders of images, reading only what changed.

        Results are stored as they come, in batches of 256 files or 2 seconds. The workers
        are processes of the program's own, which run nothing of the script that calls this.

        Parameters
        ----------
        folders
            Folders of images: archives, new or known, or a folder inside a known archive: then
            only that folder is brought up to date.
        workers
            Read this many files at once.
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
            Mark gone images as missing even where a folder lost all, or most and at least ten.
            By default such a folder is reported and left unchanged. A folder that is itself
            gone was deleted. Where a disk was mounted, `folders` must name that folder, or a
            folder below it; it need not be there.
        timeout
            Seconds after which reading a file is given up: it counts as unreadable, and is
            tried again at the next update. An `executor` has its own idea of that.
        progress
            Show bars on stderr: always, never, or (None) only on a terminal.
        executor
            Reads images instead of this program's own processes; anything with the
            interface of ``concurrent.futures.Executor``. `workers` then says only how
            many files are under way. Its workers see the archive under the same path, and
            do not look for modules in it. Dask's is made by ``client.get_executor(pure=False)``,
            or a changed file may get its old result.
        verify
            Read every file again, changed or not, and the whole of it, also where a thumbnail
            is what is hashed: to find those that were damaged, or cut short, unseen. They are
            named in the summary's `damaged`.

        Raises
        ------
        UsageError
            When no folder is given, or an argument means nothing.
        ReadingError
            When images cannot be read, whatever they are: the disk fails, or the machine, the
            executor or the program. What was read before is stored.
        ArchiveError
            When a folder cannot be indexed. What was known of it is unchanged.
        IndexUnusableError
            When the index cannot be written.
        """
        if not folders:
            raise UsageError("update needs a folder of images, or several")
        return update.update(
            self._store,
            paths("folders", folders),
            workers=whole("workers", workers, 1),
            method=method,
            strict=flag("strict", strict),
            camera_pattern=optional(text, "camera_pattern", camera_pattern),
            accept_shift=flag("accept_shift", accept_shift),
            accept_loss=flag("accept_loss", accept_loss),
            timeout=positive("timeout", timeout),
            progress=optional(flag, "progress", progress),
            executor=_executor(executor),
            verify=flag("verify", verify),
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

        A file that lies in no archive is kept in one whose root is that of the disk. The other
        parameters are those of `update`.
        """
        named = paths("files", files)
        if not named:
            raise UsageError("update_files needs a file, or several")
        return update.update_files(
            self._store,
            named,
            workers=whole("workers", workers, 1),
            method=method,
            timeout=positive("timeout", timeout),
            progress=optional(flag, "progress", progress),
            executor=_executor(executor),
        )

    def select(
        self, count: int | str, *, save: str | None = None, **options: Unpack[SampleArguments]
    ) -> list[SampledImage]:
        """Draw a varied sample; no image is opened and no folder looked at.

        Images with the same leading bits in their hashes form a bucket. Small buckets are kept
        whole; only the largest are trimmed, by an even stride through natural order.

        Parameters
        ----------
        count
            Images wanted, or a share such as ``"10%"`` of those that pass the filters; all there
            are when the index holds fewer.
        save
            Save the sample in the index under this name.
        **options
            Those of `sdindex.SampleOptions`.

        Returns
        -------
        list of SampledImage
            In natural order, the same for the same index on every run and machine.

        Raises
        ------
        SampleError
            When an option is unknown or out of range, the request is impossible, or hashes of
            two methods would mix.
        ArchiveError
            When the index holds no image below one of `under`.

        Examples
        --------
        >>> [image.relative_path for image in index.select(2, under="cam0")]
        ['cam0/IMG_3.JPG', 'cam0/IMG_7.JPG']
        >>> index.select(2, balance="colour")
        Traceback (most recent call last):
        sdindex.errors.SampleError: balance is camera, label, or folder:K ...
        """
        wanted, chosen = sample_count(count), sample_options(**options)
        name = optional(text, "save", save)
        if name is None:
            with self._store.reading() as session:
                return selection.select(session, wanted, chosen, lists.resolve(session, chosen))
        with self._store.writing() as session:
            listed = lists.resolve(session, chosen)
            sample = selection.select(session, wanted, chosen, listed, save=name)
            session.commit()
            return sample

    def paths(
        self,
        count: int | str,
        *,
        relative: bool = False,
        save: str | None = None,
        **options: Unpack[SampleArguments],
    ) -> Iterator[str]:
        """Draw the sample that `select` draws, and yield its paths alone, as they are fetched.

        The arguments are checked, and a sample is saved, before the first path is asked for.
        Half a million paths take a second, and no memory to speak of.

        Parameters
        ----------
        relative
            Relative to the roots of their archives, with forward slashes; absolute by default.
        count, save, **options
            As for `select`, and so are the errors.

        Examples
        --------
        >>> list(index.paths(2, under="cam0", relative=True))
        ['cam0/IMG_3.JPG', 'cam0/IMG_7.JPG']
        """
        wanted, chosen = sample_count(count), sample_options(**options)
        name = optional(text, "save", save)
        is_relative = flag("relative", relative)
        if name is None:
            return self._paths_drawn(wanted, chosen, relative=is_relative)
        with self._store.writing() as session:
            listed = lists.resolve(session, chosen)
            ids, _ = selection.drawn_ids(session, wanted, chosen, listed, save=name)
            session.commit()
        return self._paths_of(ids, relative=is_relative)

    def _paths_drawn(self, count: Count, chosen: SampleOptions, *, relative: bool) -> Iterator[str]:
        with self._store.reading() as session:
            listed = lists.resolve(session, chosen)
            ids, _ = selection.drawn_ids(session, count, chosen, listed, save=None)
            yield from paths_by_id(session, ids, relative=relative)

    def _paths_of(self, ids: Sequence[int], *, relative: bool) -> Iterator[str]:
        with self._store.reading() as session:  # nobody waits while the paths are taken
            yield from paths_by_id(session, ids, relative=relative)

    def drop_sample(self, name: str) -> None:
        """Forget a saved sample; its images stay.

        Raises
        ------
        SampleError
            When there is none of that name.
        """
        with self._store.writing() as session:
            samples.drop(session, text("name", name))
            session.commit()

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
            Ignore detections of a lower confidence, from 0 to 1.
        column
            Read labels from this column of CSV.
        relative_to
            Take paths in the file as relative to this folder of an archive; by default to the
            archives' roots.
        source
            Store the labels under this source, instead of what the same source said of these
            images before; by default the file's name.

        Raises
        ------
        LabelFileError
            When the file cannot be read or understood.
        SampleError
            When none of its paths is of an image of the index.
        """
        name = path("file", file)
        read = LabelFile(
            name, threshold=fraction("threshold", threshold), column=text("column", column)
        )
        folder = optional(path, "relative_to", relative_to)
        says = optional(text, "source", source) or to_text(Path(name).name)
        with self._store.writing() as session:
            result = import_labels(session, read, source=says, folder=folder)
            session.commit()
            return result

    def drop_labels(self, source: str) -> int:
        """Forget what a source said of images; return how many labels.

        Raises
        ------
        SampleError
            When there is no such source.
        """
        with self._store.writing() as session:
            dropped = labels.drop(session, text("source", source))
            session.commit()
            return dropped

    def relocate(self, old: AnyPath, new: AnyPath) -> None:
        """Tell the index that an archive is now in another folder; nothing is read again.

        Raises
        ------
        ArchiveError
            When `old` is no archive's root, or `new` does not hold its images.
        """
        with self._store.writing() as session:
            registry.relocate(session, path("old", old), path("new", new))
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
                pruned = registry.forget(session, path("archive", archive))
            session.commit()
            return pruned


def _executor(given: object) -> Executor | None:
    is_class = isinstance(given, type)
    if given is None or (callable(getattr(given, "submit", None)) and not is_class):
        return cast("Executor | None", given)  # others than those of concurrent.futures, too
    made = ": make one of the class" if is_class else ""
    raise UsageError(f"executor must have a submit, as those of concurrent.futures do{made}")
