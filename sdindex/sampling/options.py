"""Every option of `sdindex.Index.select`, with its default and its check."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import date, datetime
from datetime import time as time_of_day
from functools import partial
from typing import Any, Literal, NamedTuple, TypedDict, Unpack

from sdindex.arguments import (
    DEFAULT_BITS,
    DEFAULT_MINUTES,
    DEFAULT_PAUSE,
    AnyPath,
    choice,
    fraction,
    moment,
    path,
    paths,
    shown,
    text,
    texts,
    whole,
)
from sdindex.errors import Option, SampleError, UsageError
from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.count import said_of_a_sample
from sdindex.sampling.stratum_kinds import QUOTAS, Kind, Quotas, kind_of, quotas_of

Unit = Literal["image", "burst", "event"]
UNITS: tuple[Unit, ...] = ("image", "burst", "event")
Show = Literal["moved", "first", "middle", "last"]
SHOWN: tuple[Show, ...] = ("moved", "first", "middle", "last")
Order = Literal["top", "centre", "even"]
ORDERS: tuple[Order, ...] = ("top", "centre", "even")
PREFERRED = ("motion",)

# What is meant by what a sample is for, as far as it is not said otherwise.
PURPOSES: dict[str, dict[str, Any]] = {
    "labelling": {"unit": "burst", "show": "moved", "order": "centre", "balance": ("camera",)}
}

_LISTED = 20  # a longer list is recorded by its length
_LONGEST = 100_000_000  # seconds in a burst, or minutes in an event: years


class Clock(NamedTuple):
    """How bursts and events are told: see `SampleOptions`."""

    seconds: int = DEFAULT_PAUSE
    distance: int | None = None
    minutes: int = DEFAULT_MINUTES


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """How a sample is drawn, and from what.

    One text or path may be given where several are meant, and a time as ISO 8601.

    Attributes
    ----------
    bits
        Leading bits of the hash that make a bucket, 0 to 64; 0 is an even stride of all.
    order
        Which bits lead: ``"top"``, from the upper left corner on; ``"centre"``, from the
        picture's centre on; ``"even"``, those that split the archive most evenly and differ most;
        or their numbers, of which 0 is row 0, column 0, and 63 row 7, column 7.
    prefer
        ``"motion"`` takes the most moved image of each step of the stride, not its first.
    unit
        ``"image"``; ``"burst"``, what a camera took of one moment; or ``"event"``, a visit.
    show
        Which image stands for a burst or event: ``"moved"``, the one with the greatest motion;
        ``"first"``, ``"middle"`` or ``"last"``.
    burst_seconds
        The longest gap within a burst.
    burst_distance
        Let a burst also end where an image is more than so many bits from its first. Without
        it, looks count only where the clock says nothing: at 10 bits.
    event_minutes
        The longest gap within an event.
    balance
        What the sample is shared evenly among, the outermost first: ``"camera"``, ``"label"``,
        ``"label:RANK"``, ``"folder:K"`` for the first K folders of a path, ``"day"``,
        ``"month"``, ``"hour"``, ``"night"``, ``"motion"`` (in quarters). Images without it are
        one part.
    at_most
        So many images, or units, of each part at most: of the innermost of `balance`.
    share
        Fixed parts of the sample, such as ``"label:deer=20%,fox=80%"``; what is not named
        shares the rest.
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
        Names of saved samples, files of paths, or paths of images, which are not to be in it.
    review
        As the review of this name decided: what it kept is in the sample, and what it rejected is
        replaced.
    rejected_by
        Only images that this observer rejected, in whichever review.
    """

    bits: int = DEFAULT_BITS
    order: Order | Sequence[int] = "top"
    prefer: str | None = None
    unit: Unit = "image"
    show: Show = "moved"
    burst_seconds: int = DEFAULT_PAUSE
    burst_distance: int | None = None
    event_minutes: int = DEFAULT_MINUTES
    balance: Sequence[str] = ()
    at_most: int | None = None
    share: str | None = None
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
    review: str | None = None
    rejected_by: str | None = None

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            value, usual = getattr(self, name), getattr(SampleOptions, name)
            with said_of_a_sample(name):
                object.__setattr__(self, name, usual if value is None else check(name, value))
        self._refuse_what_contradicts()

    def _refuse_what_contradicts(self) -> None:
        if self.since and self.until and _first(self.since) > _last(self.until):
            raise SampleError(
                Option("since"), f" {self.since} is after ", Option("until"),
                f" {self.until}: no time lies between them",
            )  # fmt: skip
        if not isinstance(self.order, str) and len(self.order) < self.bits:
            raise SampleError(
                Option("order"), f" has {len(self.order)} bits, fewer than ", Option("bits"),
                f" asks for: {self.bits}; give as many, or fewer bits",
            )  # fmt: skip
        if len(set(self.balance)) < len(self.balance):
            raise SampleError(Option("balance"), f" has the same twice: {', '.join(self.balance)}")
        if self.at_most is not None and not self.strata:
            raise SampleError(
                Option("at_most"), " is of each stratum: give ", Option("balance"),
                ", too, such as camera",
            )  # fmt: skip
        quotas = self.quotas
        if quotas is not None and quotas.kind in self.strata[1:]:
            raise SampleError(
                Option("share"), f" is of the outermost strata: give {quotas.kind} as the first ",
                Option("balance"), ", or not at all",
            )  # fmt: skip

    @property
    def clock(self) -> Clock:
        """How bursts and events are told."""
        return Clock(self.burst_seconds, self.burst_distance, self.event_minutes)

    @property
    def quotas(self) -> Quotas | None:
        """What is shared in fixed parts, if anything."""
        return None if self.share is None else quotas_of(self.share)

    @property
    def strata(self) -> tuple[Kind, ...]:
        """What is balanced, the outermost first; what has fixed shares is."""
        balanced = tuple(kind_of("balance", text) for text in self.balance)
        quotas = self.quotas
        if quotas is None or balanced[:1] == (quotas.kind,):
            return balanced
        return quotas.kind, *balanced

    @property
    def is_plain(self) -> bool:
        """Whether it is the plain rule on all there is, at the default number of bits."""
        return self == SampleOptions(
            show=self.show,
            burst_seconds=self.burst_seconds,
            burst_distance=self.burst_distance,
            event_minutes=self.event_minutes,
        )

    def to_json(self) -> str:
        """Return the options that are not at their defaults, for the record."""
        ours, usual = asdict(self), asdict(SampleOptions())
        return json.dumps(
            {name: _plain(value) for name, value in ours.items() if value != usual[name]}
        )


def checked_options(value: object) -> SampleOptions:
    """Return the options of a sample.

    Raises
    ------
    SampleError
        When they are none.
    """
    if isinstance(value, SampleOptions):
        return value
    raise SampleError(
        "options must be sdindex.SampleOptions, such as SampleOptions(balance='camera'), not "
        f"{shown(value)}"
    )


def _first(time: date) -> datetime:
    return time if isinstance(time, datetime) else datetime.combine(time, time_of_day.min)


def _last(time: date) -> datetime:
    return time if isinstance(time, datetime) else datetime.combine(time, time_of_day.max)


def _balance(name: str, value: object) -> tuple[str, ...]:
    return tuple(str(kind_of(name, given)) for given in texts(name, value))


def _share(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} must be a text {QUOTAS}, not {shown(value)}")
    share = text(name, value)
    quotas_of(share)  # refuses what is none
    return share


def _order(name: str, value: object) -> str | tuple[int, ...]:
    """Return the name of an order, or the numbers of the bits, which may be text."""
    if isinstance(value, str):
        numbers = value.split(",")
        if value in ORDERS:
            return value
        if all(number.strip().isdecimal() for number in numbers):
            value = [int(number) for number in numbers]
    if isinstance(value, str | bytes | Set | Mapping) or not isinstance(value, Iterable):
        raise UsageError(
            f"{name} must be {', '.join(ORDERS)}, or numbers of bits from 0 to {HASH_BITS - 1}, "
            f"such as 27,28,35,36, not {shown(value)}"
        )
    bits = tuple(whole(name, bit, 0, HASH_BITS - 1) for bit in value)
    if not bits or len(set(bits)) < len(bits):
        raise UsageError(f"{name} has each bit once, from 0 to 63")
    return bits


def _list(name: str, value: object) -> str | tuple[str, ...]:
    """Return the file that lists images, or their paths."""
    is_file = isinstance(value, str | os.PathLike)
    return path(name, value) if is_file else paths(name, value)


_CHECKS: dict[str, Callable[[str, object], object]] = {
    "bits": partial(whole, least=0, most=HASH_BITS),
    "order": _order,
    "prefer": partial(choice, allowed=PREFERRED),
    "unit": partial(choice, allowed=UNITS),
    "show": partial(choice, allowed=SHOWN),
    "burst_seconds": partial(whole, least=0, most=_LONGEST),
    "burst_distance": partial(whole, least=0, most=HASH_BITS),
    "event_minutes": partial(whole, least=0, most=_LONGEST),
    "balance": _balance,
    "at_most": partial(whole, least=1),
    "share": _share,
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
    "review": text,
    "rejected_by": text,
}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and len(value) > _LISTED:
        return f"{len(value):,} paths"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


class SampleArguments(TypedDict, total=False):
    """The options as a caller gives them: see `SampleOptions`."""

    purpose: str | None
    bits: int | None
    order: str | Iterable[int] | None
    prefer: str | None
    unit: Unit | None
    show: Show | None
    burst_seconds: int | None
    burst_distance: int | None
    event_minutes: int | None
    balance: str | Iterable[str] | None
    at_most: int | None
    share: str | None
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
    review: str | None
    rejected_by: str | None


# As the command line has them.
_SPELLINGS = {"label": "labels", "not_label": "not_labels", "source": "sources"}


def sample_options(**given: Unpack[SampleArguments]) -> SampleOptions:
    """Return the options of a sample from what a caller gave.

    Raises
    ------
    SampleError
        When one of them is not known, or out of range.
    """
    purpose = given.pop("purpose", None)
    chosen: dict[str, Any] = {}
    for name, value in given.items():
        full = _SPELLINGS.get(name, name)
        if full not in _CHECKS:
            known = ", ".join(["purpose", *_CHECKS])
            raise SampleError(f"there is no option {name!r}; the options are {known}")
        if full in chosen:
            raise SampleError(f"give {full} once; without the s it is the same option")
        chosen[full] = value
    return SampleOptions(**for_purpose(purpose, chosen))


def for_purpose(purpose: object, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, and what the purpose of a sample says of others.

    Raises
    ------
    SampleError
        When there is no such purpose.
    """
    if purpose is None:
        return dict(given)
    with said_of_a_sample("purpose"):
        meant = PURPOSES[choice("purpose", purpose, PURPOSES)]
    return meant | {name: value for name, value in given.items() if value is not None}
