"""How near the images of a sample are, against plain Python: distances of integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdindex.sampling import quality

hashes = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), min_size=1, max_size=30)


def apart(one: int, other: int) -> int:
    return (one ^ other).bit_count()


@given(hashes, hashes)
def test_nearest_is_the_least_of_all_distances(images: list[int], sample: list[int]) -> None:
    found = quality.nearest(np.array(images, np.uint64), np.array(sample, np.uint64))
    assert found.tolist() == [min(apart(one, other) for other in sample) for one in images]


@given(hashes, st.integers(0, 64))
def test_a_near_duplicate_is_another_image(sample: list[int], distance: int) -> None:
    have = [
        any(apart(one, other) <= distance for j, other in enumerate(sample) if j != i)
        for i, one in enumerate(sample)
    ]
    found = quality.near_duplicates(np.array(sample, np.uint64), distance)
    assert found == pytest.approx(sum(have) / len(sample))


def test_evenness_is_1_where_all_give_alike_and_0_where_one_gives_all() -> None:
    cameras, few = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 3, 5])
    assert quality.evenness(cameras, 3, few) == pytest.approx(1)
    assert quality.evenness(cameras, 3, np.array([0, 1, 2])) == 0
    assert quality.evenness(cameras, 3, np.array([0, 3])) == pytest.approx(1), "as even as can be"
    assert quality.evenness(cameras, 3, np.array([0])) == 1
    assert 0.5 < quality.evenness(cameras, 3, np.arange(6)) < 1


def test_the_subset_does_not_favour_the_plain_stride(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "MOST", 100)
    positions = [quality._spread_at_random(1000, np.random.default_rng(seed)) for seed in range(50)]
    for chosen in positions:
        assert (chosen // 10).tolist() == list(range(100))
    counts = np.bincount(np.concatenate(positions), minlength=1000)
    assert counts.max() < 18  # each is as likely: 5 of 50 expected
    assert abs(counts[::10].sum() - 500) < 100
