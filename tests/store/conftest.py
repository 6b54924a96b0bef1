"""Indexes that several tests of the store ask."""

import random
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path

import pytest

from sdindex import Index
from tests.support.indexes import add, write_index


@pytest.fixture
def cameras(db: Path) -> Path:
    """Three cameras of 60, 12 and 4 images, each in bursts of four that look alike."""
    write_index(db, {"/data/archive": {}})
    chance = random.Random(7)
    for camera, images in {"cam1": 60, "cam2": 12, "cam10": 4}.items():
        for burst in range(images // 4):
            dhash = chance.getrandbits(63) - chance.getrandbits(63)
            day = datetime(2026, 4, 1 + burst, 12, 30)  # noqa: DTZ001
            add(
                db,
                {f"{camera}/DCIM/100RECNX/IMG_{4 * burst + n}.JPG": dhash ^ n for n in range(4)},
                taken_at=day,
            )
    return db


@pytest.fixture
def filled(index: Index, archive: Path, threads: Executor) -> Index:
    index.update(archive, executor=threads)
    return index
