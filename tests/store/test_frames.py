"""The frame that is kept is never stale, and is at any time the one made from nothing."""

import shutil
from array import array
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sdindex import Index, IndexUnusableError, SampleError
from sdindex.archive.natural import sort_key
from sdindex.sampling import blocks
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.sample import draw
from sdindex.store import frames, sampled, selection
from sdindex.store.candidates import candidates
from sdindex.store.database import Session, Store
from sdindex.store.loading import load
from sdindex.store.tables import archive as archive_table
from sdindex.store.tables import (
    frame_block,
    frame_bucket,
    frame_change,
    frame_column,
    image,
)
from tests.conftest import make_image
from tests.indexing.test_unplugged import Unplugging
from tests.store.test_selection import names
from tests.support.indexes import make_frames, write_index

State = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MEAN_IMAGES", 4)


def is_current(db: Path) -> bool:
    with Store(db).reading() as session:
        return frames.is_current(session)


def stored(session: Session) -> State:
    """Return all that is kept of the frame, and the motion of images."""
    tables = {
        table.name: [tuple(row) for row in session.execute(sa.select(table).order_by(*table.c))]
        for table in (frame_block, frame_bucket, frame_column, frame_change)
    }
    moved = session.execute(sa.select(image.c.id, image.c.motion).order_by(image.c.id))
    return tables | {"motion": [tuple(row) for row in moved]}


def made_from_nothing(session: Session) -> State:
    """Return what would be kept if it were made anew; nothing changes."""
    with session.connection.begin_nested() as nested:
        for archive_id in session.scalars(sa.select(archive_table.c.id)).all():
            frames.forget(session, archive_id)
        session.execute(image.update().values(motion=None))
        make_frames(session)
        found = stored(session)
        nested.rollback()
    return found


def assert_whole(db: Path) -> None:
    """Check what is kept against the frame that is made from nothing."""
    with Store(db).writing() as session:
        assert stored(session) == made_from_nothing(session)


def assert_right(index: Index, db: Path) -> None:
    """Check samples from the counts of buckets against those from the images' columns."""
    store = Store(db)
    for count in (1, 5, 8, 100):
        with store.reading() as session:
            found = candidates(session, SampleOptions())
            drawn = draw(found, count).positions
            ids = found.frame.ids[drawn].tolist()
            expected = names(sampled.by_id(session, ids, range(4)))
        assert names(index.select(count)) == expected


def test_it_is_kept_and_used_after_an_update(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    assert is_current(db)
    assert_whole(db)
    assert_right(index, db)
    with Store(db).writing() as session:
        one = blocks._packed(array("q", [1] * 12))
        session.execute(frame_column.update().where(frame_column.c.name != "hash").values(data=one))
        session.commit()
    assert len({one.path for one in index.select(5)}) == 1, "it is what a sample is drawn from"


Change = Callable[[Path], object]
CHANGES: dict[str, Change] = {
    "added": lambda archive: make_image(archive / "cam0/new.jpg", 99),
    "edited": lambda archive: make_image(archive / "cam0/IMG_1.JPG", 98),
    "deleted": lambda archive: (archive / "cam0/IMG_3.JPG").unlink(),
    "renamed": lambda archive: (archive / "cam0").rename(archive / "zzz"),
    "broken": lambda archive: (archive / "cam0/IMG_1.JPG").write_bytes(b""),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.usefixtures("small_blocks")
def test_every_change_is_in_it(
    index: Index, archive: Path, db: Path, threads: Executor, name: str
) -> None:
    index.update(archive, executor=threads)
    before = names(index.select(100))
    CHANGES[name](archive)
    index.update(archive, executor=threads)
    assert is_current(db)
    assert_whole(db)
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
    assert_whole(db)


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
    assert not is_current(db)
    assert_right(index, db)
    assert len(index.select(9999)) == 11 + 256
    assert sum(one.images for one in index.buckets()) == 11 + 256
    with index.sql("SELECT sum(images) FROM bucket") as answer:
        assert list(answer.rows) == [(11 + 256,)]
    index.update(archive, executor=threads)
    assert is_current(db)
    assert_whole(db)
    assert_right(index, db)


def test_an_update_by_another_method_that_is_under_way_mixes_no_hashes(
    index: Index, archive: Path, threads: Executor
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    for seed in range(300):
        make_image(archive / "more" / f"{seed}.png", seed, size=(9, 8))
    with pytest.raises(KeyboardInterrupt):
        index.update(archive, executor=Unplugging(290, interrupt))
    assert index.similar(archive / "cam0/IMG_1.JPG", every=True)
    index.update(archive, executor=threads)
    with pytest.raises(KeyboardInterrupt):
        index.update(archive, executor=Unplugging(290, interrupt), method="exact")
    for unit in ("image", "burst"):
        with pytest.raises(
            SampleError, match=r"do not mix in one sample \(\d+ exact-1, \d+ scaled"
        ):
            index.select(20, unit=unit)
    with pytest.raises(SampleError, match="hashes of several methods"):
        index.duplicates(3)
    index.update(archive, executor=threads, method="exact")
    assert index.select(20, unit="burst")


def test_two_archives_that_change_places(
    index: Index, archive: Path, db: Path, tmp_path: Path, threads: Executor
) -> None:
    shutil.copytree(archive, tmp_path / "b")
    index.update(archive, tmp_path / "b", executor=threads)
    with Store(db).reading() as session:
        before = stored(session)
    archive.rename(tmp_path / "c")
    index.relocate(archive, tmp_path / "c")
    with Store(db).reading() as session:
        assert stored(session) == before, "an archive's frame knows nothing of its root"
    assert is_current(db)
    assert_right(index, db)
    assert Path(index.select(1)[0].archive).name == "b"
    index.prune(tmp_path / "b")
    assert_whole(db)
    assert len(index.select(100)) == 12


def test_the_bucket_view_is_what_the_images_say(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    with index.sql("SELECT bucket, images, first_path FROM bucket ORDER BY bucket") as answer:
        found = list(answer.rows)
    assert found == [(one.bucket, one.images, one.first_path) for one in index.buckets()]


def test_writers_of_one_archive_leave_the_other_alone(
    index: Index, archive: Path, db: Path, tmp_path: Path, threads: Executor
) -> None:
    shutil.copytree(archive, tmp_path / "b")
    index.update(archive, tmp_path / "b", executor=threads)
    written = sa.select(frame_block.c.id).where(frame_block.c.archive_id == 2)
    with Store(db).writing() as session:
        session.execute(frame_block.update().where(frame_block.c.archive_id == 2).values(images=7))
        session.commit()
    make_image(archive / "cam1/new.jpg", 99)
    index.update(archive, executor=threads)
    with Store(db).reading() as session:
        assert session.execute(written).all()
        other = frame_block.c.archive_id == 2
        assert set(session.scalars(sa.select(frame_block.c.images).where(other))) == {7}


def test_natural_order_is_that_of_the_key(db: Path) -> None:
    paths = ["cam10/IMG_2.JPG", "cam2/IMG_10.JPG", "cam2/IMG_9.JPG", "cam02/IMG_9.JPG"]
    write_index(db, {"/data": dict.fromkeys(paths, 0)})
    with Store(db).reading() as session:
        ids = load(session).ids.tolist()
    assert [paths[row - 1] for row in ids] == sorted(paths, key=sort_key)


@pytest.mark.parametrize("name", ["hash", "ids-", "time", "folder", "camera", "label"])
def test_a_flipped_bit_is_damage(
    index: Index, archive: Path, db: Path, threads: Executor, name: str
) -> None:
    index.update(archive, executor=threads)
    with Store(db).writing() as session:
        column = sa.type_coerce(frame_column.c.data, sa.LargeBinary)  # with its sum
        named = frame_column.c.name.like(f"{name}%")
        data: bytes = session.scalars(sa.select(column).where(named)).all()[0]
        flipped = sa.literal(data[:8] + b"\7" + data[9:], sa.LargeBinary)
        session.execute(frame_column.update().where(named).values(data=flipped))
        session.commit()
    with pytest.raises(IndexUnusableError, match="damaged"):
        index.quality(5, unit="burst", since="2000-01-01")
    if name in ("time", "camera"):
        with pytest.raises(IndexUnusableError, match="damaged"):
            index.cameras()


def test_a_column_that_is_gone_is_damage(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    with Store(db).writing() as session:
        session.execute(frame_column.delete().where(frame_column.c.name == "hash"))
        session.commit()
    with pytest.raises(IndexUnusableError, match="damaged"):
        index.select(5, bits=5)


def test_a_hash_that_is_gone_is_damage(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    with Store(db).writing() as session:
        session.execute(image.update().values(dhash=None).where(image.c.id == 3))
        session.commit()
    with pytest.raises(IndexUnusableError, match="damaged"):
        index.select(12)


def test_a_plain_sample_takes_few_statements_and_no_column(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    counted = []
    for count in (2, 12):
        statements: list[str] = []

        def listen(*given: object, statements: list[str] = statements) -> None:
            statements.append(str(given[2]))

        with Store(db).reading() as session:
            sa.event.listen(session.connection, "before_cursor_execute", listen)
            selection.select(session, count, SampleOptions())
        counted.append(len(statements))
        assert not [one for one in statements if "count(" in one.lower()]
    assert max(counted) <= 8 + 16, "one for each bucket at most"
