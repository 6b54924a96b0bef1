"""After any history the frame is the one that is made from nothing."""

import os
import random
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdindex import Index
from sdindex.archive.state import FileState
from sdindex.hashing.picture import ImageRead, Picture
from sdindex.sampling import blocks
from sdindex.store import database, frames, images, motion
from sdindex.store.archives import Archive
from sdindex.store.database import Session, Store
from sdindex.store.loading import load
from sdindex.store.tables import archive as archive_table
from sdindex.store.tables import (
    image,
    label,
)
from tests.conftest import make_image
from tests.store.test_frames import CHANGES, assert_right, assert_whole, made_from_nothing, stored
from tests.support.examples import examples
from tests.support.indexes import NOW, make_frames, write_index
from tests.support.plain_motion import Shot, motions_by_the_rule


class History:
    """An index to which anything may happen, below the level of files."""

    def __init__(self, db: Path, seed: int) -> None:
        self.db, self.chance = db, random.Random(seed)
        write_index(db, {"/data/b": {}, "/data/a": {}})
        with Store(db).writing() as session:
            make_frames(session)
            session.commit()
        self.archives = [Archive(1, "/data/b", "scaled"), Archive(2, "/data/a", "scaled")]

    def step(self, session: Session) -> None:
        what = self.chance.choice(
            [self.add, self.add, self.replace, self.lose, self.find, self.move, self.cameras,
             self.prune, self.without_grey, self.import_labels, self.drop_labels]
        )  # fmt: skip
        what(session, self.chance.choice(self.archives))

    def some(self, session: Session, condition: sa.ColumnElement[bool]) -> list[int]:
        ids = list(session.scalars(sa.select(image.c.id).where(condition).order_by(image.c.id)))
        return self.chance.sample(ids, min(len(ids), self.chance.randint(1, 5)))

    def read(self) -> ImageRead:
        state = FileState(1, 1, 1, 1)
        if self.chance.random() < 0.1:
            return ImageRead(state, True, NOW, error="broken")
        seconds = self.chance.randint(0, 200)
        taken = NOW.replace(microsecond=0) - timedelta(seconds=seconds) if seconds else None
        dhash = self.chance.choice([0, -1, self.chance.getrandbits(63)])
        grey = self.chance.choice([bytes(72), self.chance.randbytes(72)])
        colour = self.chance.choice([None, 0.3, 9.0])
        brightness = self.chance.choice([10.0, 100.0])
        picture = Picture(dhash, brightness, grey, colour, 640, 480, taken)
        return ImageRead(state, True, NOW, picture)

    def path(self) -> str:
        number = self.chance.randint(1, 12)
        few = number % 3
        folder = self.chance.choice(["", f"cam{number}/", f"cam{few}/", f"cam{few}/5/"])
        return f"{folder}IMG_{self.chance.randint(1, 10_000)}.JPG"

    def without_grey(self, session: Session, archive: Archive) -> None:
        """Make images such as older programs read: written straight, and noted."""
        ids = self.some(session, image.c.archive_id == archive.id)
        session.execute(image.update().where(image.c.id.in_(ids)).values(grey=None, colour=None))
        frames.note(session, image.c.id.in_(ids))

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
    frame = load(session, ["time", "folder", "camera", "method", "label", "motion", "night"])
    assert frame.times is not None
    assert frame.motions is not None
    assert frame.labels is not None
    coded = {
        name: [column.names[number] for number in column.numbers]
        for name in ("folders", "cameras", "methods", "nights")
        if (column := getattr(frame, name)) is not None
    }
    pairs = zip(frame.labels.positions, frame.labels.numbers, strict=True)
    return coded | {
        "ids": frame.ids.tolist(),
        "hashes": frame.hashes.tolist(),
        "times": frame.times.tolist(),
        "motions": frame.motions.tolist(),
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
        "motions": [
            blocks.NO_MOTION if row.motion is None else round(10_000 * row.motion) for row in rows
        ],
        "nights": [
            (row.archive_id, "night" if row.brightness < 20 or (row.colour or 9) < 1.5 else "day")
            for row in rows
        ],
        "labels": [
            (position, name)
            for position, row in enumerate(rows)
            for name in dict.fromkeys(name for _, name in sorted(named.get(row.id, [])))
        ],
    }  # fmt: skip


def motions(session: Session) -> dict[int, float | None]:
    rows = session.execute(sa.select(image.c.id, image.c.motion))
    return {row.id: row.motion for row in rows}


def motions_of_all(session: Session) -> dict[int, float | None]:
    """Return the motion of each image by the rule as it is stated, folder by folder."""
    found: dict[int, float | None] = dict.fromkeys(session.scalars(sa.select(image.c.id)))
    rows = session.execute(sa.select(image).where(frames.available()).order_by(image.c.sort_key))
    folders: dict[tuple[int, str], list[Any]] = {}
    for row in rows:
        folders.setdefault((row.archive_id, row.path.rpartition("/")[0]), []).append(row)
    for some in folders.values():
        shots = [
            Shot(0, row.taken_at and int(row.taken_at.timestamp()), row.grey, row.dhash)
            for row in some
        ]
        found |= zip((row.id for row in some), motions_by_the_rule(shots), strict=True)
    return found


@pytest.mark.parametrize("together", [2, 1 << 14])
@pytest.mark.parametrize("most", [3, 1 << 17])
def test_motion_is_by_the_rule_however_a_folder_is_read(
    db: Path, monkeypatch: pytest.MonkeyPatch, together: int, most: int
) -> None:
    monkeypatch.setattr(motion, "_TOGETHER", together)
    monkeypatch.setattr(motion, "_MOST", most)
    monkeypatch.setattr(database, "_FEW", 4)
    history = History(db, 7)
    with Store(db).writing() as session:
        for _ in range(8):
            for archive in history.archives:
                history.add(session, archive)
        make_frames(session)
        assert motions(session) == pytest.approx(motions_of_all(session), abs=1.01e-4)
        assert len(set(motions(session).values())) > 20


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
                    make_frames(session)
                    assert stored(session) == made_from_nothing(session)
                assert columns(session) == columns_by_the_rule(session)
                if history.chance.random() < 0.9:  # or it is interrupted
                    session.commit()
        with Store(history.db).writing() as session:
            make_frames(session)
            assert stored(session) == made_from_nothing(session)
            assert motions(session) == pytest.approx(motions_of_all(session), abs=1.01e-4)
            assert frames.is_current(session)


@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
