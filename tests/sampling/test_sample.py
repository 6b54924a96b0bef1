"""Which images a sample takes, held against the rules by brute force."""

from array import array
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex.errors import SampleError
from sdindex.sampling.bursts import burst_starts
from sdindex.sampling.frame import Coded, Frame
from sdindex.sampling.sample import Candidates, draw, trim_each
from sdindex.sampling.trim import fill, stride, trim
from tests.support import plain_rule
from tests.support.plain_rule import bursts, middle

sizes_and_fixed = st.dictionaries(
    st.integers(0, 1000),
    st.integers(1, 40).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size))),
    max_size=10,
)


@given(sizes_and_fixed, st.integers(0, 300))
def test_the_level_with_what_is_fixed(given_sizes: dict[int, tuple[int, int]], more: int) -> None:
    sizes = {bucket: size for bucket, (size, _) in given_sizes.items()}
    fixed = {bucket: held for bucket, (_, held) in given_sizes.items()}
    count = sum(fixed.values()) + more

    def at(level: int) -> dict[int, int]:
        return {bucket: max(fixed[bucket], min(sizes[bucket], level)) for bucket in sizes}

    level = max(level for level in range(42) if sum(at(level).values()) <= count)
    expected = at(level)
    left = count - sum(expected.values())
    growing = [bucket for bucket in sizes if at(level + 1)[bucket] > expected[bucket]]
    for bucket in sorted(growing, key=lambda bucket: (-sizes[bucket], bucket))[:left]:
        expected[bucket] += 1
    assert trim(sizes, count, fixed) == expected
    assert sum(expected.values()) == min(count, sum(sizes.values()))


@given(st.integers(1, 120), st.data())
def test_new_ones_go_into_the_widest_gaps(size: int, data: st.DataObject) -> None:
    fixed = sorted(data.draw(st.sets(st.integers(0, size - 1), max_size=size)))
    count = data.draw(st.integers(len(fixed), size))
    places = fill(size, count, fixed)
    assert len(places) == len(set(places)) == count
    assert places == sorted(places)
    assert set(fixed) <= set(places) <= set(range(size))
    if not fixed:
        assert places == stride(size, count)
        return
    gaps = Counter[int]()  # new ones in each gap between fixed ones, by the fixed one before it
    for place in set(places) - set(fixed):
        gaps[max((one for one in fixed if one < place), default=-1)] += 1
    lengths = {
        before: after - before - 1
        for before, after in zip([-1, *fixed], [*fixed, size], strict=True)
    }
    for one, other in ((one, other) for one in lengths for other in lengths):
        if gaps[other] < lengths[other] and gaps[one]:  # none was put where it was narrower
            assert lengths[one] / gaps[one] >= lengths[other] / (gaps[other] + 1)


@given(st.integers(5, 60), st.data())
def test_within_a_gap_they_are_even(size: int, data: st.DataObject) -> None:
    fixed = [0, size - 1]
    count = data.draw(st.integers(2, size))
    places = fill(size, count, fixed)
    steps = [after - before for before, after in pairwise(places)]
    assert max(steps) - min(steps) <= 1


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), min_size=1), min_size=1),
    st.data(),
)
def test_each_stratum_is_trimmed_as_it_would_be_alone(
    strata: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    groups = [[(size, min(fixed, size)) for size, fixed in one] for one in strata]
    counts = [
        data.draw(st.integers(sum(fixed for _, fixed in one), sum(size for size, _ in one)))
        for one in groups
    ]
    flat = [group for one in groups for group in one]
    starts = np.cumsum([0, *map(len, groups[:-1])])
    sizes, fixed = np.array(flat).T
    found = trim_each(sizes, fixed, starts, np.array(counts)).tolist()
    expected = [
        kept
        for one, count in zip(groups, counts, strict=True)
        for kept in trim(
            {number: size for number, (size, _) in enumerate(one)},
            count,
            {number: least for number, (_, least) in enumerate(one)},
        ).values()
    ]
    assert found == expected


# Close to each other, as bursts are, and far, as scenes are.
hashes_of_scenes = st.lists(
    st.builds(
        lambda scene, noise: scene ^ noise,
        st.sampled_from([0, -1, 0x0F0F << 20, 1 << 62, -(1 << 63)]),
        st.sampled_from([0, 1, 0b111, 0x3FF, 0xFFFF]),
    ),
    max_size=150,
)


@given(hashes_of_scenes, st.integers(0, 64), st.sampled_from([0, 64]), st.data())
def test_bursts_by_the_definition(
    hashes: list[int], distance: int, few: int, data: st.DataObject
) -> None:
    folders = _runs(
        data.draw(st.lists(st.integers(0, 1), min_size=len(hashes), max_size=len(hashes)))
    )
    starts = [
        position
        for position in range(len(hashes))
        if not position or folders[position] != folders[position - 1]
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sdindex.sampling.bursts._FEW", few)  # side by side, or one after the other
        found = burst_starts(
            np.array(hashes, np.int64).view(np.uint64), np.array(starts, np.int64), distance
        )
    assert found.tolist() == [burst[0] for burst in bursts(hashes, folders, distance)]


def _runs(bits: list[int]) -> list[int]:
    """Number the runs of equal numbers."""
    return [sum(bits[at] != bits[at - 1] for at in range(1, end + 1)) for end in range(len(bits))]


@st.composite
def candidates(draw_one: st.DrawFn) -> plain_rule.Candidates:
    size = draw_one(st.integers(1, 60))
    some = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4)
    pool = draw_one(some)
    hashes = draw_one(st.lists(st.sampled_from(pool), min_size=size, max_size=size))
    strata = draw_one(
        st.one_of(st.just([]), st.lists(st.integers(0, 3), min_size=size, max_size=size))
    )
    folders = _runs(draw_one(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    fixed = draw_one(st.sets(st.integers(0, size - 1), max_size=5))
    excluded = draw_one(st.sets(st.integers(0, size - 1), max_size=20)) - fixed
    return plain_rule.Candidates(
        array("q", range(size)),
        array("q", hashes),
        array("q", strata),
        array("q", folders),
        fixed,
        excluded,
    )


def as_columns(plain: plain_rule.Candidates) -> Candidates:
    folders = Coded(
        np.array(plain.folders, np.int32), [(1, str(number)) for number in set(plain.folders)]
    )
    return Candidates(
        Frame(
            np.array(plain.ids, np.int64),
            np.array(plain.hashes, np.int64).view(np.uint64),
            folders=folders,
        ),
        np.array(plain.strata, np.uint8) if plain.strata else None,
        np.array(sorted(plain.fixed), np.int64),
        np.array(sorted(plain.excluded), np.int64),
    )


@settings(max_examples=500)
@given(
    candidates(),
    st.integers(1, 70),
    st.sampled_from([1, 4, 17, 63, 64]),
    st.sampled_from([None, 0, 9, 32, 64]),
)
def test_a_sample_is_that_of_the_rule_in_plain_python(
    plain: plain_rule.Candidates, count: int, bits: int, distance: int | None
) -> None:
    if len(plain.fixed) > count:
        with pytest.raises(SampleError, match="fixed already"):
            draw(as_columns(plain), count, bits=bits, distance=distance)
        return
    found = draw(as_columns(plain), count, bits=bits, distance=distance)
    expected = plain_rule.draw(plain, count, bits=bits, distance=distance)
    assert found.positions.tolist() == expected.positions
    assert (None if found.bursts is None else found.bursts.tolist()) == expected.bursts


@settings(max_examples=300)
@given(candidates(), st.integers(1, 70), st.sampled_from([1, 4, 64]), st.sampled_from([None, 0, 9]))
def test_every_promise_of_a_sample(
    given_ones: plain_rule.Candidates, count: int, bits: int, distance: int | None
) -> None:
    if len(given_ones.fixed) > count:
        return
    given_ones.excluded = set()
    drawn = plain_rule.draw(given_ones, count, bits=bits, distance=distance)
    assert len(drawn.positions) == len(set(drawn.positions)) == min(count, len(given_ones))
    assert drawn.positions == sorted(drawn.positions)
    assert given_ones.fixed <= set(drawn.positions)
    assert plain_rule.draw(given_ones, count, bits=bits, distance=distance) == drawn
    _assert_fair(given_ones, drawn, distance)


def _assert_fair(
    given_ones: plain_rule.Candidates, drawn: plain_rule.Drawn, distance: int | None
) -> None:
    """No stratum that was cut has fewer than another one got beyond what was fixed in it."""
    if not given_ones.strata or distance is not None:
        return
    size, kept = (
        Counter(given_ones.strata),
        Counter(given_ones.strata[one] for one in drawn.positions),
    )
    fixed = Counter(given_ones.strata[one] for one in given_ones.fixed)
    for one in size:
        for other in size:
            if kept[one] < size[one] and kept[other] > fixed[other]:
                assert kept[other] <= kept[one] + 1


@settings(max_examples=300)
@given(candidates(), st.data())
def test_bursts_are_taken_once_until_all_are(
    given_ones: plain_rule.Candidates, data: st.DataObject
) -> None:
    given_ones.excluded = set()
    found = bursts(given_ones.hashes, given_ones.folders, 9)
    taken = sum(not given_ones.fixed.isdisjoint(burst) for burst in found)
    room = len(found) - taken
    count = len(given_ones.fixed) + data.draw(st.integers(0, room))
    if not count:
        return
    given_ones.strata = array("q")
    drawn = plain_rule.draw(given_ones, count, bits=4, distance=9)
    assert drawn.bursts is not None
    new = set(drawn.positions) - given_ones.fixed
    by_burst = defaultdict(list)
    for place, burst in zip(drawn.positions, drawn.bursts, strict=True):
        assert place in found[burst]
        by_burst[burst].append(place)
    for burst, places in by_burst.items():
        if not given_ones.fixed.isdisjoint(found[burst]):
            assert not new.intersection(places)
        else:
            assert places == [middle(found[burst])]


@given(candidates())
def test_beyond_the_number_of_bursts_each_has_its_share(given_ones: plain_rule.Candidates) -> None:
    given_ones.fixed, given_ones.excluded = set(), set()
    found = bursts(given_ones.hashes, given_ones.folders, 9)
    count = min(len(found) + 3, len(given_ones))
    drawn = plain_rule.draw(given_ones, count, bits=4, distance=9)
    assert {middle(burst) for burst in found} <= set(drawn.positions)
    if not given_ones.strata:
        kept = Counter(drawn.bursts or [])
        sizes = {number: len(burst) for number, burst in enumerate(found)}
        assert dict(kept) == trim(sizes, count)


@given(candidates(), st.data())
def test_bursts_of_excluded_images_are_the_last(
    given_ones: plain_rule.Candidates, data: st.DataObject
) -> None:
    size = len(given_ones)
    excluded = data.draw(st.sets(st.integers(0, size - 1), min_size=1)) - given_ones.fixed
    given_ones.excluded = excluded
    found = bursts(given_ones.hashes, given_ones.folders, 9)
    held = {n for n, burst in enumerate(found) if not given_ones.fixed.isdisjoint(burst)}
    others = {n for n, burst in enumerate(found) if excluded.isdisjoint(burst)} - held
    count = len(given_ones.fixed) + data.draw(st.integers(0, len(others) + 2))
    if not count or size == len(excluded):
        return
    drawn = set(plain_rule.draw(given_ones, count, bits=4, distance=9).positions)
    assert len(drawn) == min(count, size - len(excluded))
    assert not drawn & excluded
    assert given_ones.fixed <= drawn
    if count - len(given_ones.fixed) <= len(others):
        assert drawn - given_ones.fixed <= {middle(found[number]) for number in others}
    single = set(plain_rule.draw(given_ones, count, bits=4).positions)
    assert not single & excluded
    assert len(single) == min(count, size - len(excluded))


def test_a_camera_with_many_frames_does_not_drown_one_with_few() -> None:
    size = 100_000
    strata = np.array([0] * size + [1] * 200, np.uint8)
    hashes = np.arange(size + 200, dtype=np.uint64) << np.uint64(60)
    drawn = draw(Candidates(Frame(np.arange(size + 200), hashes), strata), 300, bits=4)
    assert Counter(strata[drawn.positions].tolist()) == {0: 150, 1: 150}
