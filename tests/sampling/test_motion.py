"""Motion in columns against a plain loop over images, which states the rule."""

from collections.abc import Sequence
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex.sampling.blocks import NO_MOTION, NO_TIME
from sdindex.sampling.motion import motions
from tests.support.examples import examples
from tests.support.plain_motion import Shot, motions_by_the_rule


def of_shots(shots: Sequence[Shot]) -> list[float | None]:
    """Return what the program says, as fractions."""
    found = motions(
        np.array([list(shot.grey or bytes(72)) for shot in shots], np.uint8).reshape(-1, 72),
        np.array([shot.grey is not None for shot in shots], bool),
        np.array([shot.dhash % 2**64 for shot in shots], np.uint64),
        np.array([NO_TIME if shot.seconds is None else shot.seconds for shot in shots], np.int64),
        np.array([shot.folder for shot in shots], np.int64),
    )
    return [None if number == NO_MOTION else number / 10_000 for number in found.tolist()]


GREYS = st.one_of(
    st.none(),
    st.binary(min_size=72, max_size=72),
    st.integers(0, 255).map(lambda grey: bytes([grey] * 72)),
    st.lists(st.integers(99, 103), min_size=72, max_size=72).map(bytes),
)
SHOTS = st.lists(
    st.builds(
        Shot,
        folder=st.integers(1, 3),
        seconds=st.one_of(st.none(), st.integers(0, 300)),
        grey=GREYS,
        dhash=st.integers(-(2**63), 2**63 - 1),
    ),
    max_size=12,
).map(lambda shots: sorted(shots, key=lambda shot: shot.folder))


@settings(max_examples=examples(300), deadline=None)
@given(SHOTS)
def test_it_is_the_rule_of_a_plain_loop(shots: list[Shot]) -> None:
    assert of_shots(shots) == pytest.approx(motions_by_the_rule(shots), abs=1.01e-4)


@settings(max_examples=examples(100), deadline=None)
@given(SHOTS, SHOTS)
def test_images_of_other_folders_change_nothing(shots: list[Shot], others: list[Shot]) -> None:
    before = [shot._replace(folder=0) for shot in others]
    assert of_shots([*before, *shots])[len(before) :] == of_shots(shots)


def scene(bright: bool, *, at: int = 0) -> bytes:
    """Return a picture with a gradient, and something bright in a cell or not."""
    cells = [20 + 2 * number for number in range(72)]
    cells[at] += 100 * bright
    return bytes(cells)


def test_an_animal_that_comes_and_goes_is_told_from_a_still_scene_and_a_cloud() -> None:
    still, animal = scene(False), scene(True, at=40)
    brighter = bytes(grey + 60 for grey in still)
    shots = [Shot(1, second, grey, 0) for second, grey in
             enumerate([still, still, animal, still, brighter])]  # fmt: skip
    found = of_shots(shots)
    assert found[2] == max(motion or 0 for motion in found)
    assert found[2] is not None
    assert found[2] > 0.5
    assert [motion for number, motion in enumerate(found) if number != 2] == [0, 0, 0, 0]


@pytest.mark.parametrize("shown", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1)])
def test_in_a_burst_of_three_an_image_with_the_animal_moved_most(shown: tuple[int, ...]) -> None:
    walking = (scene(True, at=at) for at in (40, 22, 60))
    burst = [
        animal if there else scene(False) for animal, there in zip(walking, shown, strict=True)
    ]
    found = of_shots([Shot(1, second, grey, 0) for second, grey in enumerate(burst)])
    assert shown[max(range(3), key=lambda at: found[at] or 0)] == 1


def test_the_empty_last_image_has_its_like_in_the_bursts_beside() -> None:
    still = [scene(True, at=at) for at in (40, 22, 60)]  # the animal does not move in a burst
    bursts = [[animal, animal, scene(False)] for animal in still]
    shots = [
        Shot(1, 1000 * number + second, grey, 0)
        for number, burst in enumerate(bursts)
        for second, grey in enumerate(burst)
    ]
    assert of_shots(shots)[:6] == [0] * 6  # of the folder's last burst, nothing comes after
    alone = of_shots(shots[:3])
    assert alone[2] is not None
    assert alone[2] > 0.5  # nothing tells then that it is the empty one


def test_who_stands_alone_has_none() -> None:
    one, other = Shot(1, 0, bytes(72), 0), Shot(1, 61, bytes(72), -1)
    assert of_shots([one]) == [None]
    assert of_shots([]) == []
    assert of_shots([one, other]) == [None, None]
    assert of_shots([one, other._replace(seconds=60)]) == [0, 0]
    assert of_shots([one, other._replace(seconds=None)]) == [0, 0]
    assert of_shots([one, other._replace(folder=2, seconds=0)]) == [None, None]


def test_without_greys_the_hashes_tell() -> None:
    shots = [Shot(1, 0, None, 0), Shot(1, 1, scene(True), 0b1111)]
    assert of_shots(shots) == pytest.approx([1 / 3, 1 / 3], abs=1e-4)  # 4 bits of 8


def test_the_plain_rule_is_the_one_that_is_documented() -> None:
    one, other = scene(False), scene(True, at=0)
    scaled = [[(grey - fmean(cells)) / pstdev(cells) for grey in cells] for cells in (one, other)]
    difference = [b - a for a, b in zip(*scaled, strict=True)]
    corner = difference[0] - fmean([difference[0], difference[1], difference[9], difference[10]])
    found = motions_by_the_rule([Shot(1, 0, one, 0), Shot(1, 0, other, 0)])
    assert found == pytest.approx([abs(corner) / (1 + abs(corner))] * 2, abs=1e-4)
