"""What looks alike, against plain Python over all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex.sampling.blocks import NO_TIME
from sdindex.sampling.frame import Coded, Frame
from sdindex.sampling.likeness import leaders, nearest, steps
from sdindex.sampling.options import Clock
from tests.support.examples import examples

hashes = st.lists(
    st.builds(
        lambda scene, noise: scene ^ noise,
        st.sampled_from([0, 2**64 - 1, 0x0F0F << 20, 1 << 63, 0x1234_5678_9ABC_DEF0]),
        st.one_of(st.integers(0, 15), st.integers(0, 63).map(lambda bit: 1 << bit), st.just(0)),
    )
    | st.integers(0, 2**64 - 1),
    min_size=1,
    max_size=60,
)


def apart(one: int, other: int) -> int:
    return (one ^ other).bit_count()


@settings(max_examples=examples(300))
@given(hashes, st.sampled_from([0, 1, 2, 3, 5, 10, 20, 62, 63, 64]))
def test_groups_of_near_duplicates_are_what_is_said(some: list[int], within: int) -> None:
    done: list[None] = []
    leader = leaders(np.array(some, np.uint64), within, lambda: done.append(None)).tolist()
    assert len(done) == steps(within)
    grouped = {position for position, lead in enumerate(leader) if lead != position}
    leading = {leader[position] for position in grouped}
    alone = set(range(len(some))) - grouped - leading
    for position, lead in enumerate(leader):
        assert leader[lead] == lead
        assert apart(some[position], some[lead]) <= within
    for one in alone:
        assert all(
            apart(some[one], some[other]) > within for other in alone | leading if other != one
        )
    for position in range(len(some)):  # of equal ones the first leads, or leads none
        assert leader[position] == leader[some.index(some[position])]


@given(hashes, st.integers(0, 2**64 - 1), st.integers(1, 20), st.integers(0, 64), st.data())
def test_the_nearest_by_all_distances(
    some: list[int], dhash: int, count: int, within: int, data: st.DataObject
) -> None:
    own = data.draw(st.none() | st.integers(0, len(some) - 1))
    found = nearest(
        Frame(np.arange(len(some)), np.array(some, np.uint64)),
        dhash, count, within=within, of_bursts=None, own=own,
    )  # fmt: skip
    every = sorted((apart(dhash, one), position) for position, one in enumerate(some))
    expected = [(position, bits) for bits, position in every if bits <= within and position != own]
    assert found == expected[:count]


@pytest.mark.parametrize("own", [None, 1])
def test_one_of_each_burst(own: int | None) -> None:
    some = [0, 1, 3, 2**40 - 1, 2**40 - 2, 0, 1]
    folders = Coded(np.array([0, 0, 0, 0, 0, 1, 1]), [(1, "a"), (1, "b")])
    frame = Frame(
        np.arange(7),
        np.array(some, np.uint64),
        times=np.full(7, NO_TIME),
        folders=folders,
        cameras=folders,
    )
    found = nearest(frame, 1, 10, within=64, of_bursts=Clock(distance=4), own=own)
    if own is None:
        assert found == [(1, 0), (6, 0), (3, 39)]
    else:
        assert found == [(6, 0), (3, 39)]
