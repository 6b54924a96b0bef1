"""Looking up images by the thousand: what was asked for is not kept."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sdindex.store.database import Session, Store
from sdindex.store.fetching import has_id
from sdindex.store.lookup import ids_at
from sdindex.store.tables import image
from tests.support.indexes import write_index

ASKED = 1000  # at once
ROUNDS = 20  # SQLite's driver keeps the last 16 statements prepared


@pytest.fixture
def session(db: Path) -> Iterator[Session]:
    write_index(db, {"/data/archive": {"a.jpg": 1}})
    with Store(db).reading() as session:
        yield session


def by_path(session: Session, number: int) -> None:
    wanted = ((1, f"{number}/{at}{'x' * 100}") for at in range(ASKED))
    assert ids_at(session, [(1, "a.jpg"), *wanted]) == {(1, "a.jpg"): 1}


def by_id(session: Session, number: int) -> None:
    ids = range(number * 100_000 + 1, number * 100_000 + ASKED)
    list(session.rows(sa.select(image.c.path).where(has_id(image.c.id, ids))))


@pytest.mark.parametrize("look_up", [by_path, by_id])
def test_what_was_looked_up_is_not_kept(
    session: Session, look_up: Callable[[Session, int], None]
) -> None:
    """Also where Python's collector does not come to it, as among many older objects."""
    gc.disable()
    tracemalloc.start()
    try:
        for number in range(ROUNDS):
            look_up(session, number)
        before, _ = tracemalloc.get_traced_memory()
        for number in range(ROUNDS, 2 * ROUNDS):
            look_up(session, number)
        more = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert more < 10 * ASKED * ROUNDS, f"{more:,} bytes are kept"
