"""Files that crash or hang who reads them, among many that many read: two are lost, and named."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sdindex import Index
from sdindex.archive.roots import made_by
from tests.support.faulty import FaultyRoot, cluster
from tests.torture.support import Row, check, images

TIMEOUT = 5.0
LATE = 10.0  # seconds beside the timeout that all of it may take


def crowds(
    folder: Path, count: int, seed: int, *, files: int = 600, engines: Sequence[str] = ()
) -> Row:
    """Have each engine read files of which one crashes its reader, and one hangs."""
    archive = images(folder / "archive", files - 2, seed=seed)
    for number, name in enumerate(("crash.JPG", "hang.JPG")):
        os.link(archive / "0" / "IMG_0.JPG", archive / f"{3 + number}" / name)
    took: dict[str, float] = {}
    for name in engines or [name for name in ENGINES if name != "Dask" or find_spec("distributed")]:
        for trial in range(count):
            seconds = _read(archive, folder / f"{name}-{trial}", ENGINES[name], files)
            took[name] = max(seconds, took.get(name, 0.0))
    said = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
    return Row(
        f"{files} files, one crash and one hang, by executors",
        f"{count:,}",
        f"{files - 2} read and 2 named, each time; at most {said} of {TIMEOUT + LATE:.0f}",
    )


def _read(archive: Path, folder: Path, engine: Callable[[Path], Any], files: int) -> float:
    folder.mkdir()
    with engine(folder) as options, made_by(FaultyRoot), Index(folder / "sdindex.db") as index:
        started = time.monotonic()
        summary = index.update(archive, timeout=TIMEOUT, **options)
        seconds = time.monotonic() - started
        named = {Path(error.path).name: error.reason for error in index.errors()}
    check((summary.new, summary.unreadable) == (files - 2, 2), f"{summary}; {folder.name}")
    right = named["crash.JPG"].startswith("its reader died") and "hung" in named["hang.JPG"]
    check(right, f"{named}; {folder.name}")
    check(seconds <= TIMEOUT + LATE, f"it took {seconds:.1f} s; {folder.name}")
    return seconds


@contextmanager
def _own(_: Path) -> Iterator[dict[str, Any]]:
    yield {"workers": 2}


@contextmanager
def _threads(_: Path) -> Iterator[dict[str, Any]]:
    with ThreadPoolExecutor(2) as executor:
        yield {"executor": executor}


@contextmanager
def _pool(_: Path) -> Iterator[dict[str, Any]]:
    with ProcessPoolExecutor(2, get_context("forkserver")) as executor:
        yield {"executor": executor}


@contextmanager
def _dask(folder: Path) -> Iterator[dict[str, Any]]:
    with cluster(folder / "cluster") as made:
        yield {"dask": made.address}


ENGINES: dict[str, Callable[[Path], Any]] = {
    "own": _own, "threads": _threads, "pool": _pool, "Dask": _dask,
}  # fmt: skip
