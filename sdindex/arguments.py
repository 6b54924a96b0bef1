"""The defaults of the library and the command line, and checks of what callers give.

Each check returns the value in its usual type, or raises with a line that says what is allowed.
"""

import math
import operator
import os
import re
import reprlib
from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime, timezone
from typing import IO, Any, SupportsFloat, SupportsIndex, TypeVar, cast

from sdindex.errors import Option, UsageError

DEFAULT_INDEX = "sdindex.db"
DEFAULT_WORKERS = 4
DEFAULT_TIMEOUT = 60.0  # seconds, after which reading a file is given up
DEFAULT_THUMBNAILS = 400
DEFAULT_PIXELS = 640  # pixels of a picture in a report
PIXELS = (64, 4096)
DEFAULT_SECONDS = 10.0  # seconds of a query
DEFAULT_SIMILAR = 10  # images
DEFAULT_WITHIN = 2  # bits in which near-duplicates differ at most
DEFAULT_THRESHOLD = 0.2  # MegaDetector's own "typical" one, since its version 5
DEFAULT_CLASSIFICATION_THRESHOLD = 0.5  # above it, a species is likelier than all others together
DEFAULT_COLUMN = "label"
DEFAULT_BITS = 4  # leading bits of the hash that make a bucket
DEFAULT_PAUSE = 10  # seconds at most between two images of a burst
DEFAULT_MINUTES = 30  # minutes at most between two bursts of an event
DEFAULT_DISTANCE = 10  # bits at most between an image of a burst and its first

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # a lone surrogate
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # line breaks among them
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60  # characters

Checked = TypeVar("Checked")
AnyPath = str | os.PathLike[str]


def whole(name: str, value: object, least: int | None = None, most: int | None = None) -> int:
    """Return a whole number from `least` to `most`.

    Raises
    ------
    UsageError
        When it is none; a truth value and a text are none.
    """
    number = None if isinstance(value, bool) else _index(value)
    too_small = number is None or (least is not None and number < least)
    if number is not None and not too_small and (most is None or number <= most):
        return number
    allowed = "" if least is None else f" of at least {least}"
    if most is not None:
        allowed = f" from {least} to {most}"
    raise UsageError(Option(name), f" must be a whole number{allowed}, not {shown(value)}")


def wholes(name: str, value: object) -> list[int]:
    """Return several whole numbers.

    Raises
    ------
    UsageError
        When something else is given, or among them.
    """
    if isinstance(value, str):
        raise UsageError(Option(name), f" must be whole numbers, not {shown(value)}")
    return [whole(name, each) for each in _several(name, value, "whole numbers")]


def positive(name: str, value: object) -> float:
    """Return a number of more than 0.

    Raises
    ------
    UsageError
        When it is none.
    """
    number = _number(value)
    if number is None or not number > 0:
        raise UsageError(Option(name), f" must be a number of more than 0, not {shown(value)}")
    return number


def fraction(name: str, value: object) -> float:
    """Return a number from 0 to 1.

    Raises
    ------
    UsageError
        When it is none.
    """
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise UsageError(Option(name), f" must be a number from 0 to 1, not {shown(value)}")
    return number


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """Return one of several words.

    Raises
    ------
    UsageError
        When it is none of them.
    """
    if not isinstance(value, str) or value not in allowed:
        raise UsageError(Option(name), f" must be one of {', '.join(allowed)}, not {shown(value)}")
    return value


def flag(name: str, value: object) -> bool:
    """Return a truth value.

    Raises
    ------
    UsageError
        When it is none: a text, even "no", would count as true.
    """
    if not isinstance(value, bool):
        raise UsageError(Option(name), f" must be True or False, not {shown(value)}")
    return value


def optional(check: Callable[[str, object], Checked], name: str, value: object) -> Checked | None:
    """Return None where nothing is given, else what the check returns.

    Raises
    ------
    UsageError
        As the check does.
    """
    return None if value is None else check(name, value)


def text(name: str, value: object) -> str:
    """Return a text, such as a name.

    Raises
    ------
    UsageError
        When it is none, or has half a character (a lone surrogate), which no database stores.
    """
    if not isinstance(value, str):
        raise UsageError(Option(name), f" must be a text, not {shown(value)}")
    if _HALF_CHARACTER.search(value):
        raise UsageError(Option(name), f" must be a text of whole characters, not {shown(value)}")
    return value


def title(name: str, value: object) -> str:
    """Return a name that is stored, such as a source's: not blank, and on one line.

    Raises
    ------
    UsageError
        When it is no text, is blank, or has characters that a terminal would act on.
    """
    given = text(name, value)
    if not given.strip() or _CONTROL.search(given):
        raise UsageError(Option(name), f" must be a name, on one line, not {shown(value)}")
    return given


def path(name: str, value: object) -> str:
    """Return a path as a text.

    Bytes that are no UTF-8 are lone surrogates in it, as Python's ``os`` functions give them.

    Raises
    ------
    UsageError
        When it is neither a text nor a Path, or no system has a file of such a name.
    """
    given: object = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(given, str):
        raise UsageError(Option(name), f" must be a path, as a text or a Path, not {shown(value)}")
    if "\0" in given or not _can_be_encoded(given):
        raise UsageError(Option(name), f" must be a path that a file can have, not {shown(value)}")
    return given


def texts(name: str, value: object) -> tuple[str, ...]:
    """Return one text, or each of several.

    Raises
    ------
    UsageError
        When something else is given, or among them.
    """
    given = (value,) if isinstance(value, str) else _several(name, value, "a text, or several")
    return tuple(text(name, each) for each in given)


def paths(name: str, value: object) -> tuple[str, ...]:
    """Return one path, or each of several, as texts.

    Raises
    ------
    UsageError
        When something else is given, or among them.
    """
    is_single = isinstance(value, str | os.PathLike)
    given = (value,) if is_single else _several(name, value, "a path, or several")
    return tuple(path(name, each) for each in given)


def stream(name: str, value: object) -> IO[bytes]:
    """Return a file that is open for writing bytes, or an object that can be written to like one.

    Raises
    ------
    UsageError
        When it is none, is open for text, or only for reading.
    """
    if not _takes_bytes(value):
        given = "one for text" if hasattr(value, "encoding") else shown(value)
        raise UsageError(
            Option(name),
            f" must be a file that is open for writing bytes, as by open(path, 'wb'), not {given}",
        )
    return cast("IO[bytes]", value)


def utc_offset(name: str, value: object) -> timezone:
    """Return an offset from UTC: one of Python's, or a text such as ``+02:00``, ``-0530`` or ``Z``.

    Raises
    ------
    UsageError
        When it is none, or not of whole minutes.
    """
    found = value
    if isinstance(value, str):
        try:
            found = datetime.strptime(value, "%z").tzinfo
        except ValueError:
            found = None
    if not isinstance(found, timezone) or found.utcoffset(None).total_seconds() % 60:
        raise UsageError(
            Option(name),
            f" must be an offset of whole minutes from UTC, such as +02:00 or -0530 (in "
            f"Python a datetime.timezone, too), not {shown(value)}",
        )
    return found


def function(name: str, value: object) -> Callable[..., object]:
    """Return a function, or any object that can be called.

    Raises
    ------
    UsageError
        When it is none.
    """
    if not callable(value):
        raise UsageError(Option(name), f" must be a function, not {shown(value)}")
    return value


def moment(name: str, value: object) -> date:
    """Return a date or a time of the cameras' clocks; a text is read as ISO 8601.

    A date stays a date: all of the day is meant.

    Raises
    ------
    UsageError
        When it is none, or has a time zone.
    """
    found = _parsed(value) if isinstance(value, str) else value
    if not isinstance(found, date):
        raise UsageError(
            Option(name),
            f" must be a time such as 2026-04-03 or 2026-04-03T19:59:27, not {shown(value)}",
        )
    if isinstance(found, datetime) and found.tzinfo is not None:
        raise UsageError(Option(name), " must be without a time zone, as cameras' clocks know none")
    return found


def _takes_bytes(value: Any) -> bool:
    if not callable(getattr(value, "write", None)) or hasattr(value, "encoding"):
        return False
    if getattr(value, "closed", False):
        return False
    writable = getattr(value, "writable", None)  # not every such object has this method
    return bool(writable()) if callable(writable) else True


def _parsed(value: str) -> date | None:
    for kind in (date, datetime):
        try:
            return kind.fromisoformat(value.strip())
        except ValueError:
            continue
    return None


def _index(value: object) -> int | None:
    try:
        return operator.index(value) if isinstance(value, SupportsIndex) else None
    except TypeError:  # an array of several
        return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, SupportsFloat | SupportsIndex):
        return None
    try:
        number = float(value)
    except (TypeError, OverflowError):  # an array of several, an integer of hundreds of digits
        return None
    return None if math.isnan(number) else number


def _can_be_encoded(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte
        return False
    return True


def _several(name: str, value: object, allowed: str) -> Iterable[object]:
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
        return value
    raise UsageError(Option(name), f" must be {allowed}, not {shown(value)}")


def shown(value: object) -> str:
    """Return a value as a short text of one line, for an error."""
    return " ".join(_SHOWN.repr(value).split())
