"""`Strata`: the number of each image's stratum, such as its camera, and the names."""

from collections.abc import Callable, Hashable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex.archive.names import from_text, printable
from sdindex.errors import SampleError
from sdindex.sampling.blocks import LABELS, MOTIONS, NO_MOTION, NO_TIME
from sdindex.sampling.frame import (
    NONE,
    Buckets,
    Coded,
    Frame,
    Numbers,
    by_appearance,
    days,
    main_labels,
    needed,
)
from sdindex.sampling.stratum_kinds import Kind, Quotas

_HOUR, _DAY = 3_600, 24  # seconds, hours
_NAMED = 10  # names that an error lists, at most
_QUARTERS = 4
_COLUMNS = {"folder": "folder", "camera": "camera", "label": LABELS, "motion": "motion",
            "night": "night", "day": "time", "month": "time", "hour": "time"}  # fmt: skip


class Strata(NamedTuple):
    """The number of each image's stratum, and the names of the strata, by number.

    Strata are numbered in the order in which they appear. The stratum of images without such a
    thing (no label, no time) has an empty name.
    """

    numbers: Buckets
    names: list[str]


def column_of(kind: Kind) -> str:
    """Return the column of the frame that a kind of stratum needs."""
    return _COLUMNS[kind.name]


def strata(frame: Frame, kind: Kind, ranks: Mapping[str, str] | None = None) -> Strata:
    """Return the strata of a frame's images by a kind.

    Parameters
    ----------
    ranks
        For ``label:RANK``: the name at that rank, by label.

    Raises
    ------
    SampleError
        When the kind is of labels, and no image has one.
    """
    if kind.name in _TIMES:
        return _by_time(needed(frame.times), *_TIMES[kind.name])
    if kind.name == "label":
        return _by_label(frame, kind, ranks)
    if kind.name == "motion":
        return _by_motion(frame)
    if kind.name == "night":
        return _coded(frame, frame.nights, lambda name: name[1:])
    if kind.name == "folder":
        depth = kind.folders
        return _coded(
            frame, frame.folders, lambda name: (name[0], "/".join(name[1].split("/")[:depth]))
        )
    return _coded(frame, frame.cameras, lambda name: name)


def shared(found: Strata, quotas: Quotas, images: str) -> tuple[Strata, dict[str, int]]:
    """Return strata in which each name with a fixed share is one, and their numbers by name.

    So cameras, or folders, of the same name in several archives become one.

    Raises
    ------
    SampleError
        When no image has one of the names; `images` says, for the error, which images.
    """
    numbers: dict[str, int] = {}
    of_stratum = []
    for at, name in enumerate(found.names):
        of_stratum.append(numbers.setdefault(name, at) if name in quotas.percent else at)
    for name in quotas.percent:
        if name not in numbers:
            there = [printable(other) for other in dict.fromkeys(found.names) if other]
            listed = ", ".join(there[:_NAMED]) + (", ..." if len(there) > _NAMED else "")
            raise SampleError(
                f"no image {images} has the {quotas.kind} {printable(name)!r}; there are: "
                f"{listed or 'none'}"
            )
    joined: Buckets = np.array(of_stratum, found.numbers.dtype)[found.numbers]
    return Strata(joined, found.names), numbers


def _coded(
    frame: Frame, column: Coded | None, key: Callable[[tuple[int, str]], tuple[Any, ...]]
) -> Strata:
    """Return the strata of a column by a key of its names, whose last item is the name."""
    if column is None:  # such as nights of an older index
        return Strata(np.zeros(len(frame), np.uint8), [""])
    numbers: dict[Hashable, int] = {}
    of_name = [numbers.setdefault(key(name), len(numbers)) for name in column.names]
    names = [from_text(name[-1]) for name in map(key, column.names)]
    named = dict(zip(of_name, names, strict=True))
    return _appearing(np.array(of_name, np.int32)[column.numbers], len(named), named.__getitem__)


def _by_label(frame: Frame, kind: Kind, ranks: Mapping[str, str] | None) -> Strata:
    labels = needed(frame.labels)
    if not labels.names:
        raise SampleError(
            f"no image has a label, which {kind} needs; import some first: "
            "sdindex labels import FILE"
        )
    known = labels.names if ranks is None else [ranks.get(name, "") for name in labels.names]
    numbers: dict[str, int] = {"": 0}
    of_label = [0, *(numbers.setdefault(name, len(numbers)) for name in known)]
    main = main_labels(labels, len(frame)) - NONE
    return _appearing(np.array(of_label, np.int32)[main], len(numbers), [*numbers].__getitem__)


def _by_motion(frame: Frame) -> Strata:
    if frame.motions is None:
        return Strata(np.zeros(len(frame), np.uint8), [""])
    quarter = np.minimum(frame.motions, MOTIONS - 1) // np.uint16(MOTIONS // _QUARTERS)
    quarter[frame.motions == NO_MOTION] = _QUARTERS
    return _appearing(quarter, _QUARTERS + 1, ["1", "2", "3", "4", ""].__getitem__)


def _by_time(
    times: Numbers, part: Callable[[Numbers], Numbers], name: Callable[[int], str]
) -> Strata:
    """Return strata by a part of the time, as `part` gives it; `name` names it."""
    is_dated = times != NO_TIME
    parts = part(times)
    least = int(parts[is_dated].min()) - 1 if is_dated.any() else 0
    parts -= least
    parts[~is_dated] = 0
    kinds = int(parts.max(initial=0)) + 1
    return _appearing(parts, kinds, lambda number: name(number + least) if number else "")


def _months(times: Numbers) -> Numbers:
    return days(times).astype("M8[D]").astype("M8[M]").astype(np.int64)


def _hours(times: Numbers) -> Numbers:
    return times // _HOUR % _DAY


def _day_name(day: int) -> str:
    return str(date(1970, 1, 1) + timedelta(days=day))


def _month_name(month: int) -> str:
    return f"{1970 + month // 12:04d}-{month % 12 + 1:02d}"


_TIMES: dict[str, tuple[Callable[[Numbers], Numbers], Callable[[int], str]]] = {
    "day": (days, _day_name),
    "month": (_months, _month_name),
    "hour": (_hours, "{:02d}".format),
}


def _appearing(numbers: NDArray[Any], kinds: int, name: Callable[[int], str]) -> Strata:
    """Return strata in the order of their appearance, given a name for each of the numbers."""
    renumbered = by_appearance(numbers, kinds)
    first = np.zeros(int(renumbered.max(initial=0)) + 1 if len(numbers) else 0, np.int64)
    first[renumbered[::-1]] = numbers[::-1]
    return Strata(renumbered, [*map(name, first.tolist())])
