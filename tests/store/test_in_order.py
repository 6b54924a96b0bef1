"""All images of an archive, read folder by folder, are in the order that a database sorts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdindex.archive.natural import folder_key, sort_key
from sdindex.store import in_order
from sdindex.store.database import Session, Store
from sdindex.store.frames import available
from sdindex.store.tables import archive, image
from tests.support.examples import examples
from tests.support.indexes import NOW

# Numbers written in two ways, accents in two forms, a number of 47 digits (whose length is the
# byte of a slash), and names that begin with a folder's.
NAMES = ["a", "a1", "a01", "a2", "a10", "1", "01", "\u00e9", "e\u0301", "a ", "a.", "a" + "1" * 47]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)


@pytest.fixture(params=[(0, 1 << 17, 1), (0, 1 << 17, 5), (0, 3, 5), (2, 1 << 17, 5)])
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit in zip(("_FEWEST", "_MOST", "_TOGETHER"), request.param, strict=True):
        monkeypatch.setattr(in_order, name, limit)


def write(session: Session, paths: list[str]) -> None:
    session.execute(image.delete())
    session.execute(archive.delete())
    for number in (1, 2):
        root = f"/data/{number}"
        session.execute(archive.insert().values(
            id=number, root=root, sort_key=sort_key(root), method="scaled", added_at=NOW
        ))  # fmt: skip
    for number, path in enumerate(paths):
        session.execute(image.insert().values(
            archive_id=2 if number % 5 == 4 else 1, path=path, size=1, mtime_ns=1, ctime_ns=1,
            inode=1, settled=True, dhash=None if number % 7 == 6 else number, method="scaled-1",
            sort_key=sort_key(path), indexed_at=NOW, camera="",
        ))  # fmt: skip


@pytest.fixture
def session(db: Path) -> Iterator[Session]:
    with Store(db).writing(create=True) as session:
        yield session


@pytest.mark.usefixtures("limits")
@given(st.lists(PATHS, max_size=40, unique=True))
@settings(
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_it_is_natural_order(session: Session, paths: list[str]) -> None:
    write(session, paths)
    wanted = sa.select(image.c.path, image.c.sort_key).where(available())
    expected = sorted(path for path in wanted_paths(session, wanted.where(image.c.archive_id == 1)))
    found = [path for some in in_order.in_order(session, 1, wanted) for path in some[0]]
    assert sorted(found) == expected
    assert found == sorted(found, key=sort_key)


def wanted_paths(session: Session, statement: sa.Select[tuple[str, bytes]]) -> list[str]:
    return [row[0] for row in session.execute(statement)]


@given(PATHS, PATHS)
def test_keys_begin_with_that_of_their_folder_alone(folder: str, path: str) -> None:
    assert sort_key(f"{folder}/{path}").startswith(folder_key(folder))
    key = folder_key(folder)
    inside = any(
        folder_key("/".join(path.split("/")[:depth])) == key for depth in range(path.count("/") + 1)
    )
    assert sort_key(path).startswith(key) == inside
    assert sort_key(path).startswith(folder_key(""))


@pytest.mark.parametrize("rule", [1, 2])
def test_the_database_sorts_where_the_keys_are_of_another_rule(
    session: Session, monkeypatch: pytest.MonkeyPatch, rule: int
) -> None:
    monkeypatch.setattr(in_order, "_FEWEST", 0)
    monkeypatch.setattr(in_order, "_TOGETHER", 1)
    monkeypatch.setattr(in_order, "SORT_RULE", rule)
    write(session, ["b/1", "b/2", "a/1"])
    for key, path in enumerate(["b/1", "a/1", "b/2"]):
        session.execute(image.update().where(image.c.path == path).values(sort_key=bytes([key, 0])))
    wanted = sa.select(image.c.path, image.c.sort_key).where(available())
    found = [path for some in in_order.in_order(session, 1, wanted) for path in some[0]]
    assert found == (["b/1", "a/1", "b/2"] if rule == 2 else ["a/1", "b/1", "b/2"])


@given(st.lists(PATHS, min_size=1, max_size=40))
@settings(max_examples=examples(100))
def test_paths_in_their_order_have_runs_of_folders(paths: list[str]) -> None:
    paths.sort(key=str.encode)
    runs = in_order.runs_of_folders(paths)
    found = [folder for folder, images in runs for _ in range(images)]
    assert found == [path[: len(path) - len(path.split("/")[-1])] for path in paths]
