"""Write the lists of ids of as many images as asked, and find those of a sample; a program."""

import random
import statistics
import sys
import time
from array import array
from collections.abc import Iterator
from typing import Any

from sdindex.archive.natural import sort_key
from sdindex.sampling.blocks import BUCKET_BITS, FRAME_VERSION, MEAN_IMAGES, ids_column
from sdindex.sampling.trim import trim
from sdindex.store import plain
from sdindex.store.database import Session, Store
from sdindex.store.fetching import batched
from sdindex.store.tables import archive, frame_block, frame_bucket, frame_column, utc_now

ARCHIVES = 100
COUNT = 1000
SHARES = [2.0**-number for number in range(1 << BUCKET_BITS)]  # skewed, as those of real images


def write(session: Session, images: int) -> None:
    """Write the blocks of archives that have no images: their lists of ids alone."""
    now, chance, sizes = utc_now(), random.Random(1), block_sizes(images)
    session.execute(archive.insert(), [
        {"id": number, "root": f"/data/{number}", "sort_key": sort_key(f"/data/{number}"),
         "method": "scaled", "added_at": now, "frame_version": FRAME_VERSION}
        for number in range(1, ARCHIVES + 1)
    ])  # fmt: skip
    first, number = 1, 0
    for some in batched(sizes, 64):
        blocks, buckets, columns = [], [], []
        for size in some:
            key = f"site{number:08d}/IMG_0001.JPG"
            blocks.append({
                "id": first, "archive_id": 1 + number * ARCHIVES // -(-images // MEAN_IMAGES),
                "first_key": sort_key(key), "images": size, "methods": '["scaled-1"]',
            })  # fmt: skip
            for bucket, ids in dealt(chance, first, size):
                row = {"block": first, "bucket": bucket, "images": len(ids), "first_id": ids[0]}
                buckets.append(row)
                data = {"block": first, "name": ids_column(bucket), "data": ids.tobytes()}
                columns.append(data)
            first, number = first + size, number + 1
        session.execute(frame_block.insert(), blocks)
        session.execute(frame_bucket.insert(), buckets)
        session.execute(frame_column.insert(), columns)
        session.commit()


def block_sizes(images: int) -> Iterator[int]:
    """Yield the sizes of the blocks of so many images."""
    for start in range(0, images, MEAN_IMAGES):
        yield min(MEAN_IMAGES, images - start)


def dealt(chance: random.Random, first: int, size: int) -> "Iterator[tuple[int, array[int]]]":
    """Yield the buckets of a block's images, and their ids."""
    found = chance.choices(range(1 << BUCKET_BITS), SHARES, k=size)
    listed: list[array[int]] = [array("q") for _ in SHARES]
    for image_id, bucket in enumerate(found, first):
        listed[bucket].append(image_id)
    yield from ((bucket, ids) for bucket, ids in enumerate(listed) if ids)


def seconds(store: Store) -> float:
    """Return how long the ids of a sample take."""
    with store.reading() as session:
        started = time.perf_counter()
        counts = plain.counts(session)
        ids = plain.ids_by_stride(session, counts, trim(counts.sizes(), COUNT))
        taken = time.perf_counter() - started
    if len(set(ids)) != COUNT:
        raise ValueError(f"{len(set(ids))} ids")
    return taken


def main(db: str, images: str, runs: str) -> Any:
    """Print the median of the seconds."""
    store = Store(db)
    with store.writing(create=True) as session:
        write(session, int(images))
    seconds(store)
    print(statistics.median(seconds(store) for _ in range(int(runs) or 1)))


if __name__ == "__main__":
    main(*sys.argv[1:])
