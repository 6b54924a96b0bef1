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

# The options that a purpose sets, unless they are given.
PURPOSES: dict[str, dict[str, Any]] = {
    "labelling": {"unit": "burst", "show": "moved", "order": "centre", "balance": ("camera",)}
}

_LISTED = 20  # paths; of a longer list only the length is recorded
_LONGEST = 100_000_000  # seconds in a burst, or minutes in an event: years


class Clock(NamedTuple):
    """Limits of bursts and events: `burst_seconds`, `burst_distance` and `event_minutes`."""

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
        How many leading bits of the hash make a bucket, 0 to 64; 0 draws an even stride of all
        images.
    order
        Which bits lead: ``"top"``, from the upper left corner on; ``"centre"``, from the picture's
        centre on; ``"even"``, the bits that split the archive most evenly and differ most; or the
        numbers of bits, from 0 (row 0, column 0) to 63 (row 7, column 7).
    prefer
        ``"motion"``: at each step of the stride, draw the image with the most motion, not the
        first.
    unit
        What is drawn: ``"image"``, ``"burst"`` (what a camera took of one moment) or ``"event"`` (a
        visit). Of a burst or event one image is drawn.
    show
        Which image of a burst or event is drawn: ``"moved"``, the one with the greatest motion;
        ``"first"``, ``"middle"`` or ``"last"``.
    burst_seconds
        The longest gap between two images of a burst, in seconds.
    burst_distance
        End a burst also at an image whose hash differs in more than this many bits, 0 to 64, from
        the burst's first. By default hashes decide only where the clock says nothing, at 10 bits.
    event_minutes
        The longest gap between two bursts of an event, in minutes.
    balance
        The kinds of strata that the sample is drawn evenly from, the outermost first: ``"camera"``,
        ``"label"``, ``"label:RANK"``, ``"folder:K"`` (the first K folders of a path), ``"day"``,
        ``"month"``, ``"hour"``, ``"night"``, ``"motion"`` (in quarters). Images without such a
        thing (no label, no time) are one stratum.
    at_most
        The most images, or bursts or events, that are drawn of each stratum: the innermost ones of
        `balance`.
    share
        Fixed shares of the sample, such as ``"label:deer=20%,fox=80%"``; all that is not named
        shares the rest.
    under
        Only images below these folders, inside an archive or around several.
    since, until
        Only images from, and up to, these EXIF times, both inclusive; a date means all of the day.
        Images without a time are left out.
    files
        Only the images of a list: paths, or the path of a file that lists them (see
        `sdindex.exchange.lists`).
    where
        Only images for which this SQL expression on the columns of ``image`` is true; it may only
        read, for 10 seconds.
    labels, not_labels
        Only images with one of these labels; no image with one of these labels. A name at a rank,
        such as ``"family:canidae"``, means all labels of that family. Methods of `sdindex.Index`
        also take `label`, `not_label` and `source`.
    sources, min_confidence
        Count only labels of these sources, and of at least this confidence, 0 to 1; a label without
        a confidence counts as 1.
    within
        Draw only from the saved sample of this name.
    extend
        Keep all images of the saved sample of this name.
    include
        Keep all images of a list, given as `files` is.
    exclude
        Draw none of these images: names of saved samples, paths of files that list images, or paths
        of images.
    review
        Apply the decisions of the review of this name: images that it kept are in the sample, and
        images that it rejected are replaced.
    rejected_by
        Only images that this observer rejected, in any review.
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
            with said_of_a_sample():
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
                Option("at_most"), " limits each stratum: give ", Option("balance"),
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
        """Where bursts and events end."""
        return Clock(self.burst_seconds, self.burst_distance, self.event_minutes)

    @property
    def quotas(self) -> Quotas | None:
        """The fixed shares, or None."""
        return None if self.share is None else quotas_of(self.share)

    @property
    def strata(self) -> tuple[Kind, ...]:
        """The kinds of strata, the outermost first; a kind with fixed shares is the outermost."""
        balanced = tuple(kind_of("balance", text) for text in self.balance)
        quotas = self.quotas
        if quotas is None or balanced[:1] == (quotas.kind,):
            return balanced
        return quotas.kind, *balanced

    @property
    def is_plain(self) -> bool:
        """Whether it draws by the plain rule, from all images, with the default bits."""
        return self == SampleOptions(
            show=self.show,
            burst_seconds=self.burst_seconds,
            burst_distance=self.burst_distance,
            event_minutes=self.event_minutes,
        )

    def to_json(self) -> str:
        """Return the options that are not at their defaults as JSON, to be stored."""
        ours, usual = asdict(self), asdict(SampleOptions())
        return json.dumps(
            {name: _plain(value) for name, value in ours.items() if value != usual[name]}
        )


def checked_options(value: object) -> SampleOptions:
    """Return the options of a sample.

    Raises
    ------
    SampleError
        When the value is no SampleOptions.
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
        raise UsageError(Option(name), f" must be a text {QUOTAS}, not {shown(value)}")
    share = text(name, value)
    quotas_of(share)  # raises where it is wrong
    return share


def _order(name: str, value: object) -> str | tuple[int, ...]:
    """Return the name of an order, or the numbers of the bits, which may be text."""
    if isinstance(value, str):
        if value in ORDERS:
            return value
        if all(number.strip().isdecimal() for number in value.split(",")):
            value = [int(number) for number in value.split(",")]
    if isinstance(value, str | bytes | Set | Mapping) or not isinstance(value, Iterable):
        raise UsageError(
            Option(name),
            f" must be {', '.join(ORDERS)}, or numbers of bits from 0 to "
            f"{HASH_BITS - 1}, such as 27,28,35,36, not {shown(value)}",
        )
    bits = tuple(whole(name, bit, 0, HASH_BITS - 1) for bit in value)
    if not bits or len(set(bits)) < len(bits):
        raise UsageError(Option(name), " has each bit once, from 0 to 63")
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


# Other names, which are those of the command line.
_SPELLINGS = {"label": "labels", "not_label": "not_labels", "source": "sources"}


def sample_options(**given: Unpack[SampleArguments]) -> SampleOptions:
    """Return the options that a caller gave, checked.

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
    """Return the given options, with the options that the purpose sets.

    Raises
    ------
    SampleError
        When there is no such purpose.
    """
    if purpose is None:
        return dict(given)
    with said_of_a_sample():
        meant = PURPOSES[choice("purpose", purpose, PURPOSES)]
    return meant | {name: value for name, value in given.items() if value is not None}
