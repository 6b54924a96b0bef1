"""The rule of motion, image by image, as the topic on sampling states it."""

from collections.abc import Sequence
from itertools import product
from statistics import fmean, pstdev
from typing import NamedTuple


class Shot(NamedTuple):
    """An image: its folder, when it was taken, its 9 x 8 greys and its hash, signed."""

    folder: int
    seconds: int | None
    grey: bytes | None
    dhash: int


def motions_by_the_rule(shots: Sequence[Shot]) -> list[float | None]:
    """Return the motion of each image; those of one folder follow each other, in natural order."""
    found: list[float | None] = []
    for number, shot in enumerate(shots):
        compared = [at for at in (number - 1, number + 1) if _are_near(shots, number, at)]
        if len(compared) == 1:
            inwards = compared[0] - number
            compared += _next_but_one(shots, number, inwards)
            compared += _on_the_other_side(shots, number, -inwards)
        differences = [_difference(shot, shots[at]) for at in compared]
        found.append(round(min(differences), 4) if differences else None)
    return found


def _next_but_one(shots: Sequence[Shot], number: int, step: int) -> list[int]:
    at = number + 2 * step
    return [at] if _are_near(shots, at - step, at) and _are_near(shots, number, at) else []


def _on_the_other_side(shots: Sequence[Shot], number: int, step: int) -> list[int]:
    beside = range(number + step, number + 6 * step, step)
    inside = [at for at in beside if 0 <= at < len(shots)]
    return [at for at in inside if shots[at].folder == shots[number].folder]


def _are_near(shots: Sequence[Shot], number: int, at: int) -> bool:
    return 0 <= at < len(shots) and _near(shots[number], shots[at])


def _near(one: Shot, other: Shot) -> bool:
    if one.folder != other.folder:
        return False
    if one.seconds is None or other.seconds is None:
        return True
    return abs(one.seconds - other.seconds) <= 60


def _difference(one: Shot, other: Shot) -> float:
    if one.grey is None or other.grey is None:
        most = ((one.dhash ^ other.dhash) % 2**64).bit_count() / 8
    else:
        cells = [b - a for a, b in zip(_even(one.grey), _even(other.grey), strict=True)]
        most = max(abs(cells[9 * row + column] - fmean(_around(cells, row, column)))
                   for row, column in product(range(8), range(9)))  # fmt: skip
    return most / (1 + most)


def _even(grey: bytes) -> list[float]:
    mean, spread = fmean(grey), max(pstdev(grey), 1)
    return [(cell - mean) / spread for cell in grey]


def _around(cells: Sequence[float], row: int, column: int) -> list[float]:
    return [
        cells[9 * other + beside]
        for other, beside in product(range(row - 1, row + 2), range(column - 1, column + 2))
        if 0 <= other < 8 and 0 <= beside < 9
    ]
