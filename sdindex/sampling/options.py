"""What a sample is asked to be: every option of `sdindex.Index.select`, in one place."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal, TypedDict, Unpack

from sdindex.errors import SampleError
from sdindex.sampling.bursts import DEFAULT_DISTANCE
from sdindex.sampling.trim import DEFAULT_BITS, HASH_BITS

Unit = Literal["image", "burst"]
UNITS: tuple[Unit, ...] = ("image", "burst")
FOLDER = "folder:"  # and so many of the leading folders of a path

_DEEPEST = 10_000  # folders; no path has more
_LISTED = 20  # a longer list is recorded by its length

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """How a sample is drawn, and from what.

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
        An SQL expression on the columns of ``image``.
    labels, not_labels
        Images that have one of these labels; that have none of them.
    within
        The name of a saved sample, of which this is to be a part.
    extend
        The name of a saved sample, all of which is to be in this one.
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
    within: str | None = None
    extend: str | None = None
    include: str | Sequence[str] | None = None
    exclude: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= HASH_BITS:
            raise SampleError(f"bits must be from 1 to {HASH_BITS}, not {self.bits}")
        if self.unit not in UNITS:
            raise SampleError(f"a unit is one of {', '.join(UNITS)}, not {self.unit!r}")
        if not 0 <= self.burst_distance <= HASH_BITS:
            raise SampleError(f"a distance is from 0 to {HASH_BITS}, not {self.burst_distance}")
        if any(getattr(one, "tzinfo", None) for one in (self.since, self.until)):
            raise SampleError("a camera's clock knows no time zone; give times without one")
        _folders(self.balance)  # refuses what is none

    @property
    def folders(self) -> int | None:
        """How many leading folders are balanced; None when it is not folders."""
        return _folders(self.balance)

    @property
    def is_plain(self) -> bool:
        """Whether it is the plain rule on all there is, at the default number of bits."""
        return self == SampleOptions(burst_distance=self.burst_distance)

    @property
    def fixes(self) -> bool:
        """Whether some images are to be in the sample in any case."""
        return self.extend is not None or self.include is not None

    def to_json(self) -> str:
        """Return the options that are not at their defaults, for the record."""
        ours, usual = asdict(self), asdict(SampleOptions())
        return json.dumps(
            {name: _plain(value) for name, value in ours.items() if value != usual[name]}
        )


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
    since: date | None
    until: date | None
    files: AnyPath | Iterable[AnyPath] | None
    where: str | None
    labels: str | Iterable[str]
    not_labels: str | Iterable[str]
    within: str | None
    extend: str | None
    include: AnyPath | Iterable[AnyPath] | None
    exclude: AnyPath | Iterable[AnyPath]


_LISTS = ("under", "labels", "not_labels", "exclude")  # where one thing means a list of one
_FILES = ("files", "include")  # where one thing is a file that lists many


def sample_options(**given: Unpack[SampleArguments]) -> SampleOptions:
    """Return the options of a sample from what a caller gave.

    Raises
    ------
    SampleError
        When one of them is out of range.
    """
    chosen: dict[str, Any] = dict(given)
    for name in _LISTS:
        if name in chosen:
            one_or_many = chosen[name]
            is_one = isinstance(one_or_many, str | os.PathLike)
            chosen[name] = tuple(map(os.fspath, [one_or_many] if is_one else one_or_many))
    for name in _FILES:
        if chosen.get(name) is not None:
            listed = chosen[name]
            is_file = isinstance(listed, str | os.PathLike)
            chosen[name] = os.fspath(listed) if is_file else tuple(map(os.fspath, listed))
    return SampleOptions(**chosen)
