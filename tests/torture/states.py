"""What an index tells of an archive, compared: all rows, their order, their buckets, samples."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Set as AnySet
from contextlib import closing
from pathlib import Path
from typing import Any

from sdindex import Index
from sdindex.indexing.executors import Threads
from sdindex.indexing.summary import Summary
from tests.torture.support import HANGS, Run, check, command

_COLUMNS = (
    "archive.root, image.path, size, mtime_ns, dhash, error, image.method, image.sort_key, "
    "taken_at, width, height, brightness"
)
QUESTIONS = {
    "row": f"SELECT {_COLUMNS} FROM image JOIN archive ON archive.id = archive_id "
    "WHERE missing_since IS NULL ORDER BY archive.root, path",
    "bucket": "SELECT bucket, images, first_path FROM bucket ORDER BY bucket",
    "archive": "SELECT root, method FROM archive ORDER BY root",
}
COMMITTED = "SELECT path, size, mtime_ns, dhash, error FROM image"
_SAMPLES = ((7, 4), (10**6, 4), (9, 11))  # images asked for, and bits of a bucket

State = dict[str, list[tuple[Any, ...]]]
Rows = AnySet[tuple[Any, ...]]


def state(db: Path, index: Index | None = None) -> State:
    """Return what an index tells of the files that are there, in the order of their paths.

    `index` is an entry to it that is open: opening another costs more than what is asked.
    """
    if index is None:
        with Index(db) as index:
            return state(db, index)
    with closing(opened(db)) as connection:
        told = {name: connection.execute(query).fetchall() for name, query in QUESTIONS.items()}
    return told | samples(index)


def samples(index: Index) -> State:
    """Return samples of an index."""
    told: State = {}
    for wanted, bits in _SAMPLES:
        sample = index.select(wanted, bits=bits)
        told[f"sample of {wanted} at {bits} bits"] = [(image.path, image.dhash) for image in sample]
    return told


def first_difference(found: State, expected: State) -> str:
    """Return what differs first between two states; nothing when they are the same."""
    for name, wanted in expected.items():
        for row, other in zip(found[name], wanted, strict=False):
            if row != other:
                return f"{name} {row} is to be {other}"
        if len(found[name]) != len(wanted):
            return f"{len(found[name])} times {name} are to be {len(wanted)}"
    return ""


def opened(db: Path, *, timeout: float = HANGS) -> sqlite3.Connection:
    """Return a connection that only reads, and knows nothing of this program."""
    return sqlite3.connect(f"{db.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout)


def whole_run(db: Path, archive: Path) -> tuple[float, float]:
    """Index an archive undisturbed: return the seconds until it begins to write, and in all."""
    lock = db.with_name(f"{db.name}.lock")
    begins = lock if db.exists() else db
    started = time.monotonic()
    run = Run(command(db, "index", "-v", archive), db.with_name("whole.log"))
    while run.process.poll() is None and not begins.exists():
        time.sleep(0.001)
    begun = time.monotonic() - started
    check(run.ended() == 0, run.shown)
    return begun, time.monotonic() - started


def update(db: Path | str, *folders: Path, **options: Any) -> Summary:
    """Bring an index up to date in this process: no worker processes are started."""
    with Index(db) as index, Threads(2) as threads:
        return index.update(*folders, executor=threads, **options)


def index_again(db: Path, archive: Path, expected: State, again: str) -> int:
    """Have the next run finish the work; return how many files it read."""
    summary = update(db, archive)
    wrong = first_difference(state(db), expected)
    check(not wrong, f"after the next run, {wrong}; {again}")
    return summary.read


def rows_now(db: Path) -> Rows | None:
    """Return what is committed while another program writes; None at a moment of commit."""
    if not db.exists():
        return None
    try:
        with closing(opened(db, timeout=0)) as connection:
            return set(connection.execute(COMMITTED))
    except sqlite3.OperationalError:
        return None


def rows_after(db: Path, copy: Path) -> Rows:
    """Return what is committed after a crash, from a copy: the repair is left to the program."""
    if not db.exists():
        return set()
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for file in db.parent.glob(f"{db.name}*"):
        shutil.copy(file, copy)
    with closing(sqlite3.connect(copy / db.name)) as connection:
        broken = connection.execute("PRAGMA integrity_check").fetchone()
        check(broken == ("ok",), f"the index is damaged: {broken}")
        return set(connection.execute(COMMITTED))
