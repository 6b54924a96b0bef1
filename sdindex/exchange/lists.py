"""Lists of images that people bring: a file of paths as text or JSON, or the paths themselves."""

import codecs
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sdindex.archive.names import printable, to_text
from sdindex.archive.scan import reason
from sdindex.errors import SampleError
from sdindex.store import archives
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.tables import image

STDIN = "-"


def paths_of(listed: str | Sequence[str]) -> list[str]:
    """Return the paths of a list; a string names a file of them, ``-`` is stdin.

    Such a file has a path a line, or paths that each end with a zero byte, or it is JSON: a
    list of paths, of objects with a ``path`` (as `sdindex select` writes them) or a ``file``,
    or such a list under ``images``.

    Raises
    ------
    SampleError
        When the file cannot be read, or is no list of paths.
    """
    if not isinstance(listed, str):
        return list(listed)
    if listed == STDIN and sys.stdin is None:
        raise SampleError("stdin is closed; name a file in place of -")
    try:
        content = sys.stdin.buffer.read() if listed == STDIN else Path(listed).read_bytes()
    except OSError as problem:
        raise SampleError(f"cannot read {printable(listed)}: {reason(problem)}") from problem
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SampleError(f"{printable(listed)} is UTF-16; save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    stripped = content.strip()
    if (stripped[:1], stripped[-1:]) in ((b"[", b"]"), (b"{", b"}")):  # or a path begins so
        return _from_json(content, listed)
    lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    return [os.fsdecode(line) for line in lines if line]


def _from_json(content: bytes, name: str) -> list[str]:
    try:
        items = json.loads(content)
        if isinstance(items, Mapping):
            items = items["images"]
        if not isinstance(items, list):
            raise TypeError
        return [_path(item) for item in items]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise SampleError(
            f"{printable(name)} is no list of paths: expected JSON such as "
            '["a.jpg", "b.jpg"] or [{"path": "a.jpg"}]'
        ) from problem


def _path(item: Any) -> str:
    path = item if isinstance(item, str) else item["path"] if "path" in item else item["file"]
    if not isinstance(path, str) or "\0" in path:
        raise TypeError
    os.fsencode(path)  # raises what is no name of a file
    archive = None if isinstance(item, str) else item.get("archive")
    return os.path.join(archive, path) if archive else path


def images_of(session: Session, paths: Iterable[str]) -> dict[str, set[int]]:
    """Return the ids of those images that the index knows, by the path as it was given.

    A path is absolute, relative to the working folder, or relative to an archive's root: it
    may mean one image in each of several archives.
    """
    known = archives.all_archives(session)
    paths = list(dict.fromkeys(paths))
    located = {path: archives.locate(path, known) for path in paths}
    found = _held(
        session,
        ((path, part.archive.id, part.under[:-1]) for path, part in located.items() if part),
    )
    relative = [path for path in paths if path not in found and not os.path.isabs(path)]
    return found | _held(
        session,
        (
            (path, archive.id, to_text(os.path.normpath(path).replace(os.sep, "/")))
            for path in relative
            for archive in known
        ),
    )


def _held(session: Session, asked: Iterable[tuple[str, int, str]]) -> dict[str, set[int]]:
    """Return the ids of those paths, as given, that an archive has in stored form."""
    given: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path, archive_id, stored in asked:
        given[archive_id][stored].append(path)
    found: dict[str, set[int]] = defaultdict(set)
    for archive_id, by_stored in given.items():
        for chunk in batched(by_stored, PARAMETERS):
            rows = session.execute(
                sa.select(image.c.path, image.c.id).where(
                    image.c.archive_id == archive_id, image.c.path.in_(chunk)
                )
            )
            for stored, row_id in rows:
                for path in by_stored[stored]:
                    found[path].add(row_id)
    return dict(found)
