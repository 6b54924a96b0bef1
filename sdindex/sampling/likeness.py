"""Images that look alike: the nearest to one hash, and groups of near-duplicates.

Two hashes that differ in d bits, cut into pieces, differ in at most d pieces and share all others:
so only hashes with a common piece are compared (Manku, Jain, Das Sarma: Detecting near-duplicates
for web crawling, 2007).
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
    """Return in how many bits each unsigned hash differs from `dhash`, also unsigned."""
    apart = np.empty(len(hashes), np.uint8)
    for at in range(0, len(hashes), _PIECE):
        np.bitwise_count(hashes[at : at + _PIECE] ^ np.uint64(dhash), out=apart[at : at + _PIECE])
    return apart


def nearest(
    frame: Frame, dhash: int, count: int, *, within: int, of_bursts: Clock | None, own: int | None
) -> list[tuple[int, int]]:
    """Return the positions of the images nearest to a hash, and in how many bits each differs.

    Parameters
    ----------
    frame
        With `UNIT_COLUMNS` where `of_bursts` is given.
    within
        Leave out images that differ in more bits.
    of_bursts
        The limits of bursts: at most one image of each burst is returned. None returns any image.
    own
        The position of the image itself, if it is in the frame: neither it nor its burst is
        returned.
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
    """The bursts of images, found only for the folders that are asked about."""

    def __init__(self, frame: Frame, clock: Clock) -> None:
        self._frame, self._clock = frame, clock
        self._folders = np.flatnonzero(turns(needed(frame.folders).numbers))
        self._found: dict[int, Numbers] = {}

    def __call__(self, position: int) -> int:
        """Return the position at which the burst of an image begins."""
        folder = int(np.searchsorted(self._folders, position, side="right")) - 1
        start = int(self._folders[folder])
        if folder not in self._found:
            end = self._folders[folder + 1] if folder + 1 < len(self._folders) else None
            self._found[folder] = taken(self._frame.part(start, end), self._clock).starts + start
        starts = self._found[folder]
        return int(starts[np.searchsorted(starts, position, side="right") - 1])


def leaders(hashes: Hashes, within: int, counted: Callable[[], object] = lambda: None) -> Numbers:
    """Return, for each image, the position of the image that leads its group of near-duplicates.

    Each image is at most `within` bits from its leader, and a leader leads itself: so groups do not
    chain. An image that leads nobody else is farther than that from all leaders. Of equal hashes
    the first leads.

    Parameters
    ----------
    counted
        Called after each of the `steps`.
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
    """Return how many steps the search for groups has."""
    return 1 + (len(list(combinations(range(_pieces(within)), _shared(within)))) if within else 0)


def _pieces(within: int) -> int:
    return min(within + _shared(within), HASH_BITS)


def _shared(within: int) -> int:
    """Return how many pieces a key is made of: two, as few hashes share both by chance."""
    return 2 if within < HASH_BITS - 1 else 0


def _keys(hashes: Hashes, within: int) -> Iterator[Hashes]:
    """Yield a key of each hash, in several ways: near hashes have an equal key in at least one."""
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
    """Which of these distinct hashes leads which, as far as it is known."""

    def __init__(self, hashes: Hashes) -> None:
        self.hashes = hashes
        self.leader = np.arange(len(hashes))
        self._is_free = np.ones(len(hashes), bool)  # neither a leader nor led

    def join(self, key: Hashes, within: int) -> None:
        """In each run of equal keys, let the first hash lead the free ones near to it.

        All runs side by side, until each hash that is not led has been first: leaders before free
        ones.
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
    """Return the number of each one's run of equal numbers; -1 where it is alone."""
    begins = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    number = np.cumsum(begins) - 1
    sizes = np.diff(np.flatnonzero(begins), append=len(ordered))
    return np.where(sizes[number] > 1, number, -1)
