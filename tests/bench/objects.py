"""Images in a bucket, by a server on this machine that answers 20 ms late."""

import shlex
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
URL = "s3://bucket/a"
# What no client of the store can do without.
WAITING = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(int(sys.argv[2])) as threads:
    list(threads.map(lambda _: time.sleep(float(sys.argv[3])), range(int(sys.argv[1]))))
"""
# Lists and fetches all, and decodes nothing.
FETCHING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from sdindex.archive.roots import root_of
root = root_of(sys.argv[1])
found = [file.path for item in root.scan() if isinstance(item, list) for file in item]
with ThreadPoolExecutor(int(sys.argv[2])) as threads:
    list(threads.map(lambda path: len(root.fetched(path).content), found))
"""


def objects(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Index objects that are 20 ms away each, beside waiting, fetching and decoding alone."""
    if find_spec("s3fs") is None:
        print("(no objects: s3fs is not installed here)", file=sys.stderr)
        return
    for name, size in (("tiny", (32, 24)), ("small", (320, 240))):
        make_image(folder / f"{name}.jpg", size)
        yield from _of(folder, sizes, name, [folder / f"{name}.jpg"], sizes.far)
    if pictures := sorted(sizes.pictures.rglob("*.JPG"))[: sizes.originals]:
        yield from _of(folder, sizes, "original", pictures, sizes.originals)


def _of(folder: Path, sizes: Sizes, name: str, files: list[Path], count: int) -> Iterator[Row]:
    archive, db, other = (folder / f"{name}-objects{end}" for end in ("", ".db", "-other.db"))
    archive.mkdir()
    bucket = Bucket(latency=LATE)
    contents = {file: file.read_bytes() for file in files}
    for number in range(count):
        file = files[number % len(files)]
        (archive / f"IMG_{number:05d}.JPG").symlink_to(file)
        bucket.put(f"a/IMG_{number:05d}.JPG", contents[file])
    index = ["sdindex", "--db", str(db), "index", "-q"]
    decode = ["sdindex", "--db", str(other), "index", "-q", str(archive)]
    fetch = [python(), "-c", FETCHING, URL, str(REQUESTS)]
    at_once = f"{shlex.join(fetch)} & {shlex.join(decode)}; wait"
    with serving(bucket) as address, spoken_to(address):  # this process has nothing else to do
        far, decoding, fetching, both, waiting = in_turn(
            min(sizes.runs, 3),
            lambda: run([*index, URL, "--workers", str(REQUESTS)], fresh=db),
            lambda: run(decode, fresh=other),
            lambda: run(fetch),
            lambda: run(["sh", "-c", at_once], fresh=other),
            lambda: run([python(), "-c", WAITING, str(count), str(REQUESTS), str(LATE)]),
        )
    what = f"index {count:,} {name} objects, 20 ms away each, {REQUESTS} workers"
    longer = [
        max(pair, key=lambda cost: cost.wall) for pair in zip(decoding, fetching, strict=True)
    ]
    yield compared(what, far, "decoding or fetching them, the longer", longer, "wall", "<= 1.1")
    yield compared(what, far, "decoding and fetching at once, apart", both, "wall", "<= 1.1")
    yield compared(what, far, f"waiting, {REQUESTS} at once", waiting, "wall", "<= 1.5 where tiny")
