"""Store batches of new images, as `index` does; run as a program."""

import random
import sys

import sqlalchemy as sa

from sdindex.archive.state import FileState
from sdindex.hashing.picture import ImageRead, Picture
from sdindex.indexing.ingest import BATCH_FILES
from sdindex.store import archives, images
from sdindex.store.database import Store
from sdindex.store.tables import image, utc_now


def store(db: str, batches: int) -> None:
    """Store so many batches behind those that the index has."""
    chance = random.Random(1)
    with Store(db).writing(create=True) as session:
        known = archives.all_archives(session)
        archive = known[0] if known else archives.insert(session, "/data/storing", "scaled")
        stored = session.scalar(sa.select(sa.func.count()).select_from(image)) or 0
        for start in range(stored, stored + batches * BATCH_FILES, BATCH_FILES):
            images.add(session, archive, {
                f"site/camera{number // 1000:05d}/IMG_{number:08d}.JPG": _read(chance)
                for number in range(start, start + BATCH_FILES)
            })  # fmt: skip
            session.commit()
        session.commit()


def _read(chance: random.Random) -> ImageRead:
    now = utc_now()
    picture = Picture(
        dhash=chance.getrandbits(64) - (1 << 63), brightness=100.0, grey=chance.randbytes(72),
        colour=9.0, width=2048, height=1536, taken_at=now,
    )  # fmt: skip
    return ImageRead(FileState(1, 1, 1, 1), True, now, picture)


if __name__ == "__main__":
    store(sys.argv[1], int(sys.argv[2]))
