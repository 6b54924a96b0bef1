"""How the time of a sample grows: with the images that are drawn, and with the archive."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.bench.costs import in_turn, median, run
from tests.bench.made import index_of
from tests.bench.rows import Row
from tests.bench.sizes import Sizes

_WIDTH = 18  # characters of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉"


def growth(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Draw 1,000 images of larger and larger archives, and more and more of the largest."""
    archives = sorted({min(10**power, sizes.images) for power in range(4, 8)})
    for images in archives:
        db = index_of(folder / f"growth-{images}.db", Path("/data/growth"), images)
        for how, given in (("", ""), (" by burst and camera", "--unit burst --balance camera")):
            yield _drawing(db, min(1000, images // 2), images, how, given.split(), sizes)
    for power in range(1, 7):
        if 10**power <= sizes.images // 2:
            yield _drawing(db, 10**power, sizes.images, "", [], sizes)


def _drawing(
    db: Path, count: int, images: int, how: str, given: Sequence[str], sizes: Sizes
) -> Row:
    command = ["sdindex", "--db", str(db), "select", "-n", str(count), *given]
    (costs,) = in_turn(min(sizes.runs, 3), partial(run, command))
    return Row(f"drawing {count:,} of {images:,}{how}", f"{median(costs, 'cpu'):.2f} s")


def chart(rows: Sequence[Row]) -> str:
    """Return the seconds of processor time of what was drawn as bars, as a terminal shows them."""
    drawn = [(row.what, float(row.ours.split()[0])) for row in rows]
    most = max((seconds for _, seconds in drawn), default=1) or 1
    longest = max((len(what) for what, _ in drawn), default=0)
    return "\n".join(
        f"{what:<{longest}}  {seconds:5.2f} s  {_bar(seconds / most)}".rstrip()
        for what, seconds in drawn
    )


def _bar(part: float) -> str:
    eighths = round(part * _WIDTH * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
