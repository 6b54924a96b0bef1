"""Which images a sample takes, held against the rules by brute force."""

from array import array
from collections import Counter, defaultdict
from itertools import pairwise, zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex.errors import SampleError
from sdindex.sampling.bursts import bursts, middle
from sdindex.sampling.sample import Candidates, Drawn, draw
from sdindex.sampling.trim import fill, stride, trim

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


some_hashes = st.lists(
    st.sampled_from([0, 1, 0b111, -1, -2, 1 << 62, -(1 << 63), 0x0F0F << 20]), max_size=40
)


@given(some_hashes, st.data())
def test_bursts_by_the_definition(hashes: list[int], data: st.DataObject) -> None:
    folders = data.draw(
        st.lists(st.integers(0, 1), min_size=len(hashes), max_size=len(hashes)).map(_runs)
    )
    distance = data.draw(st.integers(0, 64))
    found = bursts(hashes, folders, distance)
    assert [place for burst in found for place in burst] == list(range(len(hashes)))
    for burst, after in zip_longest(found, found[1:]):
        first = burst[0]
        for place in burst:
            assert folders[place] == folders[first]
            assert bin((hashes[place] ^ hashes[first]) % 2**64).count("1") <= distance
        if after is not None and folders[after[0]] == folders[first]:
            assert bin((hashes[after[0]] ^ hashes[first]) % 2**64).count("1") > distance


def _runs(bits: list[int]) -> list[int]:
    """Number the runs of equal numbers."""
    return [sum(bits[at] != bits[at - 1] for at in range(1, end + 1)) for end in range(len(bits))]


@st.composite
def candidates(draw_one: st.DrawFn) -> Candidates:
    size = draw_one(st.integers(1, 60))
    some = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4)
    pool = draw_one(some)
    hashes = draw_one(st.lists(st.sampled_from(pool), min_size=size, max_size=size))
    strata = draw_one(
        st.one_of(st.just([]), st.lists(st.integers(0, 3), min_size=size, max_size=size))
    )
    folders = _runs(draw_one(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    fixed = draw_one(st.sets(st.integers(0, size - 1), max_size=5))
    return Candidates(
        array("q", range(size)), array("q", hashes), array("q", strata), array("q", folders), fixed
    )


@settings(max_examples=300)
@given(candidates(), st.integers(1, 70), st.sampled_from([1, 4, 64]), st.sampled_from([None, 0, 9]))
def test_every_promise_of_a_sample(
    given_ones: Candidates, count: int, bits: int, distance: int | None
) -> None:
    if len(given_ones.fixed) > count:
        with pytest.raises(SampleError, match="fixed already"):
            draw(given_ones, count, bits=bits, distance=distance)
        return
    drawn = draw(given_ones, count, bits=bits, distance=distance)
    assert len(drawn.places) == len(set(drawn.places)) == min(count, len(given_ones))
    assert drawn.places == sorted(drawn.places)
    assert given_ones.fixed <= set(drawn.places)
    assert draw(given_ones, count, bits=bits, distance=distance) == drawn
    _assert_fair(given_ones, drawn, distance)


def _assert_fair(given_ones: Candidates, drawn: Drawn, distance: int | None) -> None:
    """No stratum that was cut has fewer than another one got beyond what was fixed in it."""
    if not given_ones.strata or distance is not None:
        return
    size, kept = Counter(given_ones.strata), Counter(given_ones.strata[one] for one in drawn.places)
    fixed = Counter(given_ones.strata[one] for one in given_ones.fixed)
    for one in size:
        for other in size:
            if kept[one] < size[one] and kept[other] > fixed[other]:
                assert kept[other] <= kept[one] + 1


@settings(max_examples=300)
@given(candidates(), st.data())
def test_bursts_are_taken_once_until_all_are(given_ones: Candidates, data: st.DataObject) -> None:
    found = bursts(given_ones.hashes, given_ones.folders, 9)
    taken = sum(not given_ones.fixed.isdisjoint(burst) for burst in found)
    room = len(found) - taken
    count = len(given_ones.fixed) + data.draw(st.integers(0, room))
    if not count:
        return
    given_ones.strata = array("q")
    drawn = draw(given_ones, count, bits=4, distance=9)
    assert drawn.bursts is not None
    new = set(drawn.places) - given_ones.fixed
    by_burst = defaultdict(list)
    for place, burst in zip(drawn.places, drawn.bursts, strict=True):
        assert place in found[burst]
        by_burst[burst].append(place)
    for burst, places in by_burst.items():
        if not given_ones.fixed.isdisjoint(found[burst]):
            assert not new.intersection(places)
        else:
            assert places == [middle(found[burst])]


@given(candidates())
def test_beyond_the_number_of_bursts_each_has_its_share(given_ones: Candidates) -> None:
    given_ones.fixed = set()
    found = bursts(given_ones.hashes, given_ones.folders, 9)
    count = min(len(found) + 3, len(given_ones))
    drawn = draw(given_ones, count, bits=4, distance=9)
    assert {middle(burst) for burst in found} <= set(drawn.places)
    if not given_ones.strata:
        kept = Counter(drawn.bursts or [])
        sizes = {number: len(burst) for number, burst in enumerate(found)}
        assert dict(kept) == trim(sizes, count)


@given(candidates(), st.data())
def test_bursts_of_excluded_images_are_the_last(
    given_ones: Candidates, data: st.DataObject
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
    drawn = set(draw(given_ones, count, bits=4, distance=9).places)
    assert len(drawn) == min(count, size - len(excluded))
    assert not drawn & excluded
    assert given_ones.fixed <= drawn
    if count - len(given_ones.fixed) <= len(others):
        assert drawn - given_ones.fixed <= {middle(found[number]) for number in others}
    single = set(draw(given_ones, count, bits=4).places)
    assert not single & excluded
    assert len(single) == min(count, size - len(excluded))


def test_a_camera_with_many_frames_does_not_drown_one_with_few() -> None:
    size = 100_000
    given_ones = Candidates(
        array("q", range(size + 200)),
        array("q", [number << 60 for number in range(-8, 8)] * ((size + 200) // 16 + 1))[
            : size + 200
        ],
        array("q", [0] * size + [1] * 200),
    )
    drawn = draw(given_ones, 300, bits=4)
    assert Counter(given_ones.strata[place] for place in drawn.places) == {0: 150, 1: 150}
