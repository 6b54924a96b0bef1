"""Every option of `sdindex.Index.select`, with its default and its check."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from datetime import time as time_of_day
from functools import partial
from typing import Any, Literal, NamedTuple, TypedDict, Unpack

from sdindex.arguments import (
    DEFAULT_BITS,
    DEFAULT_DISTANCE,
    AnyPath,
    choice,
    fraction,
    moment,
    path,
    paths,
    text,
    texts,
    whole,
)
from sdindex.errors import SampleError, UsageError
from sdindex.hashing.bits import HASH_BITS

Unit = Literal["image", "burst"]
UNITS: tuple[Unit, ...] = ("image", "burst")
FOLDER = "folder:"  # and so many of the leading folders of a path

_DEEPEST = 10_000  # folders; no path has more
_LISTED = 20  # a longer list is recorded by its length


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """How a sample is drawn, and from what.

    One text or path may be given where several are meant, and a time as ISO 8601.

    Attributes
    ----------
    bits
        Leading bits of the hash that make a bucket, 1 to 64.
    unit
        ``"image"``, or ``"burst"``: images next to each other in one folder, each at most
        `burst_distance` bits from the burst's first; its middle image stands for it.
    balance
        ``"camera"``, ``"label"``, or ``"folder:K"`` for the first K folders of a path: each
        gets as even a share as there is, and the buckets within it.
    under
        Folders, inside an archive or around several.
    since, until
        EXIF times, both inclusive; a date means all of that day. Images without a time are
        left out.
    files
        The images of a list: paths, or a file of them (see `sdindex.exchange.lists`).
    where
        An SQL expression on the columns of ``image``, which may only read, for 10 seconds.
    labels, not_labels
        Images that have one of these labels, or labels of a rank such as ``"family:canidae"``;
        that have none of them. Where `sdindex.Index`
        takes options, `label` and `not_label` mean the same.
    sources, min_confidence
        Listen to labels of these sources alone, and of at least this confidence, 0 to 1; one
        without a confidence is as sure as 1.
    within
        Draw only from the saved sample of this name.
    extend
        Keep all images of the saved sample of this name.
    include
        Images to be in it in any case: a list, as `files`.
    exclude
        Names of saved samples, or files of paths, whose images are not to be in it.
    """

    bits: int = DEFAULT_BITS
    unit: Unit = "image"
    burst_distance: int = DEFAULT_DISTANCE
    balance: str | None = None
    under: Sequence[str] = ()
    since: date | None = None
    until: date | None = None
    files: str | Sequence[str] | None = None
    where: str | None = None
    labels: Sequence[str] = ()
    not_labels: Sequence[str] = ()
    sources: Sequence[str] = ()
    min_confidence: float | None = None
    within: str | None = None
    extend: str | None = None
    include: str | Sequence[str] | None = None
    exclude: Sequence[str] = ()

    def __post_init__(self) -> None:
        with _said_of_a_sample():
            for name, check in _CHECKS.items():
                value, usual = getattr(self, name), getattr(SampleOptions, name)
                none = value is None and usual in (None, ())  # not given
                object.__setattr__(self, name, usual if none else check(name, value))
        if self.since and self.until and _first(self.since) > _last(self.until):
            raise SampleError(
                f"since {self.since} is after until {self.until}: no time lies between them"
            )

    @property
    def folders(self) -> int | None:
        """How many leading folders are balanced; None when it is not folders."""
        return _folders(self.balance)

    @property
    def is_plain(self) -> bool:
        """Whether it is the plain rule on all there is, at the default number of bits."""
        return self == SampleOptions(burst_distance=self.burst_distance)

    def to_json(self) -> str:
        """Return the options that are not at their defaults, for the record."""
        ours, usual = asdict(self), asdict(SampleOptions())
        return json.dumps(
            {name: _plain(value) for name, value in ours.items() if value != usual[name]}
        )


class Share(NamedTuple):
    """A share of the images that pass the filters, in percent: more than 0, at most 100."""

    percent: float

    def of(self, images: int) -> int:
        """Return how many images that is, and at least one."""
        return max(1, round(images * self.percent / 100))


Count = int | Share


def sample_count(count: object) -> Count:
    """Return how many images a sample is to have: so many, or a share such as ``"10%"``.

    Raises
    ------
    SampleError
        When it is neither a whole number of at least 1 nor a share up to 100%.
    """
    if isinstance(count, str) and count.rstrip().endswith("%"):
        try:
            percent = float(count.rstrip().removesuffix("%"))
        except ValueError:
            percent = 0.0
        if not 0 < percent <= 100:
            raise SampleError(f"a share is more than 0% and at most 100%, not {count!r}")
        return Share(percent)
    with _said_of_a_sample():
        return whole("count", count, 1)


def images_wanted(count: Count, images: int) -> int:
    """Return how many of so many images a count asks for; it may be more than there are."""
    return count.of(images) if isinstance(count, Share) else count


@contextmanager
def _said_of_a_sample() -> Iterator[None]:
    try:
        yield
    except UsageError as problem:
        raise SampleError(str(problem)) from problem


def _first(time: date) -> datetime:
    return time if isinstance(time, datetime) else datetime.combine(time, time_of_day.min)


def _last(time: date) -> datetime:
    return time if isinstance(time, datetime) else datetime.combine(time, time_of_day.max)


def _balance(name: str, value: object) -> str:
    balance = text(name, value)
    _folders(balance)  # refuses what is none
    return balance


def _list(name: str, value: object) -> str | tuple[str, ...]:
    """Return the file that lists images, or their paths."""
    is_file = isinstance(value, str | os.PathLike)
    return path(name, value) if is_file else paths(name, value)


_CHECKS: dict[str, Callable[[str, object], object]] = {
    "bits": partial(whole, least=1, most=HASH_BITS),
    "unit": partial(choice, allowed=UNITS),
    "burst_distance": partial(whole, least=0, most=HASH_BITS),
    "balance": _balance,
    "under": paths,
    "since": moment,
    "until": moment,
    "files": _list,
    "where": text,
    "labels": texts,
    "not_labels": texts,
    "sources": texts,
    "min_confidence": fraction,
    "within": text,
    "extend": text,
    "include": _list,
    "exclude": paths,
}


def _folders(balance: str | None) -> int | None:
    if balance in (None, "camera", "label"):
        return None
    number = str(balance).removeprefix(FOLDER)
    if not str(balance).startswith(FOLDER) or not number.isdecimal() or not int(number):
        raise SampleError(
            f"balance is camera, label, or folder:K with K from 1 on, not {balance!r}"
        )
    return min(int(number), _DEEPEST)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and len(value) > _LISTED:
        return f"{len(value):,} paths"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


class SampleArguments(TypedDict, total=False):
    """The options as a caller gives them: see `SampleOptions`."""

    bits: int
    unit: Unit
    burst_distance: int
    balance: str | None
    under: AnyPath | Iterable[AnyPath]
    since: date | str | None
    until: date | str | None
    files: AnyPath | Iterable[AnyPath] | None
    where: str | None
    labels: str | Iterable[str]
    label: str | Iterable[str]
    not_labels: str | Iterable[str]
    not_label: str | Iterable[str]
    sources: str | Iterable[str]
    source: str | Iterable[str]
    min_confidence: float | None
    within: str | None
    extend: str | None
    include: AnyPath | Iterable[AnyPath] | None
    exclude: AnyPath | Iterable[AnyPath]


# As the command line has them.
_SPELLINGS = {"label": "labels", "not_label": "not_labels", "source": "sources"}


def sample_options(**given: Unpack[SampleArguments]) -> SampleOptions:
    """Return the options of a sample from what a caller gave.

    Raises
    ------
    SampleError
        When one of them is not known, or out of range.
    """
    chosen: dict[str, Any] = {}
    for name, value in given.items():
        full = _SPELLINGS.get(name, name)
        if full not in _CHECKS:
            raise SampleError(f"there is no option {name!r}; the options are {', '.join(_CHECKS)}")
        if full in chosen:
            raise SampleError(f"give {full} once; without the s it is the same option")
        chosen[full] = value
    return SampleOptions(**chosen)
