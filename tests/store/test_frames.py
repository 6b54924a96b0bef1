"""The order that is kept is never stale: a sample is right after any interruption."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdindex import Index
from sdindex.sampling.options import SampleOptions
from sdindex.store import frames, selection
from sdindex.store.database import Store
from tests.conftest import make_image
from tests.indexing.test_update import Unplugging
from tests.store.test_selection import names


def is_kept(db: Path) -> bool:
    with Store(db).reading() as connection:
        return bool(frames.kept(connection))


def drawn_anew(db: Path, count: int) -> list[tuple[str, str]]:
    """Draw from the images themselves, whatever order is kept."""
    store = Store(db)
    with pytest.MonkeyPatch.context() as patch, store.reading() as connection:
        patch.setattr(selection, "kept", lambda _: [])
        return names(selection.select(connection, count, SampleOptions()))


def assert_right(index: Index, db: Path) -> None:
    for count in (1, 5, 8, 100):
        assert names(index.select(count)) == drawn_anew(db, count)


def test_it_is_kept_and_used_after_an_update(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    assert is_kept(db)
    assert_right(index, db)
    with Store(db).writing() as connection:
        connection.execute(sa.text("UPDATE sampling_position SET image_id = 1"))
        connection.commit()
    assert len(index.select(5)) == 1, "it is what a sample is drawn from"


Change = Callable[[Path], object]
CHANGES: dict[str, Change] = {
    "added": lambda archive: make_image(archive / "cam0/new.jpg", 99),
    "edited": lambda archive: make_image(archive / "cam0/IMG_1.JPG", 98),
    "deleted": lambda archive: (archive / "cam0/IMG_3.JPG").unlink(),
    "renamed": lambda archive: (archive / "cam0").rename(archive / "zzz"),
    "broken": lambda archive: (archive / "cam0/IMG_1.JPG").write_bytes(b""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_in_it(
    index: Index, archive: Path, db: Path, threads: Executor, name: str
) -> None:
    index.update(archive, executor=threads)
    before = names(index.select(100))
    CHANGES[name](archive)
    index.update(archive, executor=threads)
    assert is_kept(db)
    assert_right(index, db)
    assert names(index.select(100)) != before or name == "edited"


def test_what_came_back_is_in_it(index: Index, archive: Path, db: Path, threads: Executor) -> None:
    index.update(archive, executor=threads)
    away = archive.parent / "away.jpg"
    (archive / "cam0/IMG_1.JPG").rename(away)
    index.update(archive, executor=threads)
    away.rename(archive / "cam0/IMG_1.JPG")
    index.update(archive, executor=threads)
    assert len(index.select(100)) == 12
    assert_right(index, db)


def test_an_unchanged_run_leaves_it_alone(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    with Store(db).writing() as connection:
        connection.execute(sa.text("UPDATE sampling_position SET image_id = 1"))
        connection.commit()
    index.update(archive, executor=threads)
    assert len(index.select(5)) == 1, "it was not made anew"


def test_after_an_interruption_a_sample_is_right(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    for seed in range(300):
        make_image(archive / "more" / f"{seed}.png", seed, size=(9, 8))
    (archive / "cam0/IMG_1.JPG").unlink()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(archive, executor=Unplugging(290, interrupt))
    assert not is_kept(db)
    assert_right(index, db)
    assert len(index.select(9999)) == 11 + 256
    index.update(archive, executor=threads)
    assert is_kept(db)
    assert_right(index, db)


def test_two_archives_that_change_places(
    index: Index, archive: Path, db: Path, tmp_path: Path, threads: Executor
) -> None:
    shutil.copytree(archive, tmp_path / "b")
    index.update(archive, tmp_path / "b", executor=threads)
    archive.rename(tmp_path / "c")
    index.relocate(archive, tmp_path / "c")
    assert is_kept(db)
    assert_right(index, db)
    assert Path(index.select(1)[0].archive).name == "b"
    index.prune(tmp_path / "b")
    assert_right(index, db)
    assert len(index.select(100)) == 12


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=4, unique=True))
def test_any_history_leaves_it_right(
    tmp_path_factory: pytest.TempPathFactory, changes: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    for seed in range(12):
        make_image(folder / "archive" / f"cam{seed % 2}" / f"IMG_{seed + 1}.JPG", seed)
    with Index(folder / "sdindex.db") as index:
        index.update(folder / "archive", workers=1)
        for name in changes:
            if os.path.isdir(folder / "archive/cam0"):
                (folder / "archive/cam0/IMG_1.JPG").touch()
                CHANGES[name](folder / "archive")
            index.update(folder / "archive", workers=1)
            assert_right(index, folder / "sdindex.db")


def test_a_sample_takes_a_bounded_number_of_statements(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    counted = []
    for count in (2, 12):
        statements: list[str] = []

        def note(*given: object, statements: list[str] = statements) -> None:
            statements.append(str(given[2]))

        store = Store(db)
        with store.reading() as connection:
            sa.event.listen(connection.connection, "before_cursor_execute", note)
            selection.select(connection, count, SampleOptions())
        counted.append(len(statements))
        assert not [one for one in statements if "count(" in one.lower()]
    assert counted[0] == counted[1] <= 4
