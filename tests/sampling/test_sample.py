"""Which images a sample takes, held against the rules by brute force."""

from collections import Counter
from contextlib import suppress
from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sdindex.errors import SampleError
from sdindex.sampling.blocks import NO_MOTION
from sdindex.sampling.frame import Frame
from sdindex.sampling.levels import trim_each
from sdindex.sampling.sample import Candidates, Drawn, draw
from sdindex.sampling.strata import Strata
from sdindex.sampling.stratum_kinds import Kind, Quotas, quotas_of
from sdindex.sampling.trim import trim
from tests.support import plain_rule
from tests.support.examples import examples
from tests.support.plain_rule import Asked, Shot

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


hashes = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4)
leading = st.sampled_from([(), (0,), (0, 1, 2, 3), (27, 28, 35, 36), (63, 0), tuple(range(64))])


@st.composite
def shots(draw_one: st.DrawFn) -> list[Shot]:
    """Draw images of few hashes, in up to three crossed strata."""
    pool = st.sampled_from(draw_one(hashes))
    depth = draw_one(st.integers(0, 3))
    strata = st.tuples(*[st.integers(0, 2)] * depth)
    motion = st.one_of(st.none(), st.integers(0, 4))
    shot = st.builds(Shot, pool, motion=motion, strata=strata, later=st.sampled_from([0, 0, 1, 2]))
    return draw_one(st.lists(shot, min_size=1, max_size=50))


@st.composite
def units_of(draw_one: st.DrawFn, images: int) -> list[int]:
    """Draw the first image of each image's unit: bursts in a row, or events in no order."""
    firsts: list[int] = []
    in_a_row = draw_one(st.booleans())
    for at in range(images):
        known = firsts[-1:] if in_a_row else sorted(set(firsts))
        firsts.append(draw_one(st.sampled_from([at, *known])))
    return firsts


@st.composite
def requests(draw_one: st.DrawFn) -> tuple[list[Shot], Asked, list[int] | None]:
    found = draw_one(shots())
    units = draw_one(st.one_of(st.none(), units_of(len(found))))
    if units is not None:  # an image is drawn later when its unit is
        found = [Shot(**{**vars(shot), "later": found[units[at]].later})
                 for at, shot in enumerate(found)]  # fmt: skip
    fixed = draw_one(st.frozensets(st.integers(0, len(found) - 1), max_size=6))
    asked = Asked(
        count=draw_one(st.integers(1, 60)),
        leading=draw_one(leading),
        show=draw_one(st.sampled_from(["moved", "first", "middle", "last"])),
        prefers_motion=draw_one(st.booleans()),
        at_most=draw_one(st.one_of(st.none(), st.integers(1, 6))) if found[0].strata else None,
        fixed=fixed,
    )
    assume(len(fixed) <= asked.count)
    return found, asked, units


def candidates(found: list[Shot], asked: Asked, units: list[int] | None) -> Candidates:
    """Return the same as columns of numbers."""
    motions = np.array([NO_MOTION if s.motion is None else s.motion for s in found], np.uint16)
    depth = len(found[0].strata)
    return Candidates(
        Frame(
            np.arange(len(found)) + 1000,
            np.array([shot.dhash % 2**64 for shot in found], np.uint64),
            motions=motions,
        ),
        asked.leading,
        [
            Strata(np.array([shot.strata[level] for shot in found], np.uint8), ["a", "b", "c"])
            for level in range(depth)
        ],
        np.array(sorted(asked.fixed), np.int64),
        {} if units is None else {"burst": np.array(units, np.int32)},
        "image" if units is None else "burst",
        None,
        np.array([shot.later for shot in found], np.uint8),
        asked.show,  # type: ignore[arg-type]
        asked.prefers_motion,
        asked.at_most,
        asked.quotas and (_quotas(asked.quotas), {f"{n}": n for n in asked.quotas}),  # type: ignore[arg-type]
    )


def _quotas(percent: dict[int, Fraction]) -> Quotas:
    return Quotas(Kind("camera"), {f"{number}": part for number, part in percent.items()})


@settings(max_examples=examples(500), deadline=None)
@given(requests())
def test_a_sample_is_that_of_the_rule_in_plain_python(
    request: tuple[list[Shot], Asked, list[int] | None],
) -> None:
    found, asked, units = request
    drawn = draw(candidates(found, asked, units), asked.count)
    expected = plain_rule.draw(found, asked, units)
    assert drawn.positions.tolist() == expected
    if units is None:
        assert drawn.units is None
    else:
        assert drawn.units is not None
        assert drawn.units.tolist() == [1000 + units[at] for at in expected]
    _assert_promises(found, asked, units, drawn)


def _assert_promises(
    found: list[Shot], asked: Asked, units: list[int] | None, drawn: Drawn
) -> None:
    """Whatever the rule: exact, each once, fixed ones in it, and no stratum over its most."""
    positions = drawn.positions.tolist()
    assert sorted(set(positions)) == positions
    assert asked.fixed <= set(positions)
    if asked.at_most is None:
        assert len(positions) == min(asked.count, len(found))
    elif units is None:
        for stratum, images in Counter(found[at].strata for at in positions).items():
            held = sum(found[at].strata == stratum for at in asked.fixed)
            assert images <= max(held, asked.at_most)


@given(st.integers(1, 60), st.booleans(), st.data())
def test_new_ones_go_where_fixed_ones_leave_the_widest_gaps(
    size: int, prefers_motion: bool, data: st.DataObject
) -> None:
    found = [Shot(0, motion=data.draw(st.integers(0, 9))) for _ in range(size)]
    fixed = data.draw(st.frozensets(st.integers(0, size - 1), max_size=5))
    count = data.draw(st.integers(max(len(fixed), 1), size))
    asked = Asked(count, prefers_motion=prefers_motion, fixed=fixed)
    drawn = draw(candidates(found, asked, None), count)
    assert drawn.positions.tolist() == plain_rule.draw(found, asked, None)


@settings(max_examples=examples(200), deadline=None)
@given(requests(), st.lists(st.integers(1, 50), min_size=1, max_size=3))
def test_shares_are_exact_or_refused(
    request: tuple[list[Shot], Asked, list[int] | None], parts: list[int]
) -> None:
    found, asked, units = request
    assume(found[0].strata and sum(parts) <= 100)
    quotas = {number: Fraction(part) for number, part in enumerate(parts)}
    asked = Asked(**{**vars(asked), "quotas": quotas})
    wanted = plain_rule.largest_remainders(quotas, asked.count)
    assert abs(sum(wanted.values()) - asked.count * sum(parts) / 100) < 1
    drawn = _drawn_or_refused(found, asked, units)
    if drawn is None:
        if units is None and not asked.fixed and asked.at_most is None:
            sizes = Counter(shot.strata[0] for shot in found)
            rest = sum(size for number, size in sizes.items() if number not in quotas)
            lacks = any(sizes[number] < images for number, images in wanted.items())
            assert lacks or rest < asked.count - sum(wanted.values())
        return
    assert drawn == plain_rule.draw(found, asked, units)
    if units is None:
        kept = Counter(found[at].strata[0] for at in drawn)
        assert {number: kept[number] for number in wanted} == wanted


def _drawn_or_refused(found: list[Shot], asked: Asked, units: list[int] | None) -> list[int] | None:
    with suppress(SampleError):
        drawn: list[int] = draw(candidates(found, asked, units), asked.count).positions.tolist()
        return drawn
    return None


@settings(max_examples=examples(200), deadline=None)
@given(requests())
def test_a_unit_is_shown_once_until_all_are(
    request: tuple[list[Shot], Asked, list[int] | None],
) -> None:
    found, asked, units = request
    assume(units is not None and asked.at_most is None)
    assert units is not None
    drawn = draw(candidates(found, asked, units), asked.count).positions.tolist()
    taken = {units[at] for at in asked.fixed}
    new = Counter(units[at] for at in set(drawn) - asked.fixed)
    if asked.count - len(asked.fixed) <= len(set(units)) - len(taken):
        assert set(new.values()) <= {1}
        assert taken.isdisjoint(new)
        lacking = set(units) - taken - set(new)
        for unit in lacking:  # none is left out for one that is to be drawn after it
            assert all(found[other].later <= found[unit].later for other in new)
    else:
        assert {units[at] for at in drawn} == set(units)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(1, 500))
def test_quotas_round_to_the_count(parts: list[int], count: int) -> None:
    text = ",".join(f"{number}={part * 1.1:.1f}%" for number, part in enumerate(parts))
    quotas = quotas_of(f"camera:{text}")
    counts = quotas.counts(count)
    for name, part in quotas.percent.items():
        assert abs(counts[name] - count * part / 100) < 1
    assert sum(counts.values()) <= count
    for name in quotas.percent:
        for images in (1, 7, 100):
            assert quotas.counts(quotas.most(name, images))[name] <= images


def test_a_camera_with_many_frames_does_not_drown_one_with_few() -> None:
    size = 100_000
    strata = Strata(np.array([0] * size + [1] * 200, np.uint8), ["a", "b"])
    hashes = np.arange(size + 200, dtype=np.uint64) << np.uint64(60)
    drawn = draw(Candidates(Frame(np.arange(size + 200), hashes), strata=[strata]), 300)
    assert Counter(strata.numbers[drawn.positions].tolist()) == {0: 150, 1: 150}
