"""Putting the files of a sample into a folder: as copies, hard links or symbolic links."""

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Literal, NamedTuple

from sdindex.archive.names import printable, to_text
from sdindex.archive.roots import Root, root_of
from sdindex.archive.scan import reason
from sdindex.archive.state import FileState
from sdindex.errors import Option, OutputError
from sdindex.exchange import manifest
from sdindex.exchange.folders import refuse_inside
from sdindex.exchange.naming import Naming, Sampled
from sdindex.exchange.output import new_file, refuse_link
from sdindex.progress import bar
from sdindex.store.fetching import batched
from sdindex.store.lookup import Recorded

How = Literal["copy", "link", "symlink"]

_DRAFT = ".sdindex-part"  # the same name in each folder, so that what a killed run left is removed
_SAME_TIME_NS = 2_000_000_000  # FAT keeps times to 2 s
_CHUNK = 1 << 20  # bytes
_LOOKS = 32  # requests at once, where originals are far
_TOGETHER = 1000  # of so many the requests wait in memory


@dataclass(frozen=True, slots=True)
class FilesPut:
    """How many files were put into a folder: `new` ones (`size` in bytes), and `kept` from before.

    `changed` counts files, new or kept, whose original changed since it was indexed; `example` is
    the first of them.
    """

    folder: str
    new: int
    kept: int
    size: int
    changed: int = 0
    example: str = ""

    def __str__(self) -> str:
        kept = f", {self.kept:,} were there" if self.kept else ""
        text = f"{self.new:,} images put in {printable(self.folder)}{kept}"
        if self.changed:
            have = "1 has" if self.changed == 1 else f"{self.changed:,} have"
            text += (
                f"; {have} changed since they were indexed (such as {printable(self.example)}), "
                "and may show something else: the manifest gives no hash for them; "
                "run sdindex index to read them again"
            )
        return text


class _File(NamedTuple):
    """A file to be put: its original, that one's state, and where it goes."""

    root: Root
    path: str  # in stored form
    state: FileState
    target: str

    @property
    def original(self) -> str:
        return self.root.location(self.path)


def put_files(
    images: Collection[Sampled],
    folder: str,
    *,
    how: How = "copy",
    sample: str = "",
    progress: bool | None = False,
    indexed: Mapping[str, Recorded] | None = None,
    targets: Sequence[str] | None = None,
) -> FilesPut:
    """Put the files of a sample below a folder, each at its path in the archive.

    Images of several archives come into a folder for each archive. Files of an earlier run are
    kept, so that a second run completes the first. No other file is overwritten, and no link is
    followed: before anything is put, all originals, all targets and the free space are checked.
    ``sdindex-manifest.csv`` says what each file is, of earlier runs, too.

    Parameters
    ----------
    folder
        It is made where it is not there.
    how
        ``"copy"``, ``"link"`` (hard links) or ``"symlink"``. Copies keep the mtime.
    sample
        The sample's name, for the manifest.
    progress
        Show a bar on stderr: always, never, or (None) only on a terminal.
    indexed
        The recorded sizes and mtimes, by absolute path: a file that differs is counted as changed,
        and has no hash in the manifest. Without it, no file is compared.
    targets
        The path of each image below the folder; by default its path in the archive.

    Raises
    ------
    OutputError
        When an original is missing, a target is taken by another file, the disk is too small,
        or a file cannot be put. What was put before stays, whole.
    """
    refuse_inside(folder, {image.archive for image in images})
    if how != "copy":
        _refuse_far({image.archive for image in images})
    try:
        rows = manifest.read(folder)
        put = {row["original"]: row["path"] for row in rows.values()}
        earlier = {_target(folder, path) for path in put.values()}
        paths = _paths(images, put, targets)
        _refuse_leading_out(images, paths)
        files = _files(images, paths, folder)
        _refuse_linked_folders(folder, paths)
        missing = _not_there_yet(files, how, earlier)
        os.makedirs(folder, exist_ok=True)
        if how == "copy":
            _make_sure_of_room(missing, folder)
        with bar(len(missing), "putting", show=progress) as shown:
            for file in missing:
                _put(file, how)
                shown.update()
        changed = _changed(images, files, indexed or {})
        for image, path in zip(images, paths, strict=True):
            known = image.path not in changed
            rows[path] = manifest.row(image, path, sample, as_indexed=known)
        manifest.write(folder, rows.values())
    except OSError as problem:
        at = f" at {printable(os.fsdecode(problem.filename))}" if problem.filename else ""
        raise OutputError(
            f"cannot put the sample in {printable(folder)}: {reason(problem)}{at}"
        ) from problem
    size = sum(file.state.size for file in missing)
    kept = len(files) - len(missing)
    return FilesPut(folder, len(missing), kept, size, len(changed), next(iter(changed), ""))


def _paths(
    images: Collection[Sampled], put: Mapping[str, str], targets: Sequence[str] | None
) -> list[str]:
    """Return the path of each image below the folder; `put` has those of earlier runs."""
    if targets is None:
        naming = Naming.of(images)
        return [put.get(image.path) or naming.path(image) for image in images]
    for image, target in zip(images, targets, strict=True):
        if put.get(image.path, target) != target:
            raise OutputError(
                f"{printable(image.path)} was put there before, as {printable(put[image.path])}, "
                f"and would now be {printable(target)}; choose another folder"
            )
    return list(targets)


def _refuse_far(archives: Iterable[str]) -> None:
    far = next((archive for archive in archives if root_of(archive).is_far), None)
    if far is not None:
        raise OutputError(
            f"the images of {printable(far)} lie in a store, to which no link leads; use --copy-to"
        )


def _files(images: Collection[Sampled], paths: Sequence[str], folder: str) -> list[_File]:
    """Return each file with its original and target; all originals must be there."""
    files, gone = [], []
    targets = [_target(folder, path) for path in paths]
    for image, target, state in zip(images, targets, _states(images), strict=True):
        root, stored = root_of(image.archive), to_text(image.relative_path)
        if isinstance(state, FileState):
            files.append(_File(root, stored, state, target))
        elif root.is_far and not isinstance(state, FileNotFoundError):  # nor are the others
            at = printable(image.path)
            raise OutputError(f"cannot read {at}: {reason(state)}") from state
        else:
            gone.append(image.path)
    if gone:
        raise OutputError(
            f"cannot read {_listed(gone)}; mount the disk, or bring the index up to date and draw "
            "the sample again"
        )
    return files


def _states(images: Collection[Sampled]) -> Iterator[FileState | OSError]:
    """Yield the state of each original, or why it is not known; of far ones many are asked for."""
    threads = ThreadPoolExecutor(_LOOKS)

    def state(image: Sampled) -> FileState | OSError:
        try:
            return root_of(image.archive).state(to_text(image.relative_path))
        except OSError as problem:
            return problem

    try:
        if any(root_of(archive).is_far for archive in {image.archive for image in images}):
            for some in batched(images, _TOGETHER):
                yield from threads.map(state, some)
        else:
            yield from map(state, images)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # not before it ends


def _changed(
    images: Iterable[Sampled], files: Iterable[_File], indexed: Mapping[str, Recorded]
) -> dict[str, None]:
    """Return the absolute paths of the files that changed since they were indexed, in order."""
    pairs = zip(images, files, strict=True)
    return {
        image.path: None
        for image, file in pairs
        if indexed.get(image.path, file.state[:2]) != file.state[:2]
    }


def _target(folder: str, path: str) -> str:
    """Return where a path leads below a folder; it may not lead out of it."""
    parts = path.split("/")
    if not all(map(_is_name, parts)):
        raise OutputError(
            f"{printable(path)} is no path that can be put below a folder, and was not written in "
            f"the manifest of {printable(folder)}; choose another folder"
        )
    return os.path.join(folder, *parts)


def _refuse_leading_out(images: Iterable[Sampled], paths: Iterable[str]) -> None:
    outside = [
        image.path
        for image, path in zip(images, paths, strict=True)
        if not all(map(_is_name, path.split("/")))
    ]
    if outside:
        raise OutputError(
            f"{_listed(outside)}: no file here can have such a name; leave that out with ",
            Option("exclude"),
            ", which takes a path or a list",
        )


def _is_name(part: str) -> bool:
    """Say whether it is a file's name on this system; Windows has drives and backslashes."""
    is_one = os.path.basename(os.path.splitdrive(part)[1]) == part
    return is_one and part not in ("", ".", "..") and "\0" not in part


def _refuse_linked_folders(folder: str, paths: Iterable[str]) -> None:
    """Refuse links among the folders to put files in: they may lead into an archive."""
    looked_at: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in looked_at:
            refuse_link(
                _target(folder, parent),
                "nothing was put: choose another folder, or remove the link",
            )
            looked_at.add(parent)
            parent = parent.rpartition("/")[0]


def _not_there_yet(files: Iterable[_File], how: How, earlier: Collection[str]) -> list[_File]:
    """Return the files that are still to be put; refuse names that other files have.

    `earlier` are the targets in the manifest.
    """
    missing, foreign = [], []
    for file in files:
        if not os.path.lexists(file.target):
            missing.append(file)
        elif not _is_put(file, how, known=file.target in earlier):
            foreign.append(file.target)
    if foreign:
        raise OutputError(
            f"will not write over {_listed(foreign)}; nothing was put: choose another folder, or "
            "move away what is there"
        )
    return missing


def _is_put(file: _File, how: How, *, known: bool) -> bool:
    """Say whether a file was put before: by size and time if `known`, else by its bytes."""
    if not os.path.isfile(file.target):
        return False
    if os.path.exists(file.original) and os.path.samefile(file.target, file.original):
        return how != "copy"
    there = os.stat(file.target)
    if how != "copy" or there.st_size != file.state.size:
        return False
    apart = abs(there.st_mtime_ns - file.state.mtime_ns)
    return (known and apart <= _SAME_TIME_NS) or _is_same(file)


def _is_same(file: _File) -> bool:
    with file.root.open(file.path) as original, open(file.target, "rb") as target:
        while content := original.read(_CHUNK):
            if target.read(len(content)) != content:
                return False
        return not target.read(1)


def _make_sure_of_room(missing: Iterable[_File], folder: str) -> None:
    needed = sum(file.state.size for file in missing)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"the copies need {needed / 1e6:,.1f} MB, and {printable(folder)} has room for "
            f"{free / 1e6:,.1f} MB; choose another disk, a smaller sample, or --symlink-to"
        )


def _put(file: _File, how: How) -> None:
    parent = os.path.dirname(file.target)
    os.makedirs(parent, exist_ok=True)
    try:
        match how:
            case "copy":
                _copy(file, os.path.join(parent, _DRAFT))
            case "link":
                os.link(os.path.realpath(file.original), file.target)
            case "symlink":
                os.symlink(file.original, file.target)
    except FileExistsError as problem:
        raise OutputError(
            f"{printable(file.target)} was not there before: this disk does not tell its name from "
            "another image's, or another program put it there; choose another folder"
        ) from problem
    except OSError as problem:
        if how == "copy":
            raise
        others = "--copy-to or --symlink-to" if how == "link" else "--copy-to or --link-to"
        raise OutputError(
            f"cannot make a link to {printable(file.original)} in {printable(parent)} "
            f"({reason(problem)}); use {others}"
        ) from problem


def _copy(file: _File, draft: str) -> None:
    """Copy a file's bytes and mtime; not its rights and owner."""
    Path(draft).unlink(missing_ok=True)  # of the name itself, should it be a link
    output = new_file(draft)
    try:
        with output, file.root.open(file.path) as original:
            shutil.copyfileobj(original, output, _CHUNK)
            output.flush()
            _make_sure_of_copy(file, original, output, draft)
        os.utime(draft, ns=(file.state.mtime_ns, file.state.mtime_ns), follow_symlinks=False)
        if os.path.lexists(file.target):
            raise FileExistsError(file.target)
        os.replace(draft, file.target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _make_sure_of_copy(file: _File, original: BinaryIO, output: IO[bytes], draft: str) -> None:
    """Refuse a copy whose original changed while it was copied, or that is no longer as written."""
    if file.root.state_of(original)[:2] != file.state[:2]:
        raise OutputError(
            f"{printable(file.original)} was changed while it was copied; the files before it are "
            "put: run the same again"
        )
    if not os.path.samestat(os.fstat(output.fileno()), os.lstat(draft)):
        raise OutputError(
            f"another program writes in {printable(os.path.dirname(draft))}; wait for it, and run "
            "the same again"
        )


def _listed(paths: Sequence[str]) -> str:
    others = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
    return f"{printable(paths[0])}{others}"
