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

from sdindex.errors import SampleError
from sdindex.sampling.bursts import bursts, middle
from sdindex.sampling.trim import HASH_BITS, fill, trim


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
    excluded
        The places of images that it does not take, and that are here for their bursts alone.
    """

    ids: "array[int]" = field(default_factory=_numbers)
    hashes: "array[int]" = field(default_factory=_numbers)
    strata: "array[int]" = field(default_factory=_numbers)
    folders: "array[int]" = field(default_factory=_numbers)
    fixed: set[int] = field(default_factory=set)
    excluded: set[int] = field(default_factory=set)

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
    found = _open(candidates, bursts(candidates.hashes, candidates.folders, distance), count)
    number_of = _numbers_of(found)
    places = _draw_bursts(candidates, found, count, bits)
    return Drawn(places, [number_of(place) for place in places])


def _numbers_of(found: Sequence[Sequence[int]]) -> Callable[[int], int]:
    """Return what says in which burst a place is."""
    starts = [burst[0] for burst in found]
    return lambda place: bisect_right(starts, place) - 1


def _draw_images(candidates: Candidates, count: int, bits: int) -> list[int]:
    places = range(len(candidates))
    strata = _by_stratum(candidates, [one for one in places if one not in candidates.excluded])
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
    candidates: Candidates, found: Sequence[Sequence[int]], count: int, bits: int
) -> list[int]:
    """Return places of the bursts' middle images; of all bursts, and more, where there is room.

    A burst that holds a fixed image is taken by it. While not all bursts can be taken, it is
    bursts that are balanced and trimmed; then, with one of each, images.
    """
    fixed = candidates.fixed
    burst_of = {middle(burst): burst for burst in found}
    number_of = _numbers_of(found)
    taken = {middle(found[number_of(place)]) for place in fixed}
    strata = _by_stratum(candidates, burst_of)
    room = count - len(fixed) + len(taken)
    drawn: set[int] = set()
    if room <= len(found):
        sizes = {one: len(middles) for one, middles in strata.items()}
        keep = trim(sizes, room, _held(strata, taken))
        for one, middles in strata.items():
            drawn.update(_of_buckets(_by_bucket(candidates, middles, bits), keep[one], taken))
        return sorted(drawn - taken | fixed)
    one_of_each = fixed | (burst_of.keys() - taken)
    in_strata = {
        one: {number: burst_of[place] for number, place in enumerate(middles)}
        for one, middles in strata.items()
    }
    images = {one: list(chain.from_iterable(bursts.values())) for one, bursts in in_strata.items()}
    sizes = {one: len(places) for one, places in images.items()}
    keep = trim(sizes, count, _held(images, one_of_each))
    for one, as_buckets in in_strata.items():
        drawn.update(_of_buckets(as_buckets, keep[one], one_of_each))
    return sorted(drawn)


def _open(candidates: Candidates, found: Sequence[range], count: int) -> Sequence[Sequence[int]]:
    """Return the bursts without those of excluded images, which are shown enough by these.

    Where that leaves too few, these bursts come back, without the excluded images.
    """
    excluded = candidates.excluded
    if not excluded:
        return found
    number_of = _numbers_of(found)
    held = {number_of(place) for place in candidates.fixed}
    shown = {number_of(place) for place in excluded} - held
    rests = [[place for place in burst if place not in excluded] for burst in found]
    others = [rest for number, rest in enumerate(rests) if number not in shown]
    enough = count - len(candidates.fixed) <= len(others) - len(held)
    return others if enough else [rest for rest in rests if rest]


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
