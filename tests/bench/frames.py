"""The sampling frame: making it, keeping it true, and what is drawn, counted and found in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.bench.costs import Cost, in_turn, median, python, run
from tests.bench.made import index_of
from tests.bench.rows import Row
from tests.bench.sizes import Sizes

IMPORTS = "import click, sqlalchemy, numpy"


def making(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Make the frame from nothing, and after 1,000 images of one card were added."""
    small, large = _indexes(folder, sizes)
    (made,) = in_turn(min(sizes.runs, 3), partial(_frame, large, "anew"))
    yield Row(
        f"frame of {sizes.images:,} images made from nothing",
        f"{median(made, 'wall'):.1f} s, {median(made, 'memory'):.0f} MB",
        target="25 s, 600 MB for 10,000,000",
    )
    on_disk = f"{_bytes(large) / sizes.images:.1f} bytes each"
    yield Row(f"frame of {sizes.images:,} images on disk", on_disk, target="at most 40 bytes")
    small_before, small_after, large_before, large_after = in_turn(
        sizes.runs,
        partial(_frame, small, "check"),
        partial(_frame, small, "grow"),
        partial(_frame, large, "check"),
        partial(_frame, large, "grow"),
    )
    in_small = median(small_after, "cpu") - median(small_before, "cpu")
    in_large = median(large_after, "cpu") - median(large_before, "cpu")
    yield Row(
        f"frame of {sizes.images:,} images after 1,000 new ones, CPU time beyond the start",
        f"{in_large:.2f} s",
        f"the same of {sizes.images // 10:,}",
        f"{in_small:.2f} s",
        f"**{in_large / in_small:.2f} times**",
        "at most 1 s, 1.3 times",
    )


def finding(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Count buckets, find what is similar, and group near-duplicates."""
    _, db = _indexes(folder, sizes)
    first = "/data/large/site0000/camera00000/DCIM/100RECNX/IMG_0001.JPG"
    half = str(sizes.images // 2)
    asked = (
        (f"select -n {half}, paths", "1.2 s, 250 MB of 1,000,000", ["select", "-n", half]),
        ("buckets -n 1000", "1 s", ["buckets", "-n", "1000"]),
        ("buckets -n 1000 --bits 12", "1 s", ["buckets", "-n", "1000", "--bits", "12"]),
        ("similar", "0.5 s beyond the imports", ["similar", first]),
        ("duplicates", "20 s beyond the imports", ["duplicates"]),
        ("quality -n 1000", "2 s of CPU of 1,000,000", ["quality", "-n", "1000"]),
        ("the view bucket", "0.1 s beyond the imports", ["sql", "SELECT * FROM bucket"]),
    )
    commands = (["sdindex", "--db", str(db), *given] for _, _, given in asked)
    imports, *costs = in_turn(
        min(sizes.runs, 3), _imports, *(partial(run, command) for command in commands)
    )
    for (what, target, _), ours in zip(asked, costs, strict=True):
        yield Row(
            f"{what}, of {sizes.images:,} images",
            f"{median(ours, 'wall'):.2f} s, {median(ours, 'cpu'):.2f} s of CPU, "
            f"{median(ours, 'memory'):.0f} MB",
            f"`{IMPORTS}`",
            f"{median(imports, 'wall'):.2f} s",
            target=target,
        )


def _indexes(folder: Path, sizes: Sizes) -> tuple[Path, Path]:
    return (
        index_of(folder / "small.db", Path("/data/small"), sizes.images // 10),
        index_of(folder / "large.db", Path("/data/large"), sizes.images),
    )


def _imports() -> Cost:
    return run([python(), "-c", IMPORTS])


def _frame(db: Path, what: str) -> Cost:
    return run([python(), "-m", "tests.bench.indexes", str(db), what])


def _bytes(db: Path) -> int:
    """Return how many bytes the columns of the frame have."""
    with closing(sqlite3.connect(db)) as connection:
        (size,) = connection.execute("SELECT sum(length(data)) FROM frame_column").fetchone()
    return int(size)
