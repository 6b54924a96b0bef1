"""Bursts, timers and events, held against a plain loop over the images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex.sampling.blocks import NO_TIME
from sdindex.sampling.bursts import gaps_of
from sdindex.sampling.frame import Coded, Frame
from sdindex.sampling.options import Clock
from sdindex.sampling.timers import timer_images, timer_intervals
from sdindex.sampling.units import taken
from tests.support import plain_rule
from tests.support.examples import examples
from tests.support.plain_rule import Shot

hashes = st.builds(
    lambda scene, noise: scene ^ noise,
    st.sampled_from([0, -1, 0x0F0F << 20, 1 << 62, -(1 << 63)]),
    st.sampled_from([0, 1, 0b111, 0x3FF, 0xFFFF]),
)
# Mostly onward: within a burst, beyond it, back a little, back far, a reset, no time at all.
steps = st.sampled_from([0, 1, 2, 9, 10, 11, 60, 1800, 1801, 90_000, -1, -10, -11, -3600, None])


@st.composite
def shots(draw: st.DrawFn) -> list[Shot]:
    """Draw images whose clock mostly goes on, in folders and cameras that come in turn."""
    found: list[Shot] = []
    time, folder, camera = draw(st.sampled_from([0, 946_684_800, 1_700_000_000])), 0, 0
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["some", "series", "folder", "camera", "reset"]))
        if kind == "folder":
            folder += 1
        elif kind == "camera":
            camera = draw(st.integers(0, 2))
        elif kind == "reset":
            time = draw(st.sampled_from([0, 946_684_800, 1_700_000_000]))
        elif kind == "series":
            every = draw(st.sampled_from([1, 60, 67, 900]))
            for _ in range(draw(st.integers(2, 14))):
                time += every + draw(st.sampled_from([0, 0, 0, 1, -1, 2]))
                found.append(Shot(draw(hashes), time, folder, camera))
                for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):  # a trigger between
                    at = draw(st.sampled_from([None, time + 3, time + 20, time + 45]))
                    found.append(Shot(draw(hashes), at, folder, camera))
        else:
            for _ in range(draw(st.integers(1, 9))):
                step = draw(steps)
                time += step or 0
                found.append(Shot(draw(hashes), None if step is None else time, folder, camera))
    return found


ONE_CAMERA = np.zeros(100, np.int64)


def as_frame(found: list[Shot]) -> Frame:
    folders = sorted({shot.folder for shot in found})
    return Frame(
        np.arange(len(found)),
        np.array([shot.dhash % 2**64 for shot in found], np.uint64),
        times=np.array([NO_TIME if s.time is None else s.time for s in found], np.int64),
        folders=Coded(
            np.array([folders.index(shot.folder) for shot in found], np.int32),
            [(1, str(folder)) for folder in folders],
        ),
        cameras=Coded(
            np.array([shot.camera for shot in found], np.int16), [(1, str(n)) for n in range(3)]
        ),
    )


@settings(max_examples=examples(400))
@given(
    shots(),
    st.sampled_from([0, 5, 10, 100]),
    st.sampled_from([None, 0, 9, 32, 64]),
    st.sampled_from([0, 30]),
    st.sampled_from([0, 64]),
)
def test_bursts_and_events_are_those_of_a_plain_loop(
    found: list[Shot], seconds: int, distance: int | None, minutes: int, few: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sdindex.sampling.bursts._FEW", few)  # side by side, or one after the other
        patch.setattr("sdindex.sampling.bursts._PIECE", 7)
        clock = Clock(seconds, distance, minutes)
        frame = as_frame(found)
        told = taken(frame, clock)
        is_timer = plain_rule.timers(found)
        bursts = plain_rule.bursts(found, seconds, distance, is_timer)
        assert told.is_timer.tolist() == is_timer
        assert told.starts.tolist() == [burst[0] for burst in bursts]
        expected = plain_rule.events(found, bursts, 60 * minutes, is_timer)
        assert told.events(frame, clock).tolist() == expected
        assert told.bursts().tolist() == [burst[0] for burst in bursts for _ in burst]


def only(*times: int | None, dhash: int = 0) -> list[Shot]:
    return [Shot(dhash, time) for time in times]


def starts_of(found: list[Shot], distance: int | None = None) -> list[int]:
    starts: list[int] = taken(as_frame(found), Clock(distance=distance)).starts.tolist()
    return starts


def test_a_gap_ends_a_burst_however_alike() -> None:
    assert starts_of(only(0, 10, 21)) == [0, 2]


def test_a_burst_goes_on_however_unlike_unless_a_distance_is_given() -> None:
    moving = [Shot(0, 0), Shot(-1, 1), Shot(0, 2)]
    assert starts_of(moving) == [0]
    assert starts_of(moving, 10) == [0, 1, 2]


def test_an_hour_back_is_another_burst_and_a_second_back_goes_by_looks() -> None:
    assert starts_of(only(7200, 3600, 3601)) == [0, 1]
    assert starts_of(only(7200, 7199, 7201)) == [0]
    assert starts_of([Shot(0, 7200), Shot(-1, 7199)]) == [0, 1]


def test_a_timer_is_told_by_its_even_steps_and_its_interval() -> None:
    found = only(*range(0, 9000, 900))
    times = np.array([shot.time for shot in found], np.int64)
    gaps = gaps_of(times)
    is_timer = timer_images(times, gaps, ONE_CAMERA[:10])
    assert is_timer.all()
    assert timer_intervals(is_timer, gaps, np.zeros(10, np.int64)) == {0: 900}
    assert not timer_images(times[:9], gaps[:9], ONE_CAMERA[:9]).any()
    drifting = np.cumsum(np.arange(900, 930))
    assert not timer_images(drifting, gaps_of(drifting), ONE_CAMERA[:30]).any()


def test_a_timer_goes_on_through_what_is_taken_between() -> None:
    found: list[Shot] = []
    for step in range(12):
        found.append(Shot(0, 900 * step))
        if step in (3, 7):  # a visit, of which a part has no time
            found += [Shot(0, 900 * step + 400 + frame) for frame in range(3)]
            found.append(Shot(0, None))
    times = np.array([NO_TIME if s.time is None else s.time for s in found], np.int64)
    of_timer = [at for at, s in enumerate(found) if s.time is not None and s.time % 900 == 0]
    assert (
        np.flatnonzero(timer_images(times, gaps_of(times), ONE_CAMERA[: len(times)])).tolist()
        == of_timer
    )


def test_a_timer_goes_on_in_the_next_folder_and_where_images_are_broken() -> None:
    steps = [step for step in range(24) if step not in (3, 4, 17)]
    times = 900 * np.array(steps)
    folders = np.array([0] * 6 + [1] * (len(steps) - 6))
    assert timer_images(times, gaps_of(times, folders), ONE_CAMERA[: len(steps)]).all()
    assert not timer_images(times, gaps_of(times, folders), folders)[:6].any()  # two cameras
    times[9:] += 3600  # three intervals more are missing
    assert not timer_images(times, gaps_of(times), ONE_CAMERA[: len(steps)])[:9].any()


def test_a_timer_goes_on_in_the_next_folder_of_its_camera() -> None:
    found = [Shot(0, 900 * at, at // 14) for at in range(20)]
    assert taken(as_frame(found), Clock()).is_timer.all()
    found = [Shot(0, 900 * at, at // 14, at // 14) for at in range(20)]
    assert taken(as_frame(found), Clock()).is_timer.sum() == 14, "the rest is another camera's"


def test_a_timer_beside_triggers_is_drawn_later_and_a_time_lapse_camera_is_not() -> None:
    timer = only(*range(0, 9000, 900))
    visit = [Shot(0, 9100), Shot(0, 9101)]
    beside = as_frame(timer + visit)
    assert taken(beside, Clock()).companions(beside).tolist() == [True] * 10 + [False] * 2
    alone = as_frame(timer)
    assert not taken(alone, Clock()).companions(alone).any()


def test_a_visit_over_two_folders_of_a_camera_is_one_event() -> None:
    found = [Shot(0, 100, 0), Shot(0, 200, 1), Shot(0, 300, 1), Shot(0, None, 1)]
    frame, clock = as_frame(found), Clock()
    assert taken(frame, clock).events(frame, clock).tolist() == [0, 0, 0, 0]
    frame = as_frame([*found[:2], Shot(0, 200 + 1801, 1)])
    assert taken(frame, clock).events(frame, clock).tolist() == [0, 0, 2]
