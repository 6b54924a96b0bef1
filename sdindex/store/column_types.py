"""Checking that values have the types of their columns: SQLite stores any value in any column."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

from sdindex.store.tables import WrongValueError

_CHUNK = 1000  # rows
# The types of the driver's values, and of SQLAlchemy's. NULL passes: constraints forbid it.
_ALLOWED: dict[type, frozenset[type]] = {
    bool: frozenset([bool, int, type(None)]),
    bytes: frozenset([bytes, type(None)]),
    datetime: frozenset([datetime, str, type(None)]),
    float: frozenset([float, int, type(None)]),
    int: frozenset([int, type(None)]),
    str: frozenset([str, type(None)]),
}

Kinds = Sequence[tuple[str, frozenset[type] | None]]
Found: TypeAlias = "sa.Result[*tuple[Any, ...]]"


def kinds_of(columns: Iterable[sa.ColumnElement[Any]]) -> Kinds:
    """Return the name of each column, with the types of its values where they are known."""
    return [(str(column), _allowed(column)) for column in columns]


def require(columns: Iterable[Sequence[Any]], kinds: Kinds) -> None:
    """Refuse columns with a value of another type than theirs.

    Raises
    ------
    WrongValueError
        When there is one.
    """
    for (name, allowed), values in zip(kinds, columns, strict=False):
        if allowed is not None and not allowed.issuperset(map(type, values)):
            raise WrongValueError(f"a value of {name} is of another kind")


def checked(result: Found, columns: Iterable[sa.ColumnElement[Any]]) -> Found:
    """Return a result whose rows are checked as they are fetched.

    Raises
    ------
    WrongValueError
        When the first rows are wrong; later ones raise it when they are fetched.
    """
    kinds = kinds_of(columns)
    keys = SimpleResultMetaData(list(result.keys()))
    first = _fetched(result, kinds)
    if len(first) < _CHUNK:
        return IteratorResult(keys, iter(first))
    return IteratorResult(keys, chain(first, _remaining(result, kinds)))


def _remaining(result: Found, kinds: Kinds) -> Iterator[tuple[Any, ...]]:
    while rows := _fetched(result, kinds):
        yield from rows


def _fetched(result: Found, kinds: Kinds) -> list[tuple[Any, ...]]:
    try:
        rows = [tuple(row) for row in result.fetchmany(_CHUNK)]
    except (TypeError, ValueError) as problem:  # SQLAlchemy's error, for a text that is no time
        raise WrongValueError(str(problem)) from problem
    require(zip(*rows, strict=True), kinds)
    return rows


def _allowed(column: sa.ColumnElement[Any]) -> frozenset[type] | None:
    try:
        return _ALLOWED.get(column.type.python_type)
    except NotImplementedError:  # an expression whose type is not known
        return None


def converted(values: Iterable[Any], conversions: Iterable[Callable[[Any], Any]]) -> list[Any]:
    """Return the driver's values converted to SQLAlchemy's.

    Raises
    ------
    WrongValueError
        When one cannot be converted.
    """
    try:
        return [each(value) for each, value in zip(conversions, values, strict=False)]
    except (TypeError, ValueError) as problem:
        raise WrongValueError(str(problem)) from problem


def as_it_is(value: Any) -> Any:
    """Return a value that needs no conversion."""
    return value
