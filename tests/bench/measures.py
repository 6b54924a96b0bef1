#!/usr/bin/env python3
"""Measure sdindex beside what it is held against; print a Markdown table and write a page.

Both sides of a comparison run in turn in the same session, on files that were read once
before, and what is printed are medians. Parts: hashing, formats, storage, scanning,
selecting, counts, options. The figures of ten million rows: --images 10000000
selecting.
"""

from __future__ import annotations

import argparse
import compileall
import ctypes
import multiprocessing
import os
import platform
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from environment import CHECKOUT, environment

ORIGINALS = CHECKOUT.parent / "shared" / "data" / "archive" / "peru"
PEER = "smartdownsample==1.1.1"
BARE_LOOP = """
import sys, imagehash
from PIL import Image
for line in sys.stdin:
    with Image.open(line.rstrip("\\n")) as image:
        image.draft("L", (144, 128))
        imagehash.dhash(image)
"""
# Made in a process of its own: a process counts the memory of the one that started it as its own.
NOISE = "from PIL import Image\nImage.merge('RGB', [Image.effect_noise((256, 192), 60)] * 3)"
# What each of two loops does with one more file; `formats` compares them.
LOOP = """
import sys
{imports}
def work(path):  # what it took is given back before the next
    {work}
for line in sys.stdin:
    work(line.rstrip("\\n"))
"""
IMPORTS = "from PIL import Image\nfrom sdindex.hashing.image import read_image"  # both, in either
DECODE = LOOP.format(imports=IMPORTS, work="with Image.open(path) as image: image.load()")
READ = LOOP.format(imports=IMPORTS, work="read_image(path, 'scaled')")
# A disk or a network on which each file is 20 ms away. Workers find it by its name, and
# import what is above the last lines.
SLOW_STORAGE = """
import sys, time

def read_late(path, method):
    from sdindex.hashing.image import picture

    time.sleep(0.02)
    return picture.read_image(path, method)

if __name__ == "__main__":
    from sdindex import Index
    from sdindex.indexing import ingest
    import slow_storage

    ingest.read_image = slow_storage.read_late
    with Index(sys.argv[1]) as index:
        index.update(sys.argv[2], workers=int(sys.argv[3]))
"""
PEER_CALL = """
import sys
from smartdownsample import sample_diverse
sample_diverse([line.rstrip("\\n") for line in sys.stdin], 100, n_workers=4, show_progress=False)
"""


class Cost(NamedTuple):
    """What a command took: seconds of wall time and of all its processes, and MB at most."""

    wall: float
    cpu: float
    memory: float


class Row(NamedTuple):
    what: str
    ours: str
    beside: str
    theirs: str
    ratio: str
    target: str


HEADER = ("what", "sdindex", "beside", "takes", "ratio", "target")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them by default")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side (default: 5)")
    parser.add_argument("--originals", type=int, default=300, help="8-megapixel files to hash")
    parser.add_argument("--files", type=int, default=100_000, help="files to scan")
    parser.add_argument("--images", type=int, default=1_000_000, help="images to select from")
    parser.add_argument("--page", type=Path, help="write a page with a chart of it here, too")
    parser.add_argument("--here", action="store_true", help="use this Python's sdindex")
    options = parser.parse_args()
    programs = Path(sys.executable).parent if options.here else environment("bench")
    if Path(sys.executable).parent != programs:  # the one that has sdindex in it
        os.execv(programs / "python", [str(programs / "python"), __file__, *sys.argv[1:]])  # noqa: S606
    os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    compileall.compile_dir(CHECKOUT / "sdindex", quiet=1)  # as those of an installed program are
    reap_orphans()
    print(f"{machine()}; medians of {options.runs} runs, the two sides in turn\n")
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    rows = []
    with tempfile.TemporaryDirectory(prefix="sdindex-bench-") as folder:
        for part in options.parts or PARTS:
            for row in PARTS[part](Path(folder), options):
                print("| " + " | ".join(row) + " |", flush=True)
                rows.append(row)
    if options.page:
        write_page(options.page, rows)


def hashing(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Hash camera originals, beside smartdownsample and beside a loop that does nothing else."""
    originals = sorted(ORIGINALS.rglob("*.JPG"))
    if not originals:
        print(f"(no hashing: {ORIGINALS} is not there)", file=sys.stderr)
        return
    archive = folder / "originals"
    archive.mkdir()
    for number in range(options.originals):
        source = originals[number % len(originals)]
        (archive / f"IMG_{number:04d}.JPG").symlink_to(source)
    names = "\n".join(map(str, sorted(archive.iterdir()))) + "\n"
    peer = [str(environment("peer", package=PEER) / "python"), "-c", PEER_CALL]
    script = folder / "bare_loop.py"
    script.write_text(BARE_LOOP)
    bare = [python(), str(script)]
    on_every_core = ["split", "-n", f"r/{os.cpu_count()}", "--filter", shlex.join(bare)]
    db = folder / "hashing.db"
    index = ["sdindex", "--db", str(db), "index", "-q", str(archive)]
    ours, heads, loop, loops, theirs = in_turn(
        options.runs,
        lambda: run(index, fresh=db),
        lambda: run([*index, "--method", "thumbnail"], fresh=db),
        lambda: run(bare, names),
        lambda: run(on_every_core, names),
        lambda: run(peer, names),
    )
    what = f"index {options.originals:,} originals of 8 megapixels, 4 workers"
    yield compared(what, ours, "smartdownsample", theirs, "wall", "at least 5 times faster")
    ceiling = "the bare loop, on every core at once"
    yield compared(ceiling, loops, "smartdownsample", theirs, "wall", "nothing is faster here")
    yield compared(
        f"{what}: CPU", ours, "a bare loop of draft and dhash", loop, "cpu", "at most 1.15"
    )
    beside, target = "smartdownsample", "at least 20 times faster"
    yield compared(f"{what}, --method thumbnail", heads, beside, theirs, "wall", target)


def formats(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
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
        names = f"{file}\n" * 20
        ours, decoding = in_turn(
            options.runs,
            partial(run, [python(), "-c", READ], names),
            partial(run, [python(), "-c", DECODE], names),
        )
        yield compared(f"read 20 images of 8 megapixels: {name}", ours, "Pillow's decoding",
                       decoding, "cpu", "no slower")  # fmt: skip


def storage(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Index files that are 20 ms away each, with few workers and with many."""
    archive, db = folder / "far", folder / "far.db"
    archive.mkdir()
    make_image(folder / "far.jpg")
    for number in range(3200):
        os.link(folder / "far.jpg", archive / f"IMG_{number:04d}.JPG")
    script = folder / "slow_storage.py"
    script.write_text(SLOW_STORAGE)
    index = [python(), str(script), str(db), str(archive)]
    few, many = in_turn(
        min(options.runs, 3),
        lambda: run([*index, "4"], fresh=db),
        lambda: run([*index, "32"], fresh=db),
    )
    what = "index 3,200 small images, 20 ms away each, 32 workers"
    yield compared(what, many, "4 workers", few, "wall", "up to 8 times faster")


def scanning(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Bring an index up to date when nothing changed, and when a few images came."""
    tree = folder / "tree"
    make_tree(tree, options.files)
    db = folder / "scanning.db"
    apart(write_index, db, tree, options.files)
    find = ["find", str(tree), "-type", "f", "-printf", "%T@ %s %p\n"]
    index = ["sdindex", "--db", str(db), "index", "-q", str(tree)]
    unchanged, found = in_turn(options.runs, lambda: run(index), lambda: run(find))
    what = f"index of {options.files:,} files when nothing changed"
    yield compared(what, unchanged, "`find -printf`", found, "wall", "at most 2.5")
    memory = median(unchanged, "memory")
    yield Row(f"{what}: memory", f"{memory:.0f} MB", "", "", "", "300 MB")
    source = folder / "new.jpg"
    make_image(source)
    added = [run_with_new(index, tree, source, batch) for batch in range(options.runs)]
    more = median(added, "wall") - median(unchanged, "wall")
    yield Row("the same and 1,000 new small images", f"{median(added, 'wall'):.2f} s",
              "the unchanged run", f"{median(unchanged, 'wall'):.2f} s", f"{more:.2f} s more",
              "5 s more")  # fmt: skip


def selecting(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Draw 1,000 images, from an index and from one a tenth as large."""
    large, small = folder / "large.db", folder / "small.db"
    apart(write_index, small, Path("/data/small"), options.images // 10)
    apart(write_index, large, Path("/data/large"), options.images)
    imports, from_small, from_large = in_turn(
        options.runs,
        lambda: run([python(), "-c", "import click, sqlalchemy"]),
        lambda: run(["sdindex", "--db", str(small), "select", "-n", "1000"]),
        lambda: run(["sdindex", "--db", str(large), "select", "-n", "1000"]),
    )
    what = f"select -n 1,000 from {options.images:,} images"
    beside = "`import click, sqlalchemy`"
    yield compared(what, from_large, beside, imports, "wall", "at most 2")
    beside = f"the same from {options.images // 10:,}"
    yield compared(what, from_large, beside, from_small, "wall", "at most 1.3")
    memory = median(from_large, "memory")
    yield Row(f"{what}: memory", f"{memory:.0f} MB", "", "", "", "150 MB")


def counts(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Draw more and more images from the same index."""
    db = folder / "large.db"
    if not db.exists():
        apart(write_index, db, Path("/data/large"), options.images)
    half = options.images // 2
    for count in sorted({count for count in (10, 1_000, 10_000, 100_000) if count < half} | {half}):
        command = ["sdindex", "--db", str(db), "select", "-n", str(count)]
        (cost,) = in_turn(min(options.runs, 3), partial(run, command))
        yield Row(f"select -n {count:,} from {options.images:,}", f"{median(cost, 'wall'):.2f} s",
                  "", "", "", "")  # fmt: skip


def options_of_a_sample(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Draw 1,000 images with each option that takes more than the kept order."""
    db, labelled = folder / "large.db", folder / "labels.csv"
    if not db.exists():
        apart(write_index, db, Path("/data/large"), options.images)
    sdindex = ["sdindex", "--db", str(db)]
    count = str(min(1000, options.images // 2))
    with labelled.open("w") as file:
        file.write("path,label\n")
        for number, place in enumerate(camera_folders(Path(), options.images)):
            file.write(f"{place.strip('./')}/IMG_0001.JPG,{'deer' if number % 3 else 'fox'}\n")
    run([*sdindex, "labels", "import", str(labelled)])
    run([*sdindex, "select", "-n", count, "--save", "spring"])
    for given in (
        "--bits 8", "--unit burst", "--balance camera", "--balance folder:2", "--balance label",
        "--unit burst --balance camera", "--extend spring --bits 5", "--exclude spring",
        "--within spring", "--under site0000", "--since 2020-01-01", "--not-label deer",
        "--where width>100",
    ):  # fmt: skip
        wanted = str(2 * int(count)) if "extend" in given else count
        command = [*sdindex, "select", "-n", wanted, *given.split()]
        (cost,) = in_turn(min(options.runs, 3), partial(run, command))
        yield Row(f"select {given}, of {options.images:,} images",
                  f"{median(cost, 'wall'):.2f} s, {median(cost, 'memory'):.0f} MB", "", "", "",
                  "3 s, 500 MB")  # fmt: skip


PARTS = {
    "hashing": hashing,
    "formats": formats,
    "storage": storage,
    "scanning": scanning,
    "selecting": selecting,
    "counts": counts,
    "options": options_of_a_sample,
}


def in_turn(runs: int, *sides: Callable[[], Cost]) -> list[list[Cost]]:
    """Run the sides in turn, once uncounted and then so many times; return what each took."""
    for side in sides:
        side()
    rounds = [[side() for side in sides] for _ in range(runs)]
    return [list(costs) for costs in zip(*rounds, strict=True)]


def run(command: Sequence[str], given: str = "", fresh: Path | None = None) -> Cost:
    """Run a command to its end, and whatever it leaves running; `fresh` is removed first."""
    if fresh is not None:
        fresh.unlink(missing_ok=True)
    with tempfile.TemporaryFile("w+") as names:
        names.write(given)
        names.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=names, stdout=subprocess.DEVNULL)
        _, status, spent = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed: {' '.join(command)}")
    cpu, memory = spent.ru_utime + spent.ru_stime, spent.ru_maxrss
    while True:  # such as the server of its workers, and through it the workers
        try:
            _, _, spent = os.wait4(-1, 0)
        except ChildProcessError:
            break
        cpu += spent.ru_utime + spent.ru_stime
    return Cost(wall, cpu, memory / 1000)


def reap_orphans() -> None:
    """Become the parent of processes whose parent ends, so that their time is counted."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def median(costs: Sequence[Cost], figure: str) -> float:
    return statistics.median(getattr(cost, figure) for cost in costs)


def compared(
    what: str, ours: Sequence[Cost], beside: str, theirs: Sequence[Cost], figure: str, target: str
) -> Row:
    """Return a row; its ratio is the median of the rounds' ratios."""
    pairs = zip(ours, theirs, strict=True)
    ratio = statistics.median(getattr(one, figure) / getattr(other, figure) for one, other in pairs)
    faster = "faster" in target
    shown = f"{1 / ratio:.1f} times faster" if faster else f"{ratio:.2f} times"
    return Row(what, f"{median(ours, figure):.2f} s", beside, f"{median(theirs, figure):.2f} s",
               f"**{shown}**", target)  # fmt: skip


def machine() -> str:
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def python() -> str:
    return sys.executable


def make_tree(tree: Path, files: int) -> None:
    """Make empty files in camera folders: a scan opens none."""
    for number, folder in enumerate(camera_folders(tree, files)):
        os.makedirs(folder)
        for file in range(min(1000, files - 1000 * number)):
            os.close(os.open(f"{folder}/IMG_{file + 1:04d}.JPG", os.O_CREAT | os.O_WRONLY))


def camera_folders(root: Path, files: int) -> Iterator[str]:
    for number in range(-(-files // 1000)):
        camera, card = divmod(number, 5)
        yield f"{root}/site{camera // 10:04d}/camera{camera:05d}/DCIM/{100 + card}RECNX"


def apart(do: Callable[..., object], *given: object) -> None:
    """Call a function in another process, whose memory is not counted as that of what is run."""
    process = multiprocessing.get_context("fork").Process(target=do, args=given)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"failed: {do.__name__}")


def write_index(db: Path, root: Path, files: int) -> None:
    """Write an index straight into the tables, with bursts of three, its buckets skewed."""
    from sdindex.archive.cameras import camera_of
    from sdindex.archive.natural import sort_key
    from sdindex.archive.state import FileState
    from sdindex.store import frames
    from sdindex.store.database import Store
    from sdindex.store.tables import archive, image, utc_now

    chance, now = random.Random(1), utc_now()

    def row(place: str, pattern: int) -> dict[str, Any]:
        path = place.removeprefix(f"{root}/")
        state = FileState.of(os.stat(place)) if root.exists() else FileState(1, 1, 1, 1)
        pattern ^= 1 << chance.randrange(60)  # the frames of a burst are nearly the same
        return {
            "archive_id": 1, "path": path, **state._asdict(), "settled": True,
            "dhash": pattern - (1 << 64) if pattern >> 63 else pattern, "method": "scaled-1",
            "sort_key": sort_key(path), "taken_at": now, "width": 2048, "height": 1536,
            "brightness": 100.0, "indexed_at": now,
            "camera": camera_of(path),
        }  # fmt: skip

    with Store(db).writing(create=True) as connection:
        connection.execute(archive.insert(), {
            "id": 1, "root": str(root), "sort_key": sort_key(str(root)), "method": "scaled",
            "added_at": now,
        })  # fmt: skip
        for number, folder in enumerate(camera_folders(root, files)):
            count = min(1000, files - 1000 * number)
            bursts = [
                min(15, int(chance.expovariate(0.5))) << 60 | chance.getrandbits(60)
                for _ in range(-(-count // 3))
            ]
            rows = [
                row(f"{folder}/IMG_{file + 1:04d}.JPG", bursts[file // 3]) for file in range(count)
            ]
            connection.execute(image.insert(), rows)
            connection.commit()  # what is not, is in memory
        frames.bring_up_to_date(connection)
        connection.commit()


def make_image(path: Path) -> None:
    run([python(), "-c", f"{NOISE}.resize((320, 240)).save({str(path)!r}, quality=80)"])


def run_with_new(index: Sequence[str], tree: Path, source: Path, batch: int) -> Cost:
    folder = tree / f"new{batch:03d}"
    folder.mkdir()
    for number in range(1000):
        shutil.copy(source, folder / f"IMG_{number:04d}.JPG")
        os.utime(folder / f"IMG_{number:04d}.JPG", (1_700_000_000, 1_700_000_000 + number))
    return run(index)


def write_page(page: Path, rows: Sequence[Row]) -> None:
    """Write the table as a page, and the time by the number of images drawn as a chart."""
    import plotly.graph_objects as go

    cells = [[cell.replace("**", "").replace("`", "") for cell in row] for row in rows]
    table = go.Figure(
        go.Table(
            header={"values": HEADER, "align": "left"},
            cells={"values": list(zip(*cells, strict=True)), "align": "left", "height": 28},
            columnwidth=[5, 1.2, 3, 1.2, 2, 2],
        ),
        {"title": f"sdindex on {machine()}", "height": 240 + 28 * len(rows)},
    )
    text = table.to_html(include_plotlyjs=True, full_html=False)
    drawn = [row for row in rows if row.what.startswith("select -n ") and not row.beside]
    points = [
        (int(row.what.split()[2].replace(",", "")), float(row.ours.split()[0]))
        for row in drawn
        if row.ours.endswith(" s")
    ]
    if points:
        chart = go.Figure(
            go.Scatter(x=[n for n, _ in points], y=[s for _, s in points], mode="lines+markers"),
            {"title": "The number of images drawn, not the archive, sets the time"},
        )
        chart.update_xaxes(title="images drawn", type="log", dtick=1)
        chart.update_yaxes(title="seconds, whole process", rangemode="tozero")
        text += chart.to_html(include_plotlyjs=False, full_html=False)
    page.write_text(f"<!DOCTYPE html><meta charset='utf-8'><title>sdindex bench</title>{text}")


if __name__ == "__main__":
    main()
