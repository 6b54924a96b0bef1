"""The part of `Index` that follows the archives: update, merge, relocate, copy, prune."""

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
        """Bring the index up to date with folders of images; only new and changed files are read.

        Results are stored as they come, in batches of 256 files or 2 seconds. The workers are
        processes of the library's own, which do not run the script that calls this.

        Parameters
        ----------
        folders
            Archives, new or known, or folders inside a known archive: then only these folders are
            brought up to date. Without any, all known archives are; those that are not there are
            named in the summary's `away`.
        workers
            Read this many files at once.
        method
            How images are hashed: ``"scaled"``, ``"exact"`` or ``"thumbnail"``. By default the
            archive's method; for a new archive that of the other archives, else ``"scaled"``.
        strict
            Also take a file as changed when its ctime or inode changed.
        camera_pattern
            A regular expression that finds the camera in an archive-relative path; stored with the
            archive. An empty one goes back to the camera's folder, above the memory card's own
            (``DCIM/100RECNX``). See `sdindex.archive.cameras.camera_pattern`.
        accept_shift
            When all files' times are later, or all earlier, by exactly an hour, store the new times
            and read nothing: exFAT shows such times when daylight saving time changes. Not with
            `strict`.
        accept_loss
            Mark gone images as missing even where a folder lost all its images, or most and at
            least ten. By default such a folder is reported and left unchanged, as its disk may be
            away. (A folder that is gone itself counts as deleted.) For a folder where a disk was
            mounted, `folders` must name that folder, or one below it; it need not be there.
        timeout
            Seconds after which reading a file is given up. The file counts as unreadable, and is
            tried again at the next update.
        progress
            Show bars on stderr: always, never, or (None) only on a terminal.
        executor
            Runs the reading, in batches of files: any object with the interface of
            ``concurrent.futures.Executor``. Wherever it runs a batch, a process of the library's
            own reads it: a crash or a hang costs one file. `workers` says how many batches run at
            once, unless the executor is one of ``concurrent.futures`` itself. Its workers must see
            the archive under the same path.
        verify
            Read every file again, changed or not, and all of it even where only a thumbnail is
            hashed: to find files that were damaged or cut short without a new size or time. They
            are named in the summary's `damaged`.
        regrey
            Also read the unchanged images that an older version indexed without their greys: for
            their motion, whether they were taken at night, and the sides of those that EXIF turns.
            Until then motion comes from their hashes.
        exclude
            Globs of what to leave out, relative to the folder and by the rules of .gitignore.
            Stored with the archive, in place of earlier ones.
        shard
            Read only the files of one shard, such as ``"3/64"``, number 3 of 64; stored with the
            archive. Each file is in exactly one shard, by its path. Give each shard an index of its
            own; `merge` joins them.
        dask
            Have a Dask cluster read: the address of its scheduler, such as ``"tcp://host:8786"``,
            or ``"local"`` for one on this machine. Its workers must see the archive under the same
            path.

        Raises
        ------
        UsageError
            When an argument is wrong, or two exclude each other.
        ReadingError
            When images cannot be read because the disk, the machine, the executor or the program
            fails. What was read before is stored.
        ArchiveError
            When a folder cannot be indexed; ArchiveUnavailableError when it is away. What was known
            of it is unchanged.
        IndexUnusableError
            When the index cannot be written.
        """
        # Here and below, as drawing a sample needs none of it.
        from sdindex.indexing import update

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

        A file that lies in no archive belongs to one whose root is that of the disk, until its
        folder is indexed as an archive. What is known of a file that is not there stays. The other
        parameters, and the errors, are those of `update`.
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

        The result is the same as that of one run over the archive, but for the times of indexing.
        Images that the index knows and no shard has are missing from then on. Merging the same
        shards again changes nothing. The archive itself is not looked at. Labels and saved samples
        in the shards' indexes are not merged.

        Parameters
        ----------
        shards
            The indexes of all shards, which `update` made with `shard`: paths or URLs.
        accept_loss, progress
            As for `update`.

        Raises
        ------
        ArchiveError
            When a shard is missing, was not read to its end, is older than this index, or does not
            belong to the others. Then nothing is changed.
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
        """Find an archive's cameras by another pattern; no image is read, and the disk may be away.

        Parameters
        ----------
        pattern
            As `camera_pattern` of `update`.
        archive
            The archive's root; the only archive by default.

        Raises
        ------
        UsageError
            When `pattern` is no such pattern.
        ArchiveError
            When `archive` is no archive's root, or it is not clear which one is meant.
        """
        from sdindex.indexing import cameras

        root = optional(path, "archive", archive)
        cameras.set_pattern(self._store, root, text("pattern", pattern))

    def relocate(self, old: AnyPath, new: AnyPath) -> None:
        """Record that an archive is now in another folder; no image is read.

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
        """Delete the missing images, or a whole archive, from the index; return how many images.

        Missing images stay that a saved sample has, or that a review decided on. Files are not
        touched.

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
    """Return how images are to be read, from checked arguments."""
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
        return cast("Executor | None", given)  # other classes than those of concurrent.futures, too
    made = ": make one of the class" if is_class else ""
    raise UsageError(f"executor must have a submit, as those of concurrent.futures do{made}")
