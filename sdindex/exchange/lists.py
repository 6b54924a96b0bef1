"""Lists of images given by the user: a file of paths, or paths; and their images' ids."""

import codecs
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import filterfalse
from typing import IO, Any, NamedTuple

from sdindex.archive.names import printable
from sdindex.archive.scan import is_image, reason
from sdindex.errors import LabelFileError, Option, SampleError
from sdindex.exchange.inputs import STDIN, Input, is_json
from sdindex.exchange.json_stream import JsonError, pieces
from sdindex.exchange.matching import Matcher
from sdindex.sampling.options import SampleOptions
from sdindex.store import samples
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.lookup import Listed

log = logging.getLogger("sdindex")

_LONGEST = 1 << 16  # bytes of a path; systems allow some 4,096
_CHUNK = 1 << 20  # bytes read at once
_NAMES = ("path", "file", "file_name")  # the first of these members of an object is its path


class PathList:
    """A list of paths, which can be iterated over several times; a file is never read whole.

    The file may have a path on each line, or paths that end with a zero byte. It may be JSON: a
    list of paths, or of objects with a ``path`` (as `sdindex select` writes), a ``file``
    (MegaDetector) or a ``file_name`` (COCO), or such a list under ``images``. It may be a table
    with a column of paths, or any file that `sdindex.exchange.readers` reads.

    Parameters
    ----------
    listed
        The name of a file of paths, ``-`` for stdin; or the paths.
    """

    def __init__(self, listed: str | Sequence[str]) -> None:
        if listed == STDIN and sys.stdin is None:
            raise SampleError("stdin is closed; name a file instead of -")
        self._paths = () if isinstance(listed, str) else listed
        self._input = Input(listed) if isinstance(listed, str) else None

    def __iter__(self) -> Iterator[str]:
        """Yield the paths in the list's order.

        Raises
        ------
        SampleError
            When the file cannot be read, or is no list of paths.
        """
        if self._input is None:
            yield from self._paths
            return
        from sdindex.exchange.exported import exported_paths  # all readers, imported only here

        name = printable(self._input.name)
        try:
            exported = exported_paths(self._input)
            if exported is not None:
                yield from exported
                return
            with self._input.opened() as file:
                yield from _from_json(file, name) if is_json(file) else _from_text(file, name)
        except OSError as problem:
            raise SampleError(f"cannot read {name}: {reason(problem)}") from problem
        except LabelFileError as problem:
            raise SampleError(*problem.args) from problem


def resolve(session: Session, options: SampleOptions) -> Listed:
    """Return the images in the lists of a sample's options.

    Raises
    ------
    SampleError
        When a list cannot be read, or none of its images is in the index.
    """
    saved = samples.names(session) if options.exclude else set()
    others = [listed for listed in options.exclude if listed not in saved]
    lists, images = filterfalse(is_image, others), [*filter(is_image, others)]
    excluded = [_ids(session, images)] if images else []
    for listed in lists:
        if listed != STDIN and not os.path.lexists(listed):
            known = ", ".join(sorted(map(printable, saved))) or "none so far"
            raise SampleError(
                Option("exclude"),
                ": there is neither a saved sample nor a file named "
                f"{printable(listed)}; the saved samples are: {known}; to exclude nothing, leave "
                "it out",
            )
        excluded.append(_ids(session, listed))
    return Listed(
        files=None if options.files is None else _ids(session, options.files),
        include=frozenset() if options.include is None else _ids(session, options.include),
        exclude=frozenset().union(*excluded),
    )


class DrawnFrom(NamedTuple):
    """What a saved sample was drawn from, as far as it is known today.

    Attributes
    ----------
    there
        How many of its images are still there.
    options
        The options that select the same images, and keep the sample's own.
    listed
        The images of its lists; its own images are not among the excluded ones.
    lost
        Lines that say which filters no longer work today, and why.
    """

    there: int
    options: SampleOptions
    listed: Listed
    lost: list[str]


def drawn_from(session: Session, name: str) -> DrawnFrom:
    """Return what a saved sample was drawn from: its filters, and its lists as they are now.

    Raises
    ------
    SampleError
        When there is none of that name.
    """
    there, options = samples.again(session, name)
    given, own = samples.options_of(session, name), samples.ids_of(session, name)
    saved, lost = samples.names(session), list[str]()
    if options.within is not None and options.within not in saved:
        lost.append(_left_out("--within", options.within, "there is no such saved sample any more"))
        options = replace(options, within=None)
    excluded, kept = set[int](), []
    for one in SampleOptions(exclude=given.get("exclude", ())).exclude:
        ids = (
            samples.ids_of(session, one)
            if one in saved
            else _told(session, "--exclude", (one,) if is_image(one) else one, lost)
        )
        excluded |= ids or set()
        if ids is not None and own.isdisjoint(ids):  # else it could not draw its own again
            kept.append(one)
    files = None
    if (known := SampleOptions(files=given.get("files")).files) is not None:
        files = _told(session, "--from", known, lost)
        options = replace(options, files=None if files is None else known)
    listed = Listed(files=files, exclude=frozenset(excluded - own))
    return DrawnFrom(there, replace(options, exclude=kept), listed, lost)


def _told(
    session: Session, flag: str, listed: str | Sequence[str], lost: list[str]
) -> frozenset[int] | None:
    """Return the ids of a list's images; None, and a line in `lost`, if it cannot be read now."""
    try:
        if listed == STDIN:
            raise SampleError("it was read from stdin")
        return _ids(session, listed)
    except SampleError as problem:
        name = listed if isinstance(listed, str) else ", ".join(listed)
        lost.append(_left_out(flag, name, str(problem)))
        return None


def _left_out(flag: str, name: str, why: str) -> str:
    return f"images that {flag} {printable(name)} left out stand beside it, too: {why}"


def ids_of_files(session: Session, files: Iterable[str]) -> dict[str, int]:
    """Return the image ids of files on this machine, by file, where the index has them."""
    matcher = Matcher(session)
    found: dict[str, int] = {}
    for chunk in batched(files, PARAMETERS):
        pairs = zip(chunk, matcher.ids(chunk), strict=True)
        found.update((file, min(ids)) for file, ids in pairs if ids)
    return found


def _ids(session: Session, listed: str | Sequence[str]) -> frozenset[int]:
    """Return the ids of a list's images; warn of paths that are not in the index."""
    paths = PathList(listed)
    matcher = Matcher(session)
    dropped = matcher.folders_to_drop(paths)
    if dropped:
        log.warning("listed paths were matched without %s/", printable("/".join(dropped)))
    found: set[int] = set()
    listed_images, unknown, example = 0, 0, ""
    for chunk in batched(paths, PARAMETERS):
        for path, ids in zip(chunk, matcher.ids(chunk, len(dropped)), strict=True):
            listed_images += 1
            found.update(ids)
            if not ids:
                example = example if unknown else path
                unknown += 1
    if unknown:
        named = f"{printable(example)}{', ...' if unknown > 1 else ''}"
        text = f"{unknown:,} of {listed_images:,} listed images are not in the index ({named})"
        if not found:
            raise SampleError(f"{text}; a path is absolute, or relative to its archive's root")
        log.warning("%s", text)
    return frozenset(found)


def _from_json(file: IO[bytes], name: str) -> Iterator[str]:
    try:
        for _, item in pieces(file, ("images",), required="images"):
            yield _path(item)
    except (JsonError, TypeError, UnicodeError) as problem:
        raise SampleError(
            f"{name} is no list of paths: expected JSON such as "
            '["a.jpg", "b.jpg"] or [{"path": "a.jpg"}]'
        ) from problem


def _from_text(file: IO[bytes], name: str) -> Iterator[str]:
    start = file.tell()
    head = file.read(_LONGEST)
    file.seek(start)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SampleError(f"{name} is UTF-16; save it as UTF-8")
    end = b"\0" if b"\0" in head else b"\n"
    for line in _split(file, end):
        path = line.removesuffix(b"\r") if end == b"\n" else line
        if b"\0" in path or len(path) > _LONGEST:
            raise SampleError(f"{name} is no list of paths: expected one a line, or JSON")
        if path:
            yield os.fsdecode(path)


def _split(file: IO[bytes], end: bytes) -> Iterator[bytes]:
    """Yield the stretches between ends; one that is too long for a path is cut short."""
    rest = b""
    while content := file.read(_CHUNK):
        *whole, rest = (rest + content).split(end)
        yield from whole
        if len(rest) > _LONGEST:
            yield rest
            return
    yield rest


def _path(item: Any) -> str:
    path = item if isinstance(item, str) else _named(item)
    if not isinstance(path, str) or "\0" in path:
        raise TypeError
    os.fsencode(path)  # raises where it is no name of a file
    archive = None if isinstance(item, str) else item.get("archive")
    return os.path.join(archive, path) if archive else path


def _named(item: Any) -> Any:
    if not isinstance(item, dict):
        raise TypeError
    return next((item[name] for name in _NAMES if name in item), None)
