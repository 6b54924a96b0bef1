"""Putting the files of a sample below a folder: copies, hard links or symbolic links."""

import csv
import filecmp
import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, NamedTuple

from sdindex.archive.names import is_inside, printable
from sdindex.archive.scan import reason
from sdindex.errors import OutputError
from sdindex.exchange.naming import Naming, Sampled
from sdindex.exchange.output import writing
from sdindex.exchange.tables import from_cell, write_csv
from sdindex.progress import bar

How = Literal["copy", "link", "symlink"]

MANIFEST = "sdindex-manifest.csv"
_COLUMNS = ("path", "original", "hash", "bucket", "burst", "camera", "label", "sample")
_DRAFT = ".sdindex-part"  # one name in each folder: what a killed run left is written over
_SAME_TIME_NS = 2_000_000_000  # FAT keeps times to 2 s


@dataclass(frozen=True, slots=True)
class Placed:
    """What was put below a folder, in files: `new` now, `kept` from before; `size` of the new."""

    folder: str
    new: int
    kept: int
    size: int

    def __str__(self) -> str:
        kept = f", {self.kept:,} were there" if self.kept else ""
        return f"{self.new:,} images put in {printable(self.folder)}{kept}"


class _File(NamedTuple):
    original: str
    target: str
    status: os.stat_result


def place(
    images: Sequence[Sampled],
    folder: str,
    *,
    how: How = "copy",
    sample: str = "",
    progress: bool | None = False,
) -> Placed:
    """Put the files of a sample below a folder, each at its path in the archive.

    Images of several archives come into a folder for each. What is there already is kept, so
    that a second run completes the first one, and nothing else is ever written over: before
    anything is put, all originals are looked at, and all places, and the room on the disk.
    ``sdindex-manifest.csv`` says of each file what it is; of files from earlier runs, too.

    Parameters
    ----------
    folder
        It is made where it is not there.
    how
        Copies keep the time of modification.
    sample
        The sample's name, for the manifest.
    progress
        Show a bar on stderr: always, never, or (None) only on a terminal.

    Raises
    ------
    OutputError
        When an original is missing, a place is taken by another file, the disk is too small,
        or a file cannot be put. What was put before stays, whole.
    """
    _refuse_inside(folder, {image.archive for image in images})
    try:
        manifest = _read_manifest(folder)
        put = {row["original"]: row["path"] for row in manifest.values()}
        naming = Naming.of(images)
        paths = [put.get(image.path) or naming.path(image) for image in images]
        files = _files(images, paths, folder)
        earlier = {os.path.join(folder, *_parts(path)) for path in put.values()}
        missing = _not_there_yet(files, how, earlier)
        os.makedirs(folder, exist_ok=True)
        if how == "copy":
            _make_sure_of_room(missing, folder)
        with bar(len(missing), "placing", show=progress) as shown:
            for file in missing:
                _put(file, how)
                shown.update()
        for image, path in zip(images, paths, strict=True):
            manifest[path] = _row(image, path, sample)
        with writing(os.path.join(folder, MANIFEST)) as output:
            write_csv(_COLUMNS, (list(row.values()) for row in manifest.values()), output)
    except OSError as problem:
        at = f" at {printable(os.fsdecode(problem.filename))}" if problem.filename else ""
        raise OutputError(
            f"cannot put the sample in {printable(folder)}: {reason(problem)}{at}"
        ) from problem
    size = sum(file.status.st_size for file in missing)
    return Placed(folder, len(missing), len(files) - len(missing), size)


def _refuse_inside(folder: str, archives: Iterable[str]) -> None:
    """Refuse to put anything in an archive: its next update would take it for new images."""
    place = os.path.realpath(folder)
    for archive in archives:
        if is_inside(place, os.path.realpath(archive)):
            raise OutputError(
                f"{printable(folder)} lies in the archive {printable(archive)}, whose next update "
                "would take what is put there for new images; choose a folder outside"
            )


def _files(images: Sequence[Sampled], paths: Sequence[str], folder: str) -> list[_File]:
    """Return where each file comes from and goes to; all originals must be there."""
    files, gone = [], []
    for image, path in zip(images, paths, strict=True):
        target = os.path.join(folder, *_parts(path))
        try:
            files.append(_File(image.path, target, os.stat(image.path)))
        except OSError:
            gone.append(image.path)
    if gone:
        raise OutputError(
            f"cannot read {_listed(gone)}; mount the disk, or bring the index up to date and draw "
            "the sample again"
        )
    return files


def _parts(path: str) -> list[str]:
    """Return the names that a path is made of; none may lead out of the folder it is put in."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part or not _is_name(part) for part in parts):
        raise OutputError(f"{printable(path)} is no path that can be put below a folder")
    return parts


def _is_name(part: str) -> bool:
    """Say whether this system takes it for one name; Windows knows drives and backslashes."""
    return os.path.basename(os.path.splitdrive(part)[1]) == part


def _not_there_yet(files: Iterable[_File], how: How, earlier: Collection[str]) -> list[_File]:
    """Return the files that are still to be put; what is in their place must be what they are.

    `earlier` are the places that the manifest knows.
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
    """Say whether a file is in its place: by size and time where it is known, or by each byte."""
    if not os.path.isfile(file.target):
        return False
    there = os.stat(file.target)
    if os.path.samestat(there, file.status):
        return how != "copy"
    if how != "copy" or there.st_size != file.status.st_size:
        return False
    apart = abs(there.st_mtime_ns - file.status.st_mtime_ns)
    same = known and apart <= _SAME_TIME_NS
    return same or filecmp.cmp(file.original, file.target, shallow=False)


def _make_sure_of_room(missing: Iterable[_File], folder: str) -> None:
    needed = sum(file.status.st_size for file in missing)
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
    """Copy what a file holds and its time; rights and owners are for the new place to say."""
    try:
        shutil.copyfile(file.original, draft)
        os.utime(draft, ns=(file.status.st_atime_ns, file.status.st_mtime_ns))
        if os.path.lexists(file.target):
            raise FileExistsError(file.target)
        os.replace(draft, file.target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _row(image: Sampled, path: str, sample: str) -> dict[str, str]:
    values = (
        path, image.path, image.dhash, image.bucket, "" if image.burst is None else image.burst,
        image.camera, "|".join(image.labels), sample,
    )  # fmt: skip
    return dict(zip(_COLUMNS, map(str, values), strict=True))


def _read_manifest(folder: str) -> dict[str, dict[str, str]]:
    """Return the rows of the manifest by path; there are none where there is no manifest."""
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return _rows(file, path)
    except FileNotFoundError:
        return {}


def _rows(file: IO[str], path: str) -> dict[str, dict[str, str]]:
    reader = csv.DictReader(file, strict=True)
    try:
        rows = list(reader)
        whole = all(tuple(row) == _COLUMNS and None not in row.values() for row in rows)
    except csv.Error:
        whole = False
    if not whole or tuple(reader.fieldnames or ()) != _COLUMNS:
        raise OutputError(f"{printable(path)} is no manifest of sdindex; move it away")
    texts = ({name: from_cell(cell) for name, cell in row.items()} for row in rows)
    return {row["path"]: row for row in texts}


def _listed(paths: Sequence[str]) -> str:
    others = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
    return f"{printable(paths[0])}{others}"
