"""Which folders lost so many images at once that their disk may be away. Pure."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

# A folder that lost fewer, and still has some of its images, was tidied up by somebody.
MANY = 10


class Loss(NamedTuple):
    """A folder, which ends with a slash (empty: the root), and how many images it lost.

    `left` is how many of its known images are still there; `disk` says that a disk was mounted
    there before.
    """

    folder: str
    lost: int
    present: int
    disk: bool = False


def by_folder(paths: Iterable[str], under: str = "") -> "Counter[str]":
    """Return how many of these files lie below each folder: `under`, and all folders below it."""
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
    """Return the outermost folders that lost all their images, or most of them and at least `MANY`.

    A folder that is gone itself was deleted by somebody, unless a disk was mounted there. Where a
    disk was mounted, losing most images is enough, however few they are.

    Parameters
    ----------
    lost
        How many images are gone below each folder, as `by_folder` counts them.
    present
        Called with a folder and a number: returns how many of its known images are there, at most
        that number.
    is_there
        Says whether a folder is still there.
    disks
        Folders where a disk was mounted before, and now is none, or another one.
    """
    found: list[Loss] = []
    for folder in sorted(lost):  # an outer folder comes before the folders in it
        if found and folder.startswith(found[-1].folder):
            continue
        gone, disk = lost[folder], folder in disks
        still = present(folder, gone)
        most = gone > still and (disk or gone >= MANY)
        if (most or not still) and (disk or is_there(folder)):
            found.append(Loss(folder, gone, still, disk))
    return found
