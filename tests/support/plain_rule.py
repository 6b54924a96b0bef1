"""The rule by which a sample is drawn, image by image in plain Python, to compare with."""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.trim import fill, trim


def bursts(hashes: Sequence[int], folders: Sequence[int], distance: int) -> list[range]:
    """Return the bursts of images in natural order, each as a range of positions."""
    starts = []
    first, folder = 0, -1
    for position, (dhash, in_folder) in enumerate(zip(hashes, folders, strict=True)):
        # Python's integers are unbounded: the sign bits of two hashes differ as one bit each
        # only when both are cut to 64.
        apart = ((first ^ dhash) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()
        if in_folder != folder or apart > distance:
            starts.append(position)
            first, folder = dhash, in_folder
    ends = [*starts[1:], len(hashes)]
    return [range(start, end) for start, end in zip(starts, ends, strict=True)] if starts else []


def middle(burst: Sequence[int]) -> int:
    """Return the position of the image that stands for a burst."""
    return burst[len(burst) // 2]


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
        The positions of the images that the sample takes in any case.
    excluded
        The positions of images that it does not take, and that are here for their bursts alone.
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
    """A sample: positions among the candidates, in order, and the burst of each, if any."""

    positions: list[int]
    bursts: list[int] | None = None


def draw(candidates: Candidates, count: int, *, bits: int, distance: int | None = None) -> Drawn:
    """Return a sample of the candidates, or all of them when there are fewer."""
    if distance is None:
        return Drawn(_draw_images(candidates, count, bits))
    found = _open(candidates, bursts(candidates.hashes, candidates.folders, distance), count)
    number_of = _numbers_of(found)
    positions = _draw_bursts(candidates, found, count, bits)
    return Drawn(positions, [number_of(position) for position in positions])


def _numbers_of(found: Sequence[Sequence[int]]) -> Callable[[int], int]:
    """Return what says in which burst a position is."""
    starts = [burst[0] for burst in found]
    return lambda position: bisect_right(starts, position) - 1


def _draw_images(candidates: Candidates, count: int, bits: int) -> list[int]:
    positions = range(len(candidates))
    strata = _by_stratum(candidates, [one for one in positions if one not in candidates.excluded])
    sizes = {stratum: len(positions) for stratum, positions in strata.items()}
    fixed = candidates.fixed
    keep = trim(sizes, count, _fixed_in(strata, fixed))
    return sorted(
        chain.from_iterable(
            _of_buckets(_by_bucket(candidates, positions, bits), keep[stratum], fixed)
            for stratum, positions in strata.items()
        )
    )


def _draw_bursts(
    candidates: Candidates, found: Sequence[Sequence[int]], count: int, bits: int
) -> list[int]:
    """Return positions of the bursts' middle images; of all bursts, and more, where there is room.

    A burst with a fixed image in it counts as taken. While not all bursts can be taken, it is
    bursts that are balanced and trimmed; then, with one of each, images.
    """
    fixed = candidates.fixed
    burst_of = {middle(burst): burst for burst in found}
    number_of = _numbers_of(found)
    taken = {middle(found[number_of(position)]) for position in fixed}
    strata = _by_stratum(candidates, burst_of)
    room = count - len(fixed) + len(taken)
    drawn: set[int] = set()
    if room <= len(found):
        sizes = {one: len(middles) for one, middles in strata.items()}
        keep = trim(sizes, room, _fixed_in(strata, taken))
        for one, middles in strata.items():
            drawn.update(_of_buckets(_by_bucket(candidates, middles, bits), keep[one], taken))
        return sorted(drawn - taken | fixed)
    one_of_each = fixed | (burst_of.keys() - taken)
    in_strata = {
        one: {number: burst_of[position] for number, position in enumerate(middles)}
        for one, middles in strata.items()
    }
    images = {one: list(chain.from_iterable(bursts.values())) for one, bursts in in_strata.items()}
    sizes = {one: len(positions) for one, positions in images.items()}
    keep = trim(sizes, count, _fixed_in(images, one_of_each))
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
    taken = {number_of(position) for position in candidates.fixed}
    shown = {number_of(position) for position in excluded} - taken
    rests = [[position for position in burst if position not in excluded] for burst in found]
    others = [rest for number, rest in enumerate(rests) if number not in shown]
    enough = count - len(candidates.fixed) <= len(others) - len(taken)
    return others if enough else [rest for rest in rests if rest]


def _by_stratum(candidates: Candidates, positions: Iterable[int]) -> dict[int, Sequence[int]]:
    """Return the positions by what is to be balanced; all are of one stratum when nothing is."""
    if not candidates.strata:
        return {0: array("q", positions)}
    groups: dict[int, array[int]] = defaultdict(_numbers)
    for position in positions:
        groups[candidates.strata[position]].append(position)
    return dict(groups)


def _by_bucket(
    candidates: Candidates, positions: Iterable[int], bits: int
) -> "dict[int, array[int]]":
    groups: dict[int, array[int]] = defaultdict(_numbers)
    hashes, shift, mask = candidates.hashes, HASH_BITS - bits, (1 << bits) - 1
    for position in positions:
        groups[hashes[position] >> shift & mask].append(position)
    return groups


def _fixed_in(groups: Mapping[int, Iterable[int]], fixed: Collection[int]) -> dict[int, int]:
    """Return how many positions of each group are fixed."""
    if not fixed:
        return dict.fromkeys(groups, 0)
    return {
        key: sum(position in fixed for position in positions) for key, positions in groups.items()
    }


def _of_buckets(
    buckets: Mapping[int, Sequence[int]], count: int, fixed: Collection[int]
) -> Iterator[int]:
    """Yield so many positions: every small bucket whole, the largest trimmed, each one evenly."""
    sizes = {bucket: len(positions) for bucket, positions in buckets.items()}
    keep = trim(sizes, count, _fixed_in(buckets, fixed))
    for bucket, positions in buckets.items():
        fixed_here = (
            [number for number, position in enumerate(positions) if position in fixed]
            if fixed
            else []
        )
        yield from (positions[number] for number in fill(len(positions), keep[bucket], fixed_here))
