"""How many images a sample is to have."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sdindex.arguments import shown, whole
from sdindex.errors import Option, SampleError, UsageError


class Share(NamedTuple):
    """A share of the images that pass the filters, in percent: more than 0, at most 100."""

    percent: float

    def of(self, images: int) -> int:
        """Return how many of so many images that is: rounded, and at least one."""
        return max(1, round(images * self.percent / 100))


Count = int | Share


def sample_count(count: object) -> Count:
    """Return a sample's size, checked: a number, or a `Share` such as ``"10%"``.

    Raises
    ------
    SampleError
        When it is neither a whole number of at least 1 nor a share up to 100%.
    """
    if isinstance(count, Share):
        return count
    if isinstance(count, str) and count.rstrip().endswith("%"):
        try:
            percent = float(count.rstrip().removesuffix("%"))
        except ValueError:
            percent = 0.0
        if not 0 < percent <= 100:
            raise SampleError(f"a share is more than 0% and at most 100%, not {count!r}")
        return Share(percent)
    try:
        return whole("count", count, 1)
    except UsageError as problem:
        raise SampleError(
            Option("count"),
            f" must be a whole number of at least 1, or a share such as '10%', not {shown(count)}",
        ) from problem


def images_wanted(count: Count, images: int) -> int:
    """Return how many images a count asks for, of `images` that there are; it may be more."""
    return count.of(images) if isinstance(count, Share) else count


@contextmanager
def said_of_a_sample() -> Iterator[None]:
    """Raise a UsageError as the SampleError that it is."""
    try:
        yield
    except UsageError as problem:
        raise SampleError(*problem.args) from problem
