"""Reading by many: shards that are merged, and engines beside the program's own processes."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from sdindex.archive.cameras import CAMERA_RULE
from sdindex.archive.natural import SORT_RULE, sort_key
from sdindex.archive.shards import Shard, shard_number
from sdindex.store.database import Session, Store
from sdindex.store.images import frame_up_to_date
from sdindex.store.tables import archive, image, utc_now
from tests.bench.costs import in_turn, python, run
from tests.bench.indexes import rows
from tests.bench.made import camera_folders, make_image
from tests.bench.rows import Row, compared
from tests.bench.sizes import Sizes

# Does no more than copy the rows, into the same table with the same indexes.
COPY = """
import sqlite3, sys
new, *shards = sys.argv[1:]
with sqlite3.connect(shards[0]) as first:
    made = first.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'image' AND sql NOT NULL")
    statements = [sql for sql, in made]
connection = sqlite3.connect(new, isolation_level=None)
for statement in statements:
    connection.execute(statement)
names = [row[1] for row in connection.execute("PRAGMA table_info(image)") if row[1] != "id"]
columns = ", ".join(names)
for shard in shards:
    connection.execute("ATTACH ? AS shard", (shard,))
    connection.execute(f"INSERT INTO image ({columns}) SELECT {columns} FROM shard.image")
    connection.execute("DETACH shard")
"""


def merging(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Merge the indexes of shards, beside SQLite that copies their rows."""
    shards = write_shards(folder / "shards", folder / "absent", sizes.images, sizes.shards)
    merged, copied = folder / "merged.db", folder / "copied.db"
    merge = ["sdindex", "--db", str(merged), "merge", "-q", *shards]
    ours, theirs = in_turn(
        sizes.runs,
        lambda: run(merge, fresh=merged),
        lambda: run([python(), "-c", COPY, str(copied), *shards], fresh=copied),
    )
    what = f"merge {sizes.shards} shards of {sizes.images:,} images"
    yield compared(what, ours, "SQLite, copying their rows", theirs, "wall", "<= 3")
    again, _ = in_turn(sizes.runs, lambda: run(merge), lambda: run(["true"]))
    yield compared("merge them again", again, "the first merge", ours, "wall", "<= 1")


def write_shards(folder: Path, root: Path, images: int, shards: int) -> list[str]:
    """Write the indexes of all shards of an archive that is not there; return their names."""
    folder.mkdir()
    chance = random.Random(1)
    names = [folder / f"{number}.db" for number in range(1, shards + 1)]
    with ExitStack() as stack:
        sessions = [stack.enter_context(Store(name).writing(create=True)) for name in names]
        for number, session in enumerate(sessions, 1):
            _add_archive(session, root, Shard(number, shards))
        for number, camera in enumerate(camera_folders(root, images)):
            own = defaultdict(list)
            for row in rows(chance, root, camera, min(1000, images - 1000 * number)):
                own[shard_number(row["path"], shards)].append(row)
            for shard, some in own.items():
                sessions[shard - 1].execute(image.insert(), some)
        for session in sessions:
            frame_up_to_date(session)
            session.commit()
    return list(map(str, names))


def _add_archive(session: Session, root: Path, shard: Shard) -> None:
    now = utc_now()
    session.execute(archive.insert(), {
        "id": 1, "root": str(root), "sort_key": sort_key(str(root)), "method": "scaled",
        "added_at": now, "updated_at": now, "shard": str(shard), "camera_rule": CAMERA_RULE,
        "sort_rule": SORT_RULE,
    })  # fmt: skip


def engines(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Read through a Dask cluster of this machine, beside two processes of the program's own."""
    small = folder / "small"
    make_image(folder / "small.jpg", (448, 336))
    _link(small, [folder / "small.jpg"], sizes.far * 2)
    archives = [("images of 50 KB", small, "<= 1.25")]
    if pictures := sorted(sizes.pictures.rglob("*.JPG")):
        # So many that the start of Dask, which takes half a second, counts for little.
        _link(folder / "engines-originals", pictures, sizes.originals * 8)
        archives.append(("originals of 8 megapixels", folder / "engines-originals", "<= 1.05"))
    for what, files, target in archives:
        db = folder / "engines.db"
        index = ["sdindex", "--db", str(db), "index", "-q", "--workers", "2", str(files)]
        through, own = in_turn(
            min(sizes.runs, 3),
            partial(run, [*index, "--dask", "local"], fresh=db),
            partial(run, index, fresh=db),
        )
        name = f"index {len(list(files.iterdir())):,} {what} through Dask on this machine"
        yield compared(name, through, "2 processes of its own", own, "wall", target)


def _link(folder: Path, files: Sequence[Path], count: int) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"IMG_{number:05d}.JPG").symlink_to(files[number % len(files)])
