"""An index in a PostgreSQL database beside one in a file, and how it grows with the archives."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.bench.costs import Cost, in_turn, median, python, run
from tests.bench.made import index_of, make_tree
from tests.bench.rows import Row, compared
from tests.bench.selecting import GIVEN, label_cards
from tests.bench.sizes import Sizes
from tests.support import servers

IMPORTS = "import click, sqlalchemy, psycopg"
BATCHES = 200  # of 256 images
AN_ORDER = 10  # times as many images as there are: of these the ids alone are stored
# All archives but the first are copies of it.
MORE = """
INSERT INTO archive (root, sort_key, method, added_at, camera_rule, sort_rule)
    SELECT root || '-{n}', sort_key || '-{n}', method, added_at, camera_rule, sort_rule
    FROM archive WHERE id = 1;
INSERT INTO image (archive_id, {columns})
    SELECT (SELECT max(id) FROM archive), {columns} FROM image WHERE archive_id = 1 ORDER BY path;
"""
WRITTEN = (
    "SELECT count(*) FROM frame_column JOIN frame_block ON frame_block.id = block "
    "WHERE archive_id <> 1 AND frame_column.xmin::text::bigint >= {since}"
)


def postgresql(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Measure both, and more archives, on a server of its own that loses nothing."""
    if why := servers.missing():
        print(f"not measured: {why}", file=sys.stderr)
        return
    with servers.running(durable=True) as server:
        url, tree = server.database(), folder / "shared"
        make_tree(tree, sizes.images)
        file = str(index_of(folder / "shared.db", tree, sizes.images))
        run(["sdindex", "copy", file, url])
        server.run("VACUUM ANALYZE", url)
        yield from _beside(folder, sizes, tree, (url, file), server.database())
        yield from _frame(sizes, server, url, 1)
        if sizes.archives > 1:
            yield from _grown(folder, sizes, server, url)
        yield _ids(sizes, server.database())


def _beside(
    folder: Path, sizes: Sizes, tree: Path, both: tuple[str, str], new: str
) -> Iterator[Row]:
    """Do the same with an index in a database, and in a file."""
    count = str(min(1000, sizes.images // 2))
    select = ["select", "-n", count]
    for what, given, target in (
        ("index when nothing changed, of", ["index", "-q", str(tree)], "1.3"),
        (f"select -n {count} of", select, "1.3"),
        ("select by burst over cameras of", [*select, "--unit", "burst", "--balance", "camera"],
         "1.3"),
    ):  # fmt: skip
        sides = [partial(run, ["sdindex", "--db", db, *given]) for db in both]
        shared, alone = in_turn(sizes.runs, *sides)
        name = f"{what} {sizes.images:,} images in PostgreSQL"
        yield compared(name, shared, "in SQLite", alone, "wall", f"at most {target}")
    imports, ours = in_turn(
        sizes.runs, _imports, partial(run, ["sdindex", "--db", both[0], *select])
    )
    yield _beyond(f"select -n {count} of {sizes.images:,} images in PostgreSQL", ours, imports)
    store = [python(), "-m", "tests.bench.storing"]
    batches = str(min(BATCHES, sizes.images // 256))
    shared, alone, start = in_turn(
        sizes.runs,
        *(partial(run, [*store, db, batches]) for db in (new, str(folder / "storing.db"))),
        partial(run, [*store, str(folder / "storing.db"), "0"]),
    )
    shared, alone = ([cost._replace(wall=cost.wall - median(start, "wall")) for cost in costs]
                     for costs in (shared, alone))  # fmt: skip
    what = f"storing {batches} batches of 256 images in PostgreSQL"
    yield compared(what, shared, "in SQLite", alone, "wall", "at most 1.5")


def _frame(sizes: Sizes, server: servers.Server, url: str, archives: int) -> Iterator[Row]:
    """Make the frame of one archive."""
    ((since,),) = server.run("SELECT txid_current()", url)
    making = partial(run, [python(), "-m", "tests.bench.indexes", url, "anew"])
    (made,) = in_turn(min(sizes.runs, 3), making)
    ((written,),) = server.run(WRITTEN.format(since=since), url)
    yield Row(
        f"frame of one archive of {archives}, {sizes.images:,} images, made from nothing",
        f"{median(made, 'wall'):.2f} s", "columns of the others written", str(written),
        target="at most 6 s for 1,000,000, 0 written",
    )  # fmt: skip


def _grown(folder: Path, sizes: Sizes, server: servers.Server, url: str) -> Iterator[Row]:
    """Draw from several archives beside a first one, and with each option."""
    select = ["sdindex", "--db", url, "select", "-n", "1000"]
    imports, from_one = in_turn(sizes.runs, _imports, partial(run, select))
    ((names,),) = server.run(
        "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns "
        "WHERE table_schema = 'sdindex' AND table_name = 'image' "
        "AND column_name NOT IN ('id', 'archive_id')", url,
    )  # fmt: skip
    for number in range(2, sizes.archives + 1):
        more = MORE.format(n=number, columns=names)
        for statement in filter(str.strip, more.split(";")):
            server.run(statement, url)
    run([python(), "-m", "tests.bench.indexes", url, "check"])
    server.run("VACUUM ANALYZE", url)
    whole = sizes.images * sizes.archives
    imports, from_all = in_turn(sizes.runs, _imports, partial(run, select))
    what = f"select -n 1000 of {whole:,} images in PostgreSQL"
    yield compared(what, from_all, f"of {sizes.images:,}", from_one, "wall", "at most 1.3")
    yield _beyond(what, from_all, imports)
    label_cards(folder / "labels.csv", folder / "shared", sizes.images)
    run(["sdindex", "--db", url, "labels", "import", str(folder / "labels.csv")])
    run([*select, "--save", "spring"])
    for given in GIVEN:
        command = [*select[:-1], "2000" if "extend" in given else "1000", *given.split()]
        (cost,) = in_turn(min(sizes.runs, 3), partial(run, command))
        memory = f"{median(cost, 'memory'):.0f} MB"
        what = f"select {given}, of {whole:,} images in PostgreSQL, {memory}"
        yield Row(what, f"{median(cost, 'wall'):.2f} s", target="at most 3 s of 10,000,000")
    yield from _frame(sizes, server, url, sizes.archives)


def _ids(sizes: Sizes, url: str) -> Row:
    """Find the ids of a plain sample in lists of far more images."""
    images = AN_ORDER * sizes.images * sizes.archives
    program = [python(), "-m", "tests.bench.lists_of_ids", url, str(images), str(sizes.runs)]
    done = subprocess.run(
        program, check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    what = f"the ids of a plain sample of 1,000 of {images:,} in PostgreSQL"
    return Row(what, f"{float(done.stdout):.3f} s", target="at most 0.1 s of 100,000,000")


def _beyond(what: str, ours: list[Cost], imports: list[Cost]) -> Row:
    beyond = median(ours, "wall") - median(imports, "wall")
    seconds = f"{median(imports, 'wall'):.2f} s"
    return Row(f"{what}, beyond the imports", f"{beyond:.2f} s", f"`{IMPORTS}`", seconds,
               target="at most 0.3 s")  # fmt: skip


_imports: Callable[[], Cost] = partial(run, [python(), "-c", IMPORTS])
