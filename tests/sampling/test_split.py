"""Parts of a sample: groups whole, shares and labels as near as can be, the same every time."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sdindex.sampling.frame import NONE
from sdindex.sampling.split import joined, split

Column = NDArray[Any]
SHARES = [0.8, 0.1, 0.1]
image = st.tuples(st.integers(0, 9), st.sampled_from([NONE, 0, 1, 2]))
images = st.lists(image, min_size=1, max_size=60)
shares = st.sampled_from([[0.5, 0.5], SHARES, [0.7, 0.3], [0.25] * 4])


def columns(of: list[tuple[int, int]]) -> tuple[Column, Column]:
    groups, labels = zip(*of, strict=True)
    return np.array(groups), np.array(labels, np.int64)


def badness(labels: Column, wanted: list[float], parts: Column) -> float:
    """Return the squares of what is missing, over what is wanted: of all images and each label."""
    total = 0.0
    for mask in [np.ones(len(labels), bool), *(labels == each for each in {*labels} - {NONE})]:
        for part, share in enumerate(wanted):
            asked = share * mask.sum()
            total += (np.count_nonzero(parts[mask] == part) - asked) ** 2 / asked
    return float(total)


@given(images, shares)
def test_groups_are_whole_and_no_part_is_empty(
    of: list[tuple[int, int]], wanted: list[float]
) -> None:
    groups, labels = columns(of)
    if len({*groups}) < len(wanted):
        with pytest.raises(ValueError, match=f"{len(set(groups))} groups, and {len(wanted)} parts"):
            split(groups, labels, wanted)
        return
    parts = split(groups, labels, wanted)
    assert {*parts} == {*range(len(wanted))}
    for group in {*groups}:
        assert len({*parts[groups == group]}) == 1
    assert (split(groups, labels, wanted) == parts).all()
    assert (split(groups * 7 + 3, labels, wanted) == parts).all(), "names of groups are no matter"


@example([(0, NONE)] * 5 + [(1, NONE), (1, 1), (1, 1), (2, NONE), (3, 1), (4, 1)], [0.5, 0.5])
@given(st.lists(image, min_size=1, max_size=25), shares)
def test_no_group_is_better_elsewhere(of: list[tuple[int, int]], wanted: list[float]) -> None:
    """But for groups that keep a part from being empty, and those like others: spread evenly."""
    groups, labels = columns(of)
    if len({*groups}) < len(wanted):
        return
    parts = split(groups, labels, wanted)
    before = badness(labels, wanted, parts)
    sizes = {part: len({*groups[parts == part]}) for part in range(len(wanted))}
    if 1 in sizes.values():
        return
    made_of = {group: tuple(sorted(labels[groups == group])) for group in {*groups}}
    like_no_other = [group for group in made_of if [*made_of.values()].count(made_of[group]) == 1]
    for group, part in product(like_no_other, range(len(wanted))):
        moved = np.where(groups == group, part, parts)
        assert badness(labels, wanted, moved) >= before - 1e-6


def test_it_comes_near_the_best_there_is() -> None:
    """Of all ways to divide seven groups, in twenty cases: not far from the best one."""
    random = np.random.default_rng(1)
    ratios = []
    for _ in range(20):
        groups = np.sort(random.integers(0, 7, 200))
        labels = random.integers(-1, 3, 200)
        ours = badness(labels, [0.6, 0.4], split(groups, labels, [0.6, 0.4]))
        ways = (np.array(way)[groups] for way in product(range(2), repeat=7))
        ratios.append(ours / min(badness(labels, [0.6, 0.4], way) for way in ways))
    assert np.median(ratios) < 2


@given(st.integers(10, 400), st.integers(0, 5))
def test_single_images_come_exactly_to_their_shares(count: int, kinds: int) -> None:
    labels = np.arange(count) % (kinds + 1) - 1
    parts = split(np.arange(count), labels, SHARES)
    for label in {*labels}:
        mask = labels == label
        for part, share in enumerate(SHARES):
            assert abs(np.count_nonzero(parts[mask] == part) - share * mask.sum()) <= 3
    assert abs(np.count_nonzero(parts == 0) - 0.8 * count) <= 3


@given(images)
def test_what_is_joined_shares_one_or_the_other(of: list[tuple[int, int]]) -> None:
    groups, others = columns([(group, label + 1) for group, label in of])
    found = joined(groups, others)
    for column in (groups, others):
        for number in {*column}:
            assert len({*found[column == number]}) == 1
    # Nothing else is joined: spread from each image by hand.
    for start in range(len(of)):
        reached = {start}
        while True:
            more = {
                at
                for at in range(len(of))
                if any(groups[at] == groups[each] or others[at] == others[each] for each in reached)
            }
            if more == reached:
                break
            reached = more
        assert {*np.flatnonzero(found == found[start])} == reached
