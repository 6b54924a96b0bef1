"""Images of more pixels than a worker should decode whole."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.torture.states import opened
from tests.torture.support import Row, Run, check, command, write

# Up to 169 megapixels: beyond twice 89.5 million Pillow refuses to open a file.
SIZES = ((11_000, 8_000), (13_000, 13_000), (20_000, 4_000), (9_000, 9_000))
MEMORY = 300 << 20  # bytes of a process: less than the smallest of them has when decoded


def huge(folder: Path, count: int, seed: int) -> Row:
    """Read large JPEGs at a reduced scale: none is decoded whole, and none is refused."""
    archive = folder / "archive"
    archive.mkdir()
    sizes = _made(archive, sorted({trial % len(SIZES) for trial in range(seed, seed + count)}))
    megapixels = Counter(f"{width * height // 10**6} megapixels" for width, height in sizes)
    db = folder / "sdindex.db"
    run = Run(command(db, "index", "-q", "--workers", 1, archive), folder / "log")
    most = _most_memory(run)
    status = run.ended()
    check(status == 0 and not run.shown, f"it ended with {status}: {run.shown[-900:]}")
    with closing(opened(db)) as connection:
        query = "SELECT path, error, width, height FROM image WHERE dhash IS NULL"
        refused = connection.execute(query).fetchall()
    check(not refused, f"refused are {refused}")
    memory = f"{most / 1e6:,.0f} MB"
    check(most <= MEMORY, f"reading them took {memory}")
    return Row(
        "JPEGs of more pixels than are decoded whole",
        f"{count:,}",
        f"{', '.join(megapixels)}: all are read, in {memory} at most",
    )


def _most_memory(run: Run) -> int:
    """Watch a program to its end; return the most bytes that any of its processes had."""
    most = 0
    while run.process.poll() is None:
        for process in run.processes():
            with suppress(FileNotFoundError, ProcessLookupError):
                status = Path(f"/proc/{process}/status").read_text()
                found = re.search(r"VmHWM:\s+(\d+) kB", status)
                most = max(most, int(found[1]) * 1024 if found else 0)
        time.sleep(0.02)
    return most


def _made(archive: Path, numbers: list[int]) -> Iterator[tuple[int, int]]:
    for number in numbers:
        size = SIZES[number]
        rough = Image.frombytes("RGB", (9, 8), random.Random(number).randbytes(3 * 72))
        content = BytesIO()
        rough.resize(size, Image.Resampling.NEAREST).save(content, "JPEG", quality=50)
        write(archive / f"{number}.jpg", content.getvalue())
        yield size
