"""Items in batches that fit into one SQL statement."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa

Item = TypeVar("Item")

PARAMETERS = 5000  # parameters of one statement: below every database's limit


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items, the last one shorter; as itertools does from Python 3.12 on."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def has_id(column: sa.ColumnElement[int], ids: Iterable[int]) -> sa.ColumnElement[bool]:
    """Return the condition that a column has one of these numbers: of one batch at most.

    They are written into the statement: binding each as a parameter takes ten times as long.
    """
    listed = ",".join(map(str, map(int, ids)))  # so that never any text gets into a statement
    numbers = _Numbers(f"({listed or 'NULL'})", is_literal=True)
    return column.op("IN", is_comparison=True)(numbers)


class _Numbers(sa.ColumnClause[int]):
    """Numbers in a statement that SQLAlchemy does not cache: it would keep the last 500."""

    inherit_cache = False
