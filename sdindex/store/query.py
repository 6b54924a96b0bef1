"""`Answer`: the answer to a user's SQL query, whatever the database."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Called with the reason when a query cannot be stopped.
WhenStuck = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a query: the names of its columns, and its rows as they come."""

    columns: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


def stopped(seconds: float) -> str:
    """Return the error's text for a query whose time is up."""
    return f"the query was stopped after {seconds:g} s; ask for less, or give sql a --timeout"
