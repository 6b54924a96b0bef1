import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdindex.sampling.trim import stride, trim

some_sizes = st.dictionaries(st.integers(0, 2**64 - 1), st.integers(1, 60), max_size=12)


def trim_by_the_rule(sizes: dict[int, int], count: int) -> dict[int, int]:
    """The rule, image by image: cut one from the fullest bucket until the count is reached.

    Among the fullest, the one that would not get one of the last places goes first: the
    smallest originally, then the highest number.
    """
    kept = dict(sizes)
    while sum(kept.values()) > count:
        fullest = max(kept.values())
        bucket = min(
            (bucket for bucket in kept if kept[bucket] == fullest),
            key=lambda bucket: (sizes[bucket], -bucket),
        )
        kept[bucket] -= 1
    return kept


def test_the_example() -> None:
    sizes = dict(enumerate([1] * 50 + [5] * 30 + [10] * 19 + [1000]))
    kept = list(trim(sizes, 500).values())
    assert kept == [1] * 50 + [5] * 30 + [10] * 19 + [110]
    assert [sum(kept[:50]), sum(kept[50:80]), sum(kept[80:99]), kept[99]] == [50, 150, 190, 110]


@given(some_sizes, st.integers(0, 800))
def test_as_the_rule_says_image_by_image(sizes: dict[int, int], count: int) -> None:
    assert trim(sizes, count) == trim_by_the_rule(sizes, count)


@given(some_sizes, st.integers(0, 800))
def test_the_total_is_exact_and_only_the_largest_are_cut(sizes: dict[int, int], count: int) -> None:
    kept = trim(sizes, count)
    assert sum(kept.values()) == min(count, sum(sizes.values()))
    for bucket, images in kept.items():
        assert 0 <= images <= sizes[bucket]
        if images < sizes[bucket]:  # a bucket that is cut keeps as many as any other, or one less
            assert all(other <= images + 1 for other in kept.values())


def test_what_is_left_goes_to_the_largest_then_to_the_lowest_number() -> None:
    assert trim({7: 9, 3: 9, 5: 12, 1: 2}, 13) == {7: 3, 3: 4, 5: 4, 1: 2}


@given(st.integers(1, 500), st.data())
def test_stride_is_even_to_the_very_end(size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, size))
    places = stride(size, count)
    gaps = [after - before for before, after in zip(places, [*places[1:], size], strict=True)]
    assert len(places) == count
    assert places[0] == 0
    assert max(gaps) - min(gaps) <= 1
    assert min(gaps) >= 1


@pytest.mark.parametrize(("size", "count"), [(10, 0), (0, 0)])
def test_stride_of_nothing(size: int, count: int) -> None:
    assert stride(size, count) == []
