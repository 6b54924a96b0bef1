"""Write an index of any size straight into its tables, or change one; run as a program."""

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sdindex.archive.cameras import camera_of
from sdindex.archive.natural import sort_key
from sdindex.archive.state import FileState
from sdindex.store import frames
from sdindex.store.database import Store
from sdindex.store.fetching import has_id
from sdindex.store.images import frame_up_to_date
from sdindex.store.tables import archive, image, utc_now
from tests.bench.made import camera_folders


def write_index(db: str, root: Path, images: int) -> None:
    """Write an index of images in camera folders, in bursts of three, its buckets skewed."""
    chance = random.Random(1)
    with Store(db).writing(create=True) as session:
        session.execute(archive.insert(), {
            "id": 1, "root": str(root), "sort_key": sort_key(str(root)), "method": "scaled",
            "added_at": utc_now(),
        })  # fmt: skip
        for number, folder in enumerate(camera_folders(root, images)):
            count = min(1000, images - 1000 * number)
            session.execute(image.insert(), list(rows(chance, root, folder, count)))
            session.commit()  # what is not, is in memory
        frame_up_to_date(session)
        session.commit()


def rows(chance: random.Random, root: Path, folder: str, count: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a card's images: the images of a burst are nearly the same."""
    now, there = utc_now(), root.exists()
    for file in range(count):
        if file % 3 == 0:
            burst = min(15, int(chance.expovariate(0.5))) << 60 | chance.getrandbits(60)
        location = f"{folder}/IMG_{file + 1:04d}.JPG"
        path = location.removeprefix(f"{root}/")
        state = FileState.of(os.stat(location)) if there else FileState(1, 1, 1, 1)
        pattern = burst ^ 1 << chance.randrange(60)
        yield {
            "archive_id": 1, "path": path, **state._asdict(), "settled": True,
            "dhash": pattern - (1 << 64) if pattern >> 63 else pattern, "method": "scaled-1",
            "sort_key": sort_key(path), "taken_at": now, "width": 2048, "height": 1536,
            "brightness": 100.0, "indexed_at": now, "camera": camera_of(path),
            "grey": chance.randbytes(72), "colour": 9.0,
        }  # fmt: skip


def keep_frame(db: str, what: str) -> None:
    """Bring the frame of an index up to date: made `anew`, or after the index was made to `grow`.

    Anything else leaves the index as it is.
    """
    with Store(db).writing() as session:
        for archive_id, root in session.execute(sa.select(archive.c.id, archive.c.root)).all():
            session.hold(archive_id, root)
        if what == "anew":
            frames.forget(session, 1)
        elif what == "grow":
            root = str(session.scalar(sa.select(archive.c.root)))
            number = (session.scalar(sa.select(sa.func.max(image.c.id))) or 0) + 1
            folder = f"{root}/site0000/added{number}"
            session.execute(image.insert(), list(rows(random.Random(2), Path(root), folder, 1000)))
            frames.note(session, has_id(image.c.id, range(number, number + 1000)))
        frame_up_to_date(session)
        session.commit()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        keep_frame(sys.argv[1], sys.argv[2])
    else:
        write_index(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
