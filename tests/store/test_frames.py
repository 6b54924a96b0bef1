"""The frame that is kept is never stale, and is at any time the one made from nothing."""

import os
import random
import shutil
from array import array
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdindex import Index, IndexUnusableError
from sdindex.archive.natural import sort_key
from sdindex.archive.state import FileState
from sdindex.hashing.picture import ImageRead, Picture
from sdindex.sampling import blocks
from sdindex.sampling.options import SampleOptions
from sdindex.store import frames, images, sampled, selection
from sdindex.store.archives import Archive
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
    label,
)
from tests.conftest import make_image
from tests.indexing.test_update import Unplugging
from tests.store.test_selection import NOW, names, write_index

State = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MEAN_IMAGES", 4)


def is_current(db: Path) -> bool:
    with Store(db).reading() as session:
        return frames.is_current(session)


def stored(session: Session) -> State:
    """Return all that is kept of the frame."""
    return {
        table.name: [tuple(row) for row in session.execute(sa.select(table).order_by(*table.c))]
        for table in (frame_block, frame_bucket, frame_column, frame_change)
    }


def made_from_nothing(session: Session) -> State:
    """Return what would be kept if it were made anew; nothing changes."""
    with session.connection.begin_nested() as nested:
        for archive_id in session.scalars(sa.select(archive_table.c.id)).all():
            frames.forget(session, archive_id)
        frames.bring_up_to_date(session)
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
            drawn = selection.drawn_from(found, count, SampleOptions()).positions
            ids = found.frame.ids[drawn].tolist()
            expected = names(sampled.by_id(session, ids, 4, {}))
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
    written = sa.text("SELECT rowid FROM frame_block WHERE archive_id = 2")
    with Store(db).writing() as session:
        session.execute(frame_block.update().where(frame_block.c.archive_id == 2).values(images=7))
        session.commit()
    make_image(archive / "cam1/new.jpg", 99)
    index.update(archive, executor=threads)
    with Store(db).reading() as session:
        assert session.execute(written).all()
        other = frame_block.c.archive_id == 2
        assert set(session.scalars(sa.select(frame_block.c.images).where(other))) == {7}


class History:
    """An index to which anything may happen, below the level of files."""

    def __init__(self, db: Path, seed: int) -> None:
        self.db, self.chance = db, random.Random(seed)
        write_index(db, {"/data/b": {}, "/data/a": {}})
        with Store(db).writing() as session:
            frames.bring_up_to_date(session)
            session.commit()
        self.archives = [Archive(1, "/data/b", "scaled"), Archive(2, "/data/a", "scaled")]

    def step(self, session: Session) -> None:
        what = self.chance.choice(
            [self.add, self.add, self.replace, self.lose, self.find, self.move, self.cameras,
             self.prune, self.import_labels, self.drop_labels]
        )  # fmt: skip
        what(session, self.chance.choice(self.archives))

    def some(self, session: Session, condition: sa.ColumnElement[bool]) -> list[int]:
        ids = list(session.scalars(sa.select(image.c.id).where(condition).order_by(image.c.id)))
        return self.chance.sample(ids, min(len(ids), self.chance.randint(1, 5)))

    def read(self) -> ImageRead:
        state = FileState(1, 1, 1, 1)
        if self.chance.random() < 0.1:
            return ImageRead(state, True, NOW, error="broken")
        day = self.chance.randint(0, 28)
        taken = NOW.replace(microsecond=0) - timedelta(days=day) if day else None
        dhash = self.chance.choice([0, -1, self.chance.getrandbits(63)])
        return ImageRead(state, True, NOW, Picture(dhash, 100.0, bytes(72), 9.0, 640, 480, taken))

    def path(self) -> str:
        return f"cam{self.chance.randint(1, 12)}/IMG_{self.chance.randint(1, 10_000)}.JPG"

    def add(self, session: Session, archive: Archive) -> None:
        known = set(session.scalars(sa.select(image.c.path)))
        paths = {self.path() for _ in range(self.chance.randint(1, 12))} - known
        images.add(session, archive, {path: self.read() for path in sorted(paths)})

    def replace(self, session: Session, archive: Archive) -> None:
        ids = self.some(session, image.c.archive_id == archive.id)
        images.replace(session, archive, {row: self.read() for row in ids})

    def lose(self, session: Session, archive: Archive) -> None:
        images.set_missing(session, self.some(session, image.c.archive_id == archive.id), NOW)

    def find(self, session: Session, _: Archive) -> None:
        images.set_back(session, self.some(session, image.c.missing_since.is_not(None)))

    def move(self, session: Session, archive: Archive) -> None:
        known = set(session.scalars(sa.select(image.c.path)))
        moves = {
            path: row
            for row in self.some(session, image.c.archive_id == archive.id)
            if (path := self.path()) not in known
        }
        images.move(session, archive, [(row, path) for path, row in moves.items()])

    def cameras(self, session: Session, archive: Archive) -> None:
        pattern = self.chance.choice([r"(cam\d)", r"(\d)", None])
        images.find_cameras(session, archive._replace(camera_pattern=pattern))
        archive_of = archive_table.c.id == archive.id
        session.execute(archive_table.update().where(archive_of).values(camera_pattern=pattern))
        self.archives = [
            one._replace(camera_pattern=pattern) if one.id == archive.id else one
            for one in self.archives
        ]

    def prune(self, session: Session, _: Archive) -> None:
        images.delete_missing(session)

    def import_labels(self, session: Session, _: Archive) -> None:
        ids = self.some(session, sa.true())
        rows = [
            {"image_id": row, "source": "me", "label": self.chance.choice(["deer", "fox"]),
             "confidence": self.chance.choice([None, 0.3, 0.9])}
            for row in ids
        ]  # fmt: skip
        if rows:
            session.execute(label.insert(), rows)
        frames.forget_labels(session, ids)

    def drop_labels(self, session: Session, _: Archive) -> None:
        ids = self.some(session, image.c.id.in_(sa.select(label.c.image_id)))
        session.execute(label.delete().where(label.c.image_id.in_(ids)))
        frames.forget_labels(session, ids)


def columns(session: Session) -> dict[str, Any]:
    """Return the frame as a reader sees it, as plain values."""
    frame = load(session, ["time", "folder", "camera", "method", "label"])
    assert frame.times is not None
    assert frame.labels is not None
    coded = {
        name: [column.names[number] for number in column.numbers]
        for name in ("folders", "cameras", "methods")
        if (column := getattr(frame, name)) is not None
    }
    pairs = zip(frame.labels.positions, frame.labels.numbers, strict=True)
    return coded | {
        "ids": frame.ids.tolist(),
        "hashes": frame.hashes.tolist(),
        "times": frame.times.tolist(),
        "labels": [(int(position), frame.labels.names[number]) for position, number in pairs],
    }


def columns_by_the_rule(session: Session) -> dict[str, Any]:
    """Return the same from the tables, in the order of the images' natural keys."""
    rows = session.execute(
        sa.select(image)
        .join(archive_table, archive_table.c.id == image.c.archive_id)
        .where(frames.available())
        .order_by(archive_table.c.sort_key, image.c.sort_key)
    ).all()
    named: dict[int, list[tuple[float, str]]] = {}
    for row in session.execute(sa.select(label).where(label.c.label.is_not(None))):
        sure = 1.0 if row.confidence is None else row.confidence
        named.setdefault(row.image_id, []).append((-sure, row.label))
    return {
        "ids": [row.id for row in rows],
        "hashes": [row.dhash % 2**64 for row in rows],
        "times": [
            row.taken_at.replace(tzinfo=UTC).timestamp() if row.taken_at else blocks.NO_TIME
            for row in rows
        ],
        "folders": [(row.archive_id, row.path.rpartition("/")[0]) for row in rows],
        "cameras": [(row.archive_id, row.camera) for row in rows],
        "methods": [(row.archive_id, row.method) for row in rows],
        "labels": [
            (position, name)
            for position, row in enumerate(rows)
            for name in dict.fromkeys(name for _, name in sorted(named.get(row.id, [])))
        ],
    }  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.integers(2, 8), st.integers(5, 25))
def test_after_any_history_it_is_the_one_made_from_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, mean: int, steps: int
) -> None:
    history = History(tmp_path_factory.mktemp("history") / "sdindex.db", seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MEAN_IMAGES", mean)
        patch.setattr(frames, "_MOST_CHANGED", history.chance.choice([0, 1, 8]))
        for _ in range(steps):
            with Store(history.db).writing() as session:
                history.step(session)
                if history.chance.random() < 0.5:
                    frames.bring_up_to_date(session)
                    assert stored(session) == made_from_nothing(session)
                assert columns(session) == columns_by_the_rule(session)
                if history.chance.random() < 0.9:  # or it is interrupted
                    session.commit()
        with Store(history.db).writing() as session:
            frames.bring_up_to_date(session)
            assert stored(session) == made_from_nothing(session)
            assert frames.is_current(session)


def test_natural_order_is_that_of_the_key(db: Path) -> None:
    paths = ["cam10/IMG_2.JPG", "cam2/IMG_10.JPG", "cam2/IMG_9.JPG", "cam02/IMG_9.JPG"]
    write_index(db, {"/data": dict.fromkeys(paths, 0)})
    with Store(db).reading() as session:
        ids = load(session).ids.tolist()
    assert [paths[row - 1] for row in ids] == sorted(paths, key=sort_key)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=4, unique=True))
def test_any_history_of_files_leaves_it_right(
    tmp_path_factory: pytest.TempPathFactory, changes: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    for seed in range(12):
        make_image(folder / "archive" / f"cam{seed % 2}" / f"IMG_{seed + 1}.JPG", seed)
    with Index(folder / "sdindex.db") as index, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MEAN_IMAGES", 3)
        index.update(folder / "archive", workers=1)
        for name in changes:
            if os.path.isdir(folder / "archive/cam0"):
                (folder / "archive/cam0/IMG_1.JPG").touch()
                CHANGES[name](folder / "archive")
            index.update(folder / "archive", workers=1)
            assert_whole(folder / "sdindex.db")
            assert_right(index, folder / "sdindex.db")


@pytest.mark.parametrize("name", ["hash", "ids-", "time", "folder", "camera", "label"])
def test_a_flipped_bit_is_damage(
    index: Index, archive: Path, db: Path, threads: Executor, name: str
) -> None:
    index.update(archive, executor=threads)
    with Store(db).writing() as session:
        flip = sa.text(
            "UPDATE frame_column SET data = CAST(substr(data, 1, 8) || x'07' || substr(data, 10) "
            "AS BLOB) WHERE name LIKE :name"
        )
        session.execute(flip, {"name": f"{name}%"})
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
