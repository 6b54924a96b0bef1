"""The parts of the benchmark, by name."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.bench import (
    engines,
    frames,
    growth,
    labels,
    listing,
    objects,
    postgresql,
    reading,
    reviewing,
    scanning,
    selecting,
)
from tests.bench.costs import machine, reap_orphans
from tests.bench.rows import HEADER, Row, write_page
from tests.bench.sizes import Sizes

PARTS: dict[str, Callable[[Path, Sizes], Iterator[Row]]] = {
    "hashing": reading.hashing,
    "formats": reading.formats,
    "storage": reading.storage,
    "objects": objects.objects,
    "listing": listing.listing,
    "scanning": scanning.scanning,
    "selecting": selecting.selecting,
    "counts": selecting.counts,
    "options": selecting.options,
    "making": frames.making,
    "finding": frames.finding,
    "growth": growth.growth,
    "labels": labels.labels,
    "merging": engines.merging,
    "engines": engines.engines,
    "postgresql": postgresql.postgresql,
    "review": reviewing.reviewing,
}


def measure(names: Sequence[str], sizes: Sizes, page: Path | None = None) -> list[Row]:
    """Print a Markdown table of the parts, row by row, write it as a page and return it."""
    reap_orphans()
    print(f"{machine()}; medians of {sizes.runs} runs, the two sides in turn\n")
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    rows = []
    with tempfile.TemporaryDirectory(prefix="sdindex-bench-") as folder:
        for name in names:
            for row in PARTS[name](Path(folder), sizes):
                print("| " + " | ".join(row) + " |", flush=True)
                rows.append(row)
    drawn = [row for row in rows if row.what.startswith("drawing ")]
    if drawn:
        print(f"\nSeconds of processor time:\n\n{growth.chart(drawn)}")
    if page:
        write_page(page, rows)
    return rows
