"""Which images a sample takes: pure, from what is known of each, in natural order.

From the top: over the strata that are to be balanced (cameras, folders, labels; or one for
all), then over the buckets in each, then evenly along natural order in each bucket. What is
drawn is images or whole bursts.
"""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from sdindex.buckets import HASH_BITS, fill, trim
from sdindex.bursts import bursts, middle
from sdindex.errors import SampleError


def _numbers() -> "array[int]":
    return array("q")


@dataclass
class Candidates:
    """The images that a sample is drawn from, in natural order; each column has one number each.

    Attributes
    ----------
    ids
        Of the rows of ``image``.
    hashes
        Signed 64-bit integers.
    strata
        What is to be balanced, numbered; empty when nothing is.
    folders
        For bursts only: a number for each folder, as they follow each other.
    fixed
        The places of the images that the sample takes in any case.
    """

    ids: "array[int]" = field(default_factory=_numbers)
    hashes: "array[int]" = field(default_factory=_numbers)
    strata: "array[int]" = field(default_factory=_numbers)
    folders: "array[int]" = field(default_factory=_numbers)
    fixed: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Drawn:
    """A sample: places among the candidates, in order, and each one's burst, if there are any."""

    places: list[int]
    bursts: list[int] | None = None


def draw(candidates: Candidates, count: int, *, bits: int, distance: int | None = None) -> Drawn:
    """Return a sample of the candidates, or all of them when there are fewer.

    Parameters
    ----------
    count
        Images wanted.
    bits
        Leading bits of the hash that make a bucket.
    distance
        Draw bursts, in which images are at most this many bits from the first; images by
        themselves when it is None.

    Raises
    ------
    SampleError
        When more images are fixed than are wanted.
    """
    if len(candidates.fixed) > count:
        raise SampleError(
            f"{len(candidates.fixed):,} images are fixed already, more than the {count:,} that "
            "are wanted; ask for more, or fix fewer"
        )
    if distance is None:
        return Drawn(_draw_images(candidates, count, bits))
    found = bursts(candidates.hashes, candidates.folders, distance)
    number_of = _numbers_of(found)
    places = _draw_bursts(candidates, found, number_of, count, bits)
    return Drawn(places, [number_of(place) for place in places])


def _numbers_of(found: Sequence[range]) -> Callable[[int], int]:
    """Return what says in which burst a place is."""
    starts = [burst.start for burst in found]
    return lambda place: bisect_right(starts, place) - 1


def _draw_images(candidates: Candidates, count: int, bits: int) -> list[int]:
    strata = _by_stratum(candidates, range(len(candidates)))
    sizes = {stratum: len(places) for stratum, places in strata.items()}
    fixed = candidates.fixed
    keep = trim(sizes, count, _held(strata, fixed))
    return sorted(
        chain.from_iterable(
            _of_buckets(_by_bucket(candidates, places, bits), keep[stratum], fixed)
            for stratum, places in strata.items()
        )
    )


def _draw_bursts(
    candidates: Candidates,
    found: Sequence[range],
    number_of: Callable[[int], int],
    count: int,
    bits: int,
) -> list[int]:
    """Return places of the bursts' middle images; of all bursts, and more, where there is room.

    A burst that holds a fixed image is taken by it. While not all bursts can be taken, it is
    bursts that are balanced; then images.
    """
    fixed = candidates.fixed
    burst_of = {middle(burst): burst for burst in found}
    fixed_of: dict[int, list[int]] = defaultdict(list)  # by the middle of the burst
    for place in fixed:
        fixed_of[middle(found[number_of(place)])].append(place)
    taken = fixed_of.keys()
    strata = _by_stratum(candidates, burst_of)
    fixed_in: dict[int, list[int]] = {stratum: [] for stratum in strata}
    for stratum, middles in _by_stratum(candidates, taken).items():
        fixed_in[stratum] = [place for one in middles for place in fixed_of[one]]
    taken_in = _held(strata, taken)
    room = count - len(fixed) + len(taken)
    if room <= len(found):
        keep = trim({one: len(middles) for one, middles in strata.items()}, room, taken_in)
        images = {one: keep[one] - taken_in[one] + len(fixed_in[one]) for one in strata}
    else:
        sizes = {one: sum(len(burst_of[place]) for place in strata[one]) for one in strata}
        images = trim(sizes, count, {one: len(places) for one, places in fixed_in.items()})
    drawn: list[int] = []
    for one, middles in strata.items():
        room = images[one] - len(fixed_in[one]) + taken_in[one]
        if room <= len(middles):
            chosen = _of_buckets(_by_bucket(candidates, middles, bits), room, taken)
            drawn += chain(fixed_in[one], set(chosen) - taken)
        else:
            as_buckets = {number: burst_of[place] for number, place in enumerate(middles)}
            # Each burst still has its middle; the others go around what is there.
            drawn += _of_buckets(as_buckets, images[one], fixed | (set(middles) - taken))
    return sorted(drawn)


def _by_stratum(candidates: Candidates, places: Iterable[int]) -> dict[int, Sequence[int]]:
    """Return the places by what is to be balanced; all are of one stratum when nothing is."""
    if not candidates.strata:
        return {0: array("q", places)}
    groups: dict[int, array[int]] = defaultdict(_numbers)
    for place in places:
        groups[candidates.strata[place]].append(place)
    return dict(groups)


def _by_bucket(candidates: Candidates, places: Iterable[int], bits: int) -> "dict[int, array[int]]":
    groups: dict[int, array[int]] = defaultdict(_numbers)
    hashes, shift, mask = candidates.hashes, HASH_BITS - bits, (1 << bits) - 1
    for place in places:
        groups[hashes[place] >> shift & mask].append(place)
    return groups


def _held(groups: Mapping[int, Iterable[int]], fixed: Collection[int]) -> dict[int, int]:
    """Return how many places of each group are fixed."""
    if not fixed:
        return dict.fromkeys(groups, 0)
    return {key: sum(place in fixed for place in places) for key, places in groups.items()}


def _of_buckets(
    buckets: Mapping[int, Sequence[int]], count: int, fixed: Collection[int]
) -> Iterator[int]:
    """Yield so many places: every small bucket whole, the largest trimmed, each one evenly."""
    sizes = {bucket: len(places) for bucket, places in buckets.items()}
    keep = trim(sizes, count, _held(buckets, fixed))
    for bucket, places in buckets.items():
        held = [number for number, place in enumerate(places) if place in fixed] if fixed else []
        yield from (places[number] for number in fill(len(places), keep[bucket], held))
