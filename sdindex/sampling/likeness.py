"""Images that look alike: the nearest to one hash, and groups of near-duplicates.

Hashes within so many bits of each other are found by the bits that they then share: cut into a
few pieces, two hashes that differ in d bits differ in d pieces at most, and have all the others
in common (Manku, Jain, Das Sarma: Detecting near-duplicates for web crawling, 2007).
"""

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.frame import (
    Frame,
    Hashes,
    Numbers,
    in_order,
    needed,
    turns,
)
from sdindex.sampling.options import Clock
from sdindex.sampling.units import taken

_PIECE = 1 << 20  # images


def distances(hashes: Hashes, dhash: int) -> NDArray[np.uint8]:
    """Return in how many bits each hash differs from an unsigned one."""
    apart = np.empty(len(hashes), np.uint8)
    for at in range(0, len(hashes), _PIECE):
        np.bitwise_count(hashes[at : at + _PIECE] ^ np.uint64(dhash), out=apart[at : at + _PIECE])
    return apart


def nearest(
    frame: Frame, dhash: int, count: int, *, within: int, of_bursts: Clock | None, own: int | None
) -> list[tuple[int, int]]:
    """Return the positions of the images most like a hash, and how many bits they differ.

    Parameters
    ----------
    frame
        With the columns that tell bursts apart, where they are told apart.
    within
        Images that differ in more bits are none.
    of_bursts
        How bursts are told, of each of which there is one image at most; any image when it is
        None.
    own
        The position of the image itself, which is not among them, and neither is its burst.
    """
    apart = distances(frame.hashes, dhash)
    seen = set() if own is None else {own}
    burst_of = (lambda position: position) if of_bursts is None else _Bursts(frame, of_bursts)
    seen_bursts = set() if own is None else {burst_of(own)}
    found: list[tuple[int, int]] = []
    for bits in range(within + 1):
        for position in np.flatnonzero(apart == bits).tolist():
            if position in seen or burst_of(position) in seen_bursts:
                continue
            seen_bursts.add(burst_of(position))
            found.append((position, bits))
            if len(found) == count:
                return found
    return found


class _Bursts:
    """The bursts of the folders that are asked about, and of no others."""

    def __init__(self, frame: Frame, clock: Clock) -> None:
        self._frame, self._clock = frame, clock
        self._folders = np.flatnonzero(turns(needed(frame.folders).numbers))
        self._found: dict[int, Numbers] = {}

    def __call__(self, position: int) -> int:
        """Return where the burst of an image begins."""
        folder = int(np.searchsorted(self._folders, position, side="right")) - 1
        start = int(self._folders[folder])
        if folder not in self._found:
            end = self._folders[folder + 1] if folder + 1 < len(self._folders) else None
            self._found[folder] = taken(self._frame.part(start, end), self._clock).starts + start
        starts = self._found[folder]
        return int(starts[np.searchsorted(starts, position, side="right") - 1])


def leaders(hashes: Hashes, within: int, counted: Callable[[], object] = lambda: None) -> Numbers:
    """Return for each image the position of the one that leads its group of near-duplicates.

    Each image is at most `within` bits from its leader, and leaders lead themselves, so that
    groups do not chain. An image without a group is farther from all other such images, and
    from all leaders. Of equal hashes the first leads.

    Parameters
    ----------
    counted
        Called as each of the `steps` is done.
    """
    order = in_order([hashes])
    ordered = hashes[order]
    begins = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    first = order[begins]
    natural = np.argsort(first, kind="stable")
    leads = _Leads(ordered[begins][natural])
    counted()
    for key in _keys(leads.hashes, within):
        leads.join(key, within)
        counted()
    of_hash = np.empty(len(first), np.int64)
    of_hash[natural] = first[natural][leads.leader]
    leader = np.empty(len(hashes), np.int64)
    leader[order] = np.repeat(of_hash, np.diff(np.flatnonzero(begins), append=len(order)))
    return leader


def steps(within: int) -> int:
    """Return into how many steps the search for groups is divided."""
    return 1 + (len(list(combinations(range(_pieces(within)), _shared(within)))) if within else 0)


def _pieces(within: int) -> int:
    return min(within + _shared(within), HASH_BITS)


def _shared(within: int) -> int:
    """Return how many pieces two hashes have in common: two, in which few others have them."""
    return 2 if within < HASH_BITS - 1 else 0


def _keys(hashes: Hashes, within: int) -> Iterator[Hashes]:
    """Yield keys: any two hashes so near to each other have the same in at least one of them."""
    if not within:
        return
    cuts = [HASH_BITS * piece // _pieces(within) for piece in range(_pieces(within) + 1)]
    spans = [(start, end - start) for start, end in pairwise(cuts)]
    for chosen in combinations(spans, _shared(within)):
        key = np.zeros(len(hashes), np.uint64)
        for start, length in chosen:
            piece = (hashes >> np.uint64(start)) & np.uint64((1 << length) - 1)
            key = (key << np.uint64(length)) | piece
        yield key


class _Leads:
    """Which of some different hashes leads which, as it becomes known."""

    def __init__(self, hashes: Hashes) -> None:
        self.hashes = hashes
        self.leader = np.arange(len(hashes))
        self._is_free = np.ones(len(hashes), bool)  # it neither leads nor is led

    def join(self, key: Hashes, within: int) -> None:
        """Join what is near and has the same key: the first in each run leads what is free.

        Run by run, side by side, until each one that is not led has been the first: those that
        lead already before those that are free.
        """
        waiting = in_order([key, self._is_free.astype(np.uint8)])
        waiting = waiting[self.leader[waiting] == waiting]
        run = _shared_runs(key[waiting])
        waiting, run = waiting[run >= 0], run[run >= 0]
        while len(waiting):
            begins = np.ones(len(run), bool)
            np.not_equal(run[1:], run[:-1], out=begins[1:])
            leads = np.repeat(waiting[begins], np.diff(np.flatnonzero(begins), append=len(run)))
            apart = np.bitwise_count(self.hashes[waiting] ^ self.hashes[leads])
            joins = (apart <= within) & self._is_free[waiting] & ~begins
            self.leader[waiting[joins]] = leads[joins]
            self._is_free[waiting[joins]] = False
            self._is_free[leads[joins]] = False
            stays = ~begins & ~joins
            waiting, run = waiting[stays], run[stays]
            several = _shared_runs(run) >= 0
            waiting, run = waiting[several], run[several]


def _shared_runs(ordered: NDArray[Any]) -> Numbers:
    """Return the number of the run of equal numbers that each is in; -1 where it is alone."""
    begins = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    number = np.cumsum(begins) - 1
    sizes = np.diff(np.flatnonzero(begins), append=len(ordered))
    return np.where(sizes[number] > 1, number, -1)
