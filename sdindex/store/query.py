"""The answer to a query from outside, whatever database gives it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# What is called when a query cannot be stopped, with the reason.
WhenStuck = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a query: the names of its columns, and its rows as they come."""

    columns: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


def stopped(seconds: float) -> str:
    """Return what is said of a query whose time is up."""
    return f"the query was stopped after {seconds:g} s; ask for less, or give sql a --timeout"
