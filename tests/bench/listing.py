"""An unchanged archive of very many objects, by a server that answers a listing at once."""

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from sdindex.archive.object_root import version_number
from tests.bench.costs import in_turn, median, python, run
from tests.bench.made import camera_folders, index_of
from tests.bench.rows import Row, compared
from tests.bench.sizes import Sizes
from tests.support.bucket import Answer, Bucket, Fault, Request, serving, spoken_to

URL = "s3://bucket/a"
ETAG = '"an ETag"'
PAGE = 1000
# Takes the pages as the program does, and compares nothing.
LISTING = """
from sdindex.archive.listing import side_by_side
from sdindex.archive.object_stores import store_of
for page in side_by_side(store_of("s3", "bucket"), "a/"):
    len(page)
"""


def listing(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Bring an index of unchanged objects up to date, beside listing them alone."""
    if find_spec("s3fs") is None:
        print("(no listing: s3fs is not installed here)", file=sys.stderr)
        return
    folders = list(camera_folders(Path("a"), sizes.images))
    db = index_of(folder / "listing.db", Path("/a"), sizes.images)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE archive SET root = ?", (URL,))
        connection.execute("UPDATE image SET inode = ?", (version_number(ETAG),))
    bucket = Bucket(fault=pages(folders, sizes.images))
    with serving(bucket) as address, spoken_to(address):
        again, alone = in_turn(
            min(sizes.runs, 3),
            lambda: run(["sdindex", "--db", str(db), "index", "-q", URL]),
            lambda: run([python(), "-c", LISTING]),
        )
    if bucket.requests.keys() != {"list"}:
        sys.exit(f"an unchanged archive was read: {bucket.requests}")
    what = f"index {sizes.images:,} objects again, none of which changed"
    yield compared(what, again, "listing them alone", alone, "wall", "<= 1.5")
    yield Row(f"{what}: memory", f"{median(again, 'memory'):.0f} MB", target="<= 300 MB")


def pages(folders: Sequence[str], objects: int) -> Fault:
    """Return what answers a listing of cards' images, from one page a card that is made then."""

    def answer(request: Request) -> Answer | None:
        prefix = request.query.get("prefix", "")
        inside = [number for number, name in enumerate(folders) if f"{name}/".startswith(prefix)]
        if "delimiter" in request.query and prefix.rstrip("/") not in folders:
            at = len(prefix)
            names = sorted({folders[number][at:].partition("/")[0] for number in inside})
            entries = [
                f"<CommonPrefixes><Prefix>{prefix}{name}/</Prefix></CommonPrefixes>"
                for name in names
            ]
            return _page(entries, "")
        number = int(request.query.get("continuation-token", inside[0]))
        more = str(number + 1) if number < inside[-1] else ""
        return _page(_objects(folders[number], min(PAGE, objects - PAGE * number)), more)

    return lambda request: answer(request) if request.verb == "list" else None


def _objects(folder: str, count: int) -> list[str]:
    return [
        f"<Contents><Key>{folder}/IMG_{number:04d}.JPG</Key><Size>1</Size><ETag>{ETAG}</ETag>"
        "<LastModified>2024-01-02T03:04:05.000Z</LastModified></Contents>"
        for number in range(1, count + 1)
    ]


def _page(entries: Sequence[str], more: str) -> Answer:
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    is_cut = str(bool(more)).lower()
    body = f"<ListBucketResult><IsTruncated>{is_cut}</IsTruncated>{token}{''.join(entries)}"
    return Answer(200, f"{body}</ListBucketResult>".encode(), ("Content-Type: application/xml",))
