import pytest

from sdindex.sampling.blocks import night_of


@pytest.mark.parametrize(
    ("brightness", "colour", "expected"),
    [
        (100.0, 0.3, "night"),  # infrared
        (100.0, 1.5, "day"),
        (19.9, 9.0, "night"),  # dark
        (20.0, 9.0, "day"),
        (100.0, None, "day"),  # read by a program that did not look at colour
        (19.9, None, "night"),
        (None, None, ""),
    ],
)
def test_night_is_what_is_dark_or_has_no_colour(
    brightness: float | None, colour: float | None, expected: str
) -> None:
    assert night_of(brightness, colour) == expected
