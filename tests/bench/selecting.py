"""Drawing samples from a large index."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench.costs import in_turn, median, python, run
from tests.bench.made import camera_folders, index_of
from tests.bench.rows import Row, compared
from tests.bench.sizes import Sizes

# What takes more than the kept order.
GIVEN = (
    "--bits 8", "--unit burst", "--balance camera", "--balance folder:2", "--balance label",
    "--unit burst --balance camera", "--extend spring --bits 5", "--exclude spring",
    "--within spring", "--under site0000", "--since 2020-01-01", "--not-label deer",
    "--where width>100",
    "--bits 8 --unit burst --balance camera --since 2020-01-01 --under site0000 "
    "--not-label deer",
)  # fmt: skip


def selecting(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Draw 1,000 images, from an index and from one a tenth as large."""
    small = index_of(folder / "small.db", Path("/data/small"), sizes.images // 10)
    large = index_of(folder / "large.db", Path("/data/large"), sizes.images)
    imports, from_small, from_large = in_turn(
        sizes.runs,
        lambda: run([python(), "-c", "import click, sqlalchemy"]),
        lambda: run(["sdindex", "--db", str(small), "select", "-n", "1000"]),
        lambda: run(["sdindex", "--db", str(large), "select", "-n", "1000"]),
    )
    what = f"select -n 1,000 from {sizes.images:,} images"
    beside = "`import click, sqlalchemy`"
    yield compared(what, from_large, beside, imports, "wall", "at most 2")
    beside = f"the same from {sizes.images // 10:,}"
    yield compared(what, from_large, beside, from_small, "wall", "at most 1.3")
    memory = median(from_large, "memory")
    yield Row(f"{what}: memory", f"{memory:.0f} MB", target="150 MB")


def counts(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Draw more and more images from the same index."""
    db = index_of(folder / "large.db", Path("/data/large"), sizes.images)
    half = sizes.images // 2
    for count in sorted({count for count in (10, 1_000, 10_000, 100_000) if count < half} | {half}):
        command = ["sdindex", "--db", str(db), "select", "-n", str(count)]
        (cost,) = in_turn(min(sizes.runs, 3), partial(run, command))
        seconds = f"{median(cost, 'wall'):.2f} s"
        yield Row(f"select -n {count:,} from {sizes.images:,}", seconds)


def options(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Draw 1,000 images with each option that takes more than the kept order."""
    db = index_of(folder / "large.db", Path("/data/large"), sizes.images)
    sdindex = ["sdindex", "--db", str(db)]
    count = str(min(1000, sizes.images // 2))
    label_cards(folder / "labels.csv", Path("/data/large"), sizes.images)
    run([*sdindex, "labels", "import", str(folder / "labels.csv")])
    run([*sdindex, "select", "-n", count, "--save", "spring"])
    select = [*sdindex, "select", "-n"]
    wanted = [str(2 * int(count)) if "extend" in given else count for given in GIVEN]
    imports, *costs = in_turn(
        min(sizes.runs, 3),
        lambda: run([python(), "-c", "import click, sqlalchemy, numpy"]),
        *(
            partial(run, [*select, number, *given.split()])
            for number, given in zip(wanted, GIVEN, strict=True)
        ),
    )
    for given, cost in zip(GIVEN, costs, strict=True):
        taken = f"{median(cost, 'wall'):.2f} s, {median(cost, 'memory'):.0f} MB"
        what = f"select {given}, of {sizes.images:,} images"
        beside = compared(what, cost, "`import click, sqlalchemy, numpy`", imports, "wall", "")
        target = "2 times, 150 MB of 1,000,000; 8 times, 600 MB of 10,000,000"
        yield beside._replace(ours=taken, target=target)


def label_cards(file: Path, root: Path, images: int) -> None:
    """Write a label for the first image of each card."""
    with file.open("w") as labels:
        labels.write("path,label\n")
        for number, card in enumerate(camera_folders(root, images)):
            labels.write(f"{card}/IMG_0001.JPG,{'deer' if number % 3 else 'fox'}\n")
