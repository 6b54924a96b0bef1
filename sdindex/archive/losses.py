"""Which folders lost so many images at once that a disk may be away: pure."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

# A folder that is left with some of its images, and lost fewer, was tidied up.
MANY = 10


class Loss(NamedTuple):
    """A folder, which ends with a slash (empty: the root), and how many images it lost.

    `left` is how many of those that were known in it are still there; `disk` says that a disk
    was mounted there before.
    """

    folder: str
    lost: int
    present: int
    disk: bool = False


def by_folder(paths: Iterable[str], under: str = "") -> "Counter[str]":
    """Return how many of some files lie below each folder: below `under`, and that itself."""
    below: Counter[str] = Counter()
    for folder, files in Counter(path.rpartition("/")[0] for path in paths).items():
        above = folder + "/" if folder else ""
        while above.startswith(under):
            below[above] += files
            if not above:
                break
            above = above[: above.rfind("/", 0, -1) + 1]
    return below


def lossy(
    lost: "Counter[str]",
    present: Callable[[str, int], int],
    is_there: Callable[[str], bool],
    disks: Collection[str] = (),
) -> list[Loss]:
    """Return the outermost folders that lost all they had, or most of it and `MANY`.

    A folder that is itself gone was deleted by somebody, unless a disk was mounted there; and
    where a disk was mounted, most is enough.

    Parameters
    ----------
    lost
        How many images are gone below each folder: see `by_folder`.
    present
        Returns how many of the images known below a folder are there, at most so many.
    is_there
        Says whether a folder is still there.
    disks
        Folders where a disk was mounted, and is not, or another one is.
    """
    found: list[Loss] = []
    for folder in sorted(lost):  # a folder comes before those in it, and these come together
        if found and folder.startswith(found[-1].folder):
            continue
        gone, disk = lost[folder], folder in disks
        still = present(folder, gone)
        most = gone > still and (disk or gone >= MANY)
        if (most or not still) and (disk or is_there(folder)):
            found.append(Loss(folder, gone, still, disk))
    return found
