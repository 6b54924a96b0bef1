"""Images in a bucket, by a server on this machine that answers 20 ms late."""

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tests.bench.costs import in_turn, python, run
from tests.bench.made import make_image
from tests.bench.rows import Row, compared
from tests.bench.sizes import Sizes
from tests.support.bucket import Bucket, serving, spoken_to

REQUESTS = 64
LATE = 0.02  # seconds
# What no client of the store can do without.
WAITING = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(int(sys.argv[2])) as threads:
    list(threads.map(lambda _: time.sleep(float(sys.argv[3])), range(int(sys.argv[1]))))
"""


def objects(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Index objects that are 20 ms away each, beside the same files on a disk, and waiting."""
    if find_spec("s3fs") is None:
        print("(no objects: s3fs is not installed here)", file=sys.stderr)
        return
    archive, db = folder / "objects", folder / "objects.db"
    archive.mkdir()
    make_image(folder / "object.jpg")
    for number in range(sizes.far):
        os.link(folder / "object.jpg", archive / f"IMG_{number:04d}.JPG")
    index = ["sdindex", "--db", str(db), "index", "-q"]
    bucket = Bucket(latency=LATE)
    for number in range(sizes.far):
        bucket.put(f"a/IMG_{number:04d}.JPG", (folder / "object.jpg").read_bytes())
    with serving(bucket) as address, spoken_to(address):  # this process has nothing else to do
        far, disk, waiting = in_turn(
            min(sizes.runs, 3),
            lambda: run([*index, "s3://bucket/a", "--workers", str(REQUESTS)], fresh=db),
            lambda: run([*index, str(archive)], fresh=db),
            lambda: run([python(), "-c", WAITING, str(sizes.far), str(REQUESTS), str(LATE)]),
        )
    what = f"index {sizes.far:,} small objects, 20 ms away each, {REQUESTS} workers"
    yield compared(what, far, "the same files on a disk", disk, "wall", "1.2 times or less")
    yield compared(what, far, f"waiting, {REQUESTS} at once", waiting, "wall", "1.5 times or less")
