"""The rules by which bursts are told and a sample is drawn, image by image, to compare with.

Written from the documents alone: it shares nothing with the program.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby


@dataclass(frozen=True)
class Shot:
    """An image: its hash, time, folder, camera and motion; None is what it does not have."""

    dhash: int
    time: int | None = None
    folder: int = 0
    camera: int = 0
    motion: int | None = None
    strata: tuple[int, ...] = ()
    later: int = 0


def bursts(
    shots: Sequence[Shot], seconds: int, distance: int | None, alone: Sequence[bool]
) -> list[list[int]]:
    """Return the bursts, each as the positions of its images."""
    found: list[list[int]] = []
    for at in range(len(shots)):
        if at and _goes_on(shots, found[-1][0], at, seconds, distance, alone):
            found[-1].append(at)
        else:
            found.append([at])
    return found


def _goes_on(
    shots: Sequence[Shot],
    first: int,
    at: int,
    seconds: int,
    distance: int | None,
    alone: Sequence[bool],
) -> bool:
    before, now = shots[at - 1], shots[at]
    if (before.folder, before.camera) != (now.folder, now.camera) or alone[at] or alone[at - 1]:
        return False
    apart = bin((shots[first].dhash ^ now.dhash) % 2**64).count("1")
    is_alike = apart <= (10 if distance is None else distance)
    if before.time is None or now.time is None:
        return is_alike
    gap = now.time - before.time
    if abs(gap) > seconds:
        return False
    return is_alike if gap < 0 or distance is not None else True


def timers(shots: Sequence[Shot]) -> list[bool]:
    """Say of each image whether it is one of a timer's."""
    is_timer = [False] * len(shots)
    for camera in {shot.camera for shot in shots}:
        for at in _series(shots, [at for at, shot in enumerate(shots) if shot.camera == camera]):
            is_timer[at] = True
    return is_timer


def _series(shots: Sequence[Shot], of_camera: list[int]) -> Iterator[int]:
    """Yield the images that a timer took of those of a camera."""
    gaps = {at: _gap(shots, at - 1, at) for at in range(len(shots) + 1)}
    often = Counter(
        gap for at in of_camera if (gap := gaps[at]) is not None and 3 <= gap <= 100_000
    )
    intervals = [gap for gap, count in sorted(often.items()) if count >= 9]
    if not intervals:
        return
    interval = max(intervals, key=lambda gap: (often[gap] * gap, -gap))
    near = min(Fraction(10), Fraction(interval, 2))
    is_near = {at: gap is not None and abs(gap) <= near for at, gap in gaps.items()}
    alone = sorted(
        (time, at)
        for at in of_camera
        if (time := shots[at].time) is not None and not is_near[at] and not is_near[at + 1]
    )
    for chain in _chains(alone, interval):
        first, last = chain[0][0], chain[-1][0]
        stepped = [round(Fraction(time - first, interval)) for time, _ in chain]
        if len(chain) >= 10 and last - first >= 600 and all(
            abs(time - first - Fraction((last - first) * rank, stepped[-1])) <= Fraction(3, 2)
            for (time, _), rank in zip(chain, stepped, strict=True)
        ):  # fmt: skip
            yield from (at for _, at in chain)


def _chains(alone: Sequence[tuple[int, int]], interval: int) -> list[list[tuple[int, int]]]:
    """Return the images in chains, each up to three intervals after the one before."""
    before: dict[int, int] = {}
    waiting = [*range(len(alone))]
    for steps in (1, 2, 3):
        at_end = []
        for one in waiting:
            expected = alone[one][0] + steps * interval
            after = next((at for at, (time, _) in enumerate(alone) if time >= expected - 1), None)
            if after is None or alone[after][0] > expected + 1:
                at_end.append(one)
            else:
                before.setdefault(after, one)
        waiting = at_end
    chains: dict[int, list[tuple[int, int]]] = {}
    for at, image in enumerate(alone):
        chain = chains.get(before.get(at, -1), [])
        chain.append(image)
        chains[at] = chain
    return [chain for at, chain in chains.items() if at not in before.values()]


def _gap(shots: Sequence[Shot], one: int, other: int) -> int | None:
    """Return the seconds between two images; None where they are not of one folder, or timed."""
    if one < 0 or other == len(shots):
        return None
    if (shots[one].folder, shots[one].camera) != (shots[other].folder, shots[other].camera):
        return None
    times = shots[one].time, shots[other].time
    return None if times[0] is None or times[1] is None else times[1] - times[0]


def events(
    shots: Sequence[Shot], found: Sequence[list[int]], seconds: int, alone: Sequence[bool]
) -> list[int]:
    """Return for each image the first of its event."""
    first_of = {at: burst[0] for burst in found for at in burst}
    spans = []
    for burst in found:
        times = [time for at in burst if (time := shots[at].time) is not None]
        if times and not alone[burst[0]]:
            spans.append((shots[burst[0]].camera, min(times), max(times), burst))
    spans.sort(key=lambda span: (span[0], span[1], span[3][0]))
    for _, of_camera in groupby(spans, key=lambda span: span[0]):
        event: list[int] = []
        latest = 0
        for _, begin, end, burst in of_camera:
            if event and begin - latest > seconds:
                event = []
            latest = max(latest, end) if event else end
            event += burst
            for at in event:
                first_of[at] = min(event)
    return [first_of[at] for at in range(len(shots))]


@dataclass(frozen=True)
class Asked:
    """What is asked of a sample."""

    count: int
    leading: Sequence[int] = (0, 1, 2, 3)
    show: str = "moved"
    prefers_motion: bool = False
    at_most: int | None = None
    quotas: Mapping[int, Fraction] | None = None
    fixed: frozenset[int] = field(default_factory=frozenset)


def draw(shots: Sequence[Shot], asked: Asked, units: Sequence[int] | None) -> list[int]:
    """Return the positions of a sample; `units` are the numbers of the images' units, if any."""
    if units is None:
        keys = {at: (*shot.strata, _bucket(shot, asked)) for at, shot in enumerate(shots)}
        return sorted(_take(shots, asked, keys, asked.fixed, asked.count))
    images = {unit: [at for at, of in enumerate(units) if of == unit] for unit in units}
    shown = {unit: _shown(shots, members, asked.show) for unit, members in images.items()}
    taken = {units[at] for at in asked.fixed}
    room = asked.count - len(asked.fixed) + len(taken)
    chosen = set(taken)
    later = {unit: 0 if unit in taken else shots[at].later for unit, at in shown.items()}
    for turn in sorted(set(later.values())):
        if len(chosen) < room:
            keys = {
                at: (*shots[at].strata, _bucket(shots[at], asked))
                for unit, at in shown.items()
                if later[unit] <= turn
            }
            drawn = _take(shots, asked, keys, {shown[unit] for unit in chosen}, room)
            chosen = {unit for unit, at in shown.items() if at in drawn}
    found = {shown[unit] for unit in chosen - taken} | asked.fixed
    if room > len(images):
        keys = {at: (*shots[shown[unit]].strata, unit) for at, unit in enumerate(units)}
        found = _take(shots, asked, keys, found, asked.count)
    return sorted(found)


def _bucket(shot: Shot, asked: Asked) -> int:
    bits = f"{shot.dhash % 2**64:064b}"
    return int("".join(bits[bit] for bit in asked.leading) or "0", 2)


def _shown(shots: Sequence[Shot], members: Sequence[int], show: str) -> int:
    if show == "moved":
        return max(members, key=lambda at: (_moved(shots[at]), -at))
    return {"first": members[0], "middle": members[len(members) // 2], "last": members[-1]}[show]


def _moved(shot: Shot) -> int:
    return -1 if shot.motion is None else shot.motion


Keys = Mapping[int, tuple[int, ...]]


def _take(
    shots: Sequence[Shot], asked: Asked, keys: Keys, fixed: set[int] | frozenset[int], count: int
) -> set[int]:
    depth = len(next(iter(keys.values()))) if keys else 0

    def room_in(items: Sequence[int], level: int) -> int:
        held = sum(at in fixed for at in items)
        if level == depth:
            return len(items)
        if level == depth - 1 and asked.at_most is not None:
            return max(held, min(len(items), asked.at_most))
        return sum(room_in(part, level + 1) for part in parts(items, level).values())

    def parts(items: Sequence[int], level: int) -> dict[int, list[int]]:
        numbers = sorted({keys[at][level] for at in items})
        return {number: [at for at in items if keys[at][level] == number] for number in numbers}

    def descend(items: Sequence[int], level: int, wanted: int) -> set[int]:
        if level == depth:
            return set(_placed(shots, items, fixed, wanted, asked.prefers_motion))
        found = parts(items, level)
        sizes = {number: room_in(part, level + 1) for number, part in found.items()}
        held = {number: sum(at in fixed for at in part) for number, part in found.items()}
        keep = {}
        if level == 0 and asked.quotas is not None:
            quotas = largest_remainders(asked.quotas, count)
            for number in quotas.keys() & found.keys():
                keep[number] = max(held[number], min(sizes[number], quotas[number]))
                del sizes[number]
            wanted -= sum(quotas.values())
        keep |= shared_out(sizes, held, wanted)
        return {
            at for number, part in found.items() for at in descend(part, level + 1, keep[number])
        }

    return descend(sorted(keys), 0, count) if keys else set()


def largest_remainders(percent: Mapping[int, Fraction], count: int) -> dict[int, int]:
    """Return how many of so many images each number gets."""
    exact = {number: count * part / 100 for number, part in percent.items()}
    exact[-1] = count - sum(exact.values(), Fraction(0))
    given = {number: part.numerator // part.denominator for number, part in exact.items()}
    for number in sorted(exact, key=lambda one: given[one] - exact[one]):
        if sum(given.values()) < count:
            given[number] += 1
    del given[-1]
    return given


def shared_out(sizes: Mapping[int, int], held: Mapping[int, int], count: int) -> dict[int, int]:
    """Return the trim from the top, found by trying every level."""

    def at_level(level: int) -> dict[int, int]:
        return {number: max(held[number], min(size, level)) for number, size in sizes.items()}

    level = 0
    while level < max(sizes.values(), default=0) and sum(at_level(level + 1).values()) <= count:
        level += 1
    keep = at_level(level)
    growing = [one for one in sizes if at_level(level + 1)[one] > keep[one]]
    for one in sorted(growing, key=lambda one: (-sizes[one], one)):
        if sum(keep.values()) < count:
            keep[one] += 1
    return keep


def _placed(
    shots: Sequence[Shot],
    items: Sequence[int],
    fixed: set[int] | frozenset[int],
    count: int,
    prefers_motion: bool,
) -> list[int]:
    """Return so many of a bucket's items: by steps, or where fixed ones leave the widest gaps."""
    held = [at for at in items if at in fixed]
    gaps: list[list[int]] = [[]]
    for at in items:
        if at in fixed:
            gaps.append([])
        else:
            gaps[-1].append(at)
    new = [0] * len(gaps)
    for _ in range(count - len(held)):
        open_ = [gap for gap in range(len(gaps)) if new[gap] < len(gaps[gap])]
        widest = max(open_, key=lambda gap: (Fraction(len(gaps[gap]), new[gap] + 1), -gap))
        new[widest] += 1
    at_step: Callable[[int, int, int], int]
    at_step = _even_between if held else _at_start
    for gap, wanted in zip(gaps, new, strict=True):
        for step in range(wanted):
            if prefers_motion:
                window = gap[step * len(gap) // wanted : (step + 1) * len(gap) // wanted]
                held.append(max(window, key=lambda at: (_moved(shots[at]), -at)))
            else:
                held.append(gap[at_step(step, len(gap), wanted)])
    return held


def _at_start(step: int, size: int, count: int) -> int:
    return step * size // count


def _even_between(step: int, size: int, count: int) -> int:
    return (step + 1) * (size + 1) // (count + 1) - 1
