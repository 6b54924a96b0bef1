"""Options spelled for the command line: one option, or the whole command that draws a sample."""

import shlex
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from sdindex.sampling.idle import idle
from sdindex.sampling.options import SampleOptions

# What the command line calls otherwise.
_FLAGS = {
    "file": "FILE",
    "files": "--from",
    "form": "--format",
    "labels": "--label",
    "name": "NAME",
    "new": "NEW",
    "not_labels": "--not-label",
    "old": "OLD",
    "purpose": "--for",
    "query": "QUERY",
    "seconds": "--timeout",
    "sources": "--source",
}


def flag(option: str) -> str:
    """Return an option of the library as the command line spells it, such as ``--at-most``."""
    return _FLAGS.get(option, "--" + option.replace("_", "-"))


def command(db: str, count: int, options: SampleOptions, *more: str) -> str:
    """Return the command line that draws a sample, quoted for this system; no `db`, no ``--db``."""
    index = ["--db", db] if db else []
    words = spelled(options, but=idle(options, with_bursts="--save" in more))
    return quoted(["sdindex", *index, "select", "-n", str(count), *words, *more])


def quoted(words: Sequence[str]) -> str:
    """Return the words of a command line, quoted for this system."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def spelled(options: SampleOptions, *, but: Collection[str] = ()) -> list[str]:
    """Return the words of a command line for the options that are not at their defaults.

    `but` names options to leave out.
    """
    return [
        word
        for field in fields(SampleOptions)
        if field.name not in but
        and (value := getattr(options, field.name)) != getattr(SampleOptions, field.name)
        for given in _given(field.name, value)
        for word in (flag(field.name), given)
    ]


def _given(name: str, value: Any) -> Iterator[str]:
    """Yield the values of an option, one for each time that it is given."""
    if isinstance(value, date):
        yield value.isoformat()
    elif isinstance(value, tuple) and name == "order":
        yield ",".join(map(str, value))
    elif isinstance(value, tuple):
        yield from map(str, value)
    else:
        yield str(value)
