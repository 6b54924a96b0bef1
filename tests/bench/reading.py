"""Reading images: camera originals, other formats, and storage that is far away."""

import os
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench.costs import in_turn, python, run
from tests.bench.made import NOISE, make_image
from tests.bench.rows import Row, compared
from tests.bench.sizes import Sizes

BARE_LOOP = """
import sys, imagehash
from PIL import Image
for line in sys.stdin:
    with Image.open(line.rstrip("\\n")) as image:
        image.draft("L", (144, 128))
        imagehash.dhash(image)
"""
# What each of two loops does with one more file; `formats` compares them.
LOOP = """
import sys
{imports}
def work(path):  # what it took is given back before the next
    {work}
for line in sys.stdin:
    work(line.rstrip("\\n"))
"""
IMPORTS = "from PIL import Image\nfrom tests.support.reading import read"  # both, in either
DECODE = LOOP.format(imports=IMPORTS, work="with Image.open(path) as image: image.load()")
READ = LOOP.format(imports=IMPORTS, work="read(path, 'scaled')")
# An archive on a disk or a network where each file is 20 ms away.
SLOW_STORAGE = """
import sys
from functools import partial
from sdindex import Index
from sdindex.archive.roots import made_by
from tests.support.roots import SlowRoot

if __name__ == "__main__":
    with made_by(partial(SlowRoot, seconds=0.02)), Index(sys.argv[1]) as index:
        index.update(sys.argv[2], workers=int(sys.argv[3]))
"""
PEER_CALL = """
import sys
from smartdownsample import sample_diverse
sample_diverse([line.rstrip("\\n") for line in sys.stdin], 100, n_workers=4, show_progress=False)
"""


def hashing(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Hash camera originals, beside smartdownsample and beside a loop that does nothing else."""
    originals = sorted(sizes.pictures.rglob("*.JPG"))
    if not originals or sizes.peer is None:
        print(f"(no hashing: no camera originals in {sizes.pictures})", file=sys.stderr)
        return
    archive, db = folder / "originals", folder / "hashing.db"
    archive.mkdir()
    for number in range(sizes.originals):
        source = originals[number % len(originals)]
        (archive / f"IMG_{number:04d}.JPG").symlink_to(source)
    names = "\n".join(map(str, sorted(archive.iterdir()))) + "\n"
    peer = [str(sizes.peer / "python"), "-c", PEER_CALL]
    bare = [python(), "-c", BARE_LOOP]
    on_every_core = ["split", "-n", f"r/{os.cpu_count()}", "--filter", shlex.join(bare)]
    index = ["sdindex", "--db", str(db), "index", "-q", str(archive)]
    ours, heads, loop, loops, theirs = in_turn(
        sizes.runs,
        lambda: run(index, fresh=db),
        lambda: run([*index, "--method", "thumbnail"], fresh=db),
        lambda: run(bare, names),
        lambda: run(on_every_core, names),
        lambda: run(peer, names),
    )
    what, beside = (
        f"index {sizes.originals:,} originals of 8 megapixels, 4 workers",
        "smartdownsample",
    )
    ceiling = "the bare loop, on every core at once"
    bare_loop = "a bare loop of draft and dhash"
    yield compared(what, ours, beside, theirs, "wall", "at least 5 times faster")
    yield compared(ceiling, loops, beside, theirs, "wall", "nothing is faster here")
    yield compared(f"{what}: CPU", ours, bare_loop, loop, "cpu", "at most 1.15")
    heads_of = f"{what}, --method thumbnail"
    yield compared(heads_of, heads, beside, theirs, "wall", "at least 20 times faster")


def formats(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Read images that are no JPEGs, beside Pillow's decoding of them."""
    for name, (suffix, how) in {
        "PNG": ("png", ""),
        "TIFF": ("tif", ", compression='tiff_lzw'"),
        "TIFF, not compressed": ("tiff", ""),
        "WebP": ("webp", ""),
    }.items():
        file = folder / f"image.{suffix}"
        code = f"{NOISE}.resize((3264, 2448), Image.Resampling.BICUBIC).save({str(file)!r}{how})"
        run([python(), "-c", code])
        names = f"{file}\n" * sizes.decoded
        ours, decoding = in_turn(
            sizes.runs,
            partial(run, [python(), "-c", READ], names),
            partial(run, [python(), "-c", DECODE], names),
        )
        what = f"read {sizes.decoded} images of 8 megapixels: {name}"
        yield compared(what, ours, "Pillow's decoding", decoding, "cpu", "no slower")


def storage(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Index files that are 20 ms away each, with few workers and with many."""
    archive, db = folder / "far", folder / "far.db"
    archive.mkdir()
    make_image(folder / "far.jpg")
    for number in range(sizes.far):
        os.link(folder / "far.jpg", archive / f"IMG_{number:04d}.JPG")
    script = folder / "slow_storage.py"
    script.write_text(SLOW_STORAGE)
    index = [python(), str(script), str(db), str(archive)]
    few, many = in_turn(
        min(sizes.runs, 3),
        lambda: run([*index, "4"], fresh=db),
        lambda: run([*index, "32"], fresh=db),
    )
    what = f"index {sizes.far:,} small images, 20 ms away each, 32 workers"
    yield compared(what, many, "4 workers", few, "wall", "up to 8 times faster")
