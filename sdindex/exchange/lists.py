"""Lists of images that people bring: a file of paths as text or JSON, or the paths themselves."""

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

_LONGEST = 1 << 16  # bytes of a path; systems allow 4,096 or so
_CHUNK = 1 << 20  # bytes read at once
_NAMES = ("path", "file", "file_name")  # the first that an object in a list has is its path


class PathList:
    """A list of paths, gone through as often as is needed; a file of them is never read whole.

    Such a file has a path a line, or paths that each end with a zero byte, or it is JSON: a
    list of paths, of objects with a ``path`` (as `sdindex select` writes them), a ``file`` (as
    MegaDetector does) or a ``file_name`` (COCO), or such a list under ``images``; or a table
    with a column of paths, or what `sdindex.exchange.readers` read.

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
        from sdindex.exchange.exported import exported_paths  # every reader, for this alone

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
            raise SampleError(str(problem)) from problem


def resolve(session: Session, options: SampleOptions) -> Listed:
    """Return the images that the lists of a sample's options mean.

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
    """What a saved sample was drawn from, as far as that can be told today.

    Attributes
    ----------
    there
        How many of its images are there.
    options
        Those that draw the sample again, and no others, from the same images.
    listed
        The images of its lists, its own not among those that were excluded.
    lost
        Which filters mean nothing today, and why, in lines.
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
        if ids is not None and own.isdisjoint(ids):  # else it cannot be drawn again beside them
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
    """Return the ids of a list's images; or add to what is lost why there are none."""
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
    """Return the id of the image that each file of this machine is, where the index has it."""
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
    """Yield what is between the ends; a part that is too long to be a path comes cut short."""
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
    os.fsencode(path)  # raises what is no name of a file
    archive = None if isinstance(item, str) else item.get("archive")
    return os.path.join(archive, path) if archive else path


def _named(item: Any) -> Any:
    if not isinstance(item, dict):
        raise TypeError
    return next((item[name] for name in _NAMES if name in item), None)
