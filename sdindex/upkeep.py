"""Keeping an index in step with its archives: what is there, where, and from which camera."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, cast

from sdindex.archive.shards import Shard
from sdindex.arguments import (
    DEFAULT_TIMEOUT,
    DEFAULT_WORKERS,
    AnyPath,
    flag,
    optional,
    path,
    paths,
    positive,
    text,
    texts,
    whole,
)
from sdindex.errors import Option, UsageError
from sdindex.handover import Handover
from sdindex.hashing.methods import Method
from sdindex.store import archive_admin, copying, images
from sdindex.store.database import Store

if TYPE_CHECKING:
    from sdindex.indexing.ingest import ReadingOptions
    from sdindex.indexing.summary import Summary


class Upkeep(Handover):
    """The part of `sdindex.Index` that brings it up to date with its archives."""

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
        regrey: bool = False,
        exclude: str | Sequence[str] | None = None,
        shard: str | None = None,
        dask: str | None = None,
    ) -> "Summary":
        """Bring the index up to date with folders of images, reading only what changed.

        Results are stored as they come, in batches of 256 files or 2 seconds. The workers
        are processes of the program's own, which run nothing of the script that calls this.

        Parameters
        ----------
        folders
            Folders of images: archives, new or known, or a folder inside a known archive: then
            only that folder is brought up to date. Without any, so are all known archives that are
            there; the others are in the summary's `away`.
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
            tried again at the next update.
        progress
            Show bars on stderr: always, never, or (None) only on a terminal.
        executor
            Has batches of files read wherever it runs them, each in a process of the program's
            own there: a crash or a hang costs one file. Anything with the interface of
            ``concurrent.futures.Executor``. `workers` says how many batches it reads at once,
            unless it is of ``concurrent.futures`` itself. Its workers see the archive under the
            same path, and do not look for modules in it.
        verify
            Read every file again, changed or not, and the whole of it, also where a thumbnail
            is what is hashed: to find those that were damaged, or cut short, unseen. They are
            named in the summary's `damaged`.
        regrey
            Read the images again that were indexed before their greys were kept, and no others
            that did not change: for their motion, and whether they were taken at night. Until
            then motion comes from their hashes.
        exclude
            Globs of what is left out, relative to the folder and by the rules of .gitignore; kept
            with the archive, instead of those before.
        shard
            Read only the files of one shard, such as ``"3/64"``, number 3 of 64; kept with the
            archive. Each file is in one shard, whatever the order, and no shard needs to know of
            another. Each has an index of its own; `merge` joins them.
        dask
            The address of a Dask cluster that reads, such as ``"tcp://host:8786"``, or ``"local"``
            for one of this machine. Its workers must see the archive under the same path.

        Raises
        ------
        UsageError
            When an argument means nothing.
        ReadingError
            When images cannot be read, whatever they are: the disk fails, or the machine, the
            executor or the program. What was read before is stored.
        ArchiveError
            When a folder cannot be indexed. What was known of it is unchanged.
        IndexUnusableError
            When the index cannot be written.
        """
        from sdindex.indexing import update  # here and below: who draws a sample needs none of it

        reading = _reading(workers, method, timeout, executor, progress, verify, regrey, dask)
        is_strict, is_shift = flag("strict", strict), flag("accept_shift", accept_shift)
        named = paths("folders", folders)
        if named:
            return update.update(
                self._store,
                named,
                reading,
                strict=is_strict,
                camera_pattern=optional(text, "camera_pattern", camera_pattern),
                accept_shift=is_shift,
                accept_loss=flag("accept_loss", accept_loss),
                exclude=optional(texts, "exclude", exclude),
                shard=None if shard is None else Shard.named(text("shard", shard)),
            )
        if camera_pattern is not None or exclude is not None or shard is not None or accept_loss:
            raise UsageError(
                Option("camera_pattern"), ", ", Option("exclude"), ", ", Option("shard"), " and ",
                Option("accept_loss"), " are meant for one archive: name its folder",
            )  # fmt: skip
        return update.update_known(self._store, reading, strict=is_strict, accept_shift=is_shift)

    def update_files(
        self,
        files: Iterable[AnyPath],
        *,
        workers: int = DEFAULT_WORKERS,
        method: Method | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        progress: bool | None = False,
        executor: Executor | None = None,
    ) -> "Summary":
        """Bring the index up to date with single files, and look at no other.

        A file that lies in no archive is kept in one whose root is that of the disk, until its
        folder is indexed as an archive. Of a file that is not there what is known stays. The
        other parameters are those of `update`.
        """
        from sdindex.indexing import update

        named = paths("files", files)
        if not named:
            raise UsageError("update_files needs a file, or several")
        reading = _reading(workers, method, timeout, executor, progress)
        return update.update_files(self._store, named, reading)

    def merge(
        self,
        *shards: AnyPath,
        accept_loss: bool = False,
        progress: bool | None = False,
    ) -> "Summary":
        """Merge the indexes of all shards of an archive, or of several, into this one.

        The result is that of one run over the archive, but for the times of indexing. What the
        index knows and no shard has is missing from then on; to merge the same shards again
        changes nothing. The archive itself is not looked at. Labels and saved samples of the
        shards stay where they are.

        Parameters
        ----------
        shards
            The indexes that `update` made with its `shard`, all of them.
        accept_loss, progress
            As for `update`.

        Raises
        ------
        ArchiveError
            When a shard is missing, was not read to its end, is older than this index, or does
            not belong to the others. Nothing is changed.
        IndexUnusableError
            When an index cannot be read, or this one cannot be written.
        """
        from sdindex.indexing import merge

        named = paths("shards", shards)
        if not named:
            raise UsageError("merge needs the indexes of all shards")
        return merge.merge(
            self._store,
            named,
            accept_loss=flag("accept_loss", accept_loss),
            progress=optional(flag, "progress", progress),
        )

    def set_camera_pattern(self, pattern: str, archive: AnyPath | None = None) -> None:
        """Find an archive's cameras by another pattern, as `update` does; the disk may be away.

        Parameters
        ----------
        pattern
            As `camera_pattern` of `update`.
        archive
            The archive's root; the only archive by default.

        Raises
        ------
        UsageError
            When `pattern` is none.
        ArchiveError
            When `archive` is no archive's root, or it is not clear which one is meant.
        """
        from sdindex.indexing import cameras

        root = optional(path, "archive", archive)
        cameras.set_pattern(self._store, root, text("pattern", pattern))

    def relocate(self, old: AnyPath, new: AnyPath) -> None:
        """Tell the index that an archive is now in another folder; nothing is read again.

        Raises
        ------
        ArchiveError
            When `old` is no archive's root, or `new` does not hold its images.
        """
        with self._store.writing() as session:
            archive_admin.relocate(session, path("old", old), path("new", new))
            session.commit()

    def copy(self, target: AnyPath, *, progress: bool | None = False) -> None:
        """Copy the index into a new one, with its samples and labels.

        Parameters
        ----------
        target
            A file or a URL, as of `sdindex.Index`. A copy that fails leaves no index there.
        progress
            As for `update`.

        Raises
        ------
        IndexMissingError, IndexUnusableError
            When there is no index to be copied, or `target` has archives already.
        """
        new = Store(path("target", target))
        try:
            copying.copy(self._store, new, progress=optional(flag, "progress", progress))
        finally:
            new.close()

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
                pruned = archive_admin.forget(session, path("archive", archive))
            session.commit()
            return pruned


def _reading(
    workers: object,
    method: Method | None,
    timeout: object,
    executor: object,
    progress: object,
    verify: object = False,
    regrey: object = False,
    dask: object = None,
) -> "ReadingOptions":
    """Return how images are to be read, as callers may ask for it."""
    from sdindex.indexing.ingest import ReadingOptions

    return ReadingOptions(
        workers=whole("workers", workers, 1),
        method=method,
        timeout=positive("timeout", timeout),
        executor=_executor(executor),
        progress=optional(flag, "progress", progress),
        verify=flag("verify", verify),
        regrey=flag("regrey", regrey),
        dask=optional(text, "dask", dask),
    )


def _executor(given: object) -> Executor | None:
    is_class = isinstance(given, type)
    if given is None or (callable(getattr(given, "submit", None)) and not is_class):
        return cast("Executor | None", given)  # others than those of concurrent.futures, too
    made = ": make one of the class" if is_class else ""
    raise UsageError(f"executor must have a submit, as those of concurrent.futures do{made}")
