from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sdindex.archive.losses import MANY, by_folder, lossy

folders = st.lists(st.sampled_from(["a", "a-", "b", "c.jpg"]), max_size=3).map(
    lambda names: "".join(f"{name}/" for name in names)
)
an_image = st.tuples(folders, st.integers(0, 30)).map(lambda of: f"{of[0]}{of[1]}.jpg")
images = st.dictionaries(an_image, st.booleans(), max_size=60)  # is it there still?


def above(path: str) -> list[str]:
    """Return the folders that a path lies in, the root as an empty one."""
    return ["", *(path[: at + 1] for at, letter in enumerate(path) if letter == "/")]


@given(images, folders)
def test_each_folder_above_counts(known: dict[str, bool], under: str) -> None:
    lost = [path for path, there in known.items() if not there and path.startswith(under)]
    expected = Counter(
        folder for path in lost for folder in above(path) if folder.startswith(under)
    )
    assert by_folder(lost, under) == expected


@given(images, st.sets(folders), st.sets(folders))
def test_no_more_is_lost_than_the_rule_allows(
    known: dict[str, bool], removed: set[str], disks: set[str]
) -> None:
    lost = by_folder(path for path, there in known.items() if not there)

    def left(folder: str, most: int) -> int:
        return min(most, sum(there for path, there in known.items() if path.startswith(folder)))

    def is_there(folder: str) -> bool:
        return not any(folder.startswith(one) for one in removed - {""})

    kept = lossy(lost, left, is_there, disks)
    names = [loss.folder for loss in kept]
    for loss in kept:
        assert (loss.lost, loss.present) == (lost[loss.folder], left(loss.folder, 99))
        assert loss.present < loss.lost
        assert not any(loss.folder.startswith(name) for name in names if name != loss.folder)
    for folder, gone in lost.items():
        if any(folder.startswith(name) for name in names):
            continue
        still = left(folder, 99)
        if folder in disks:
            assert gone <= still
        elif is_there(folder):
            assert still
            assert gone <= still or gone < MANY


def test_a_folder_that_was_removed_was_deleted() -> None:
    lost = by_folder(f"cam1/{number}.jpg" for number in range(50))

    def left(folder: str, most: int) -> int:
        return 0 if folder else min(50, most)

    assert lossy(lost, left, lambda folder: folder == "") == []
    assert [loss.folder for loss in lossy(lost, left, lambda _: True)] == ["cam1/"]
    assert [loss.disk for loss in lossy(lost, left, lambda _: False, {"cam1/"})] == [True]
