"""Finding what changed in a large archive."""

from collections.abc import Iterator
from pathlib import Path

from tests.bench.costs import in_turn, median, run
from tests.bench.made import index_of, make_image, make_tree, run_with_new
from tests.bench.rows import Row, compared
from tests.bench.sizes import Sizes


def scanning(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Bring an index up to date when nothing changed, and when a few images came."""
    tree = folder / "tree"
    make_tree(tree, sizes.files)
    db = index_of(folder / "scanning.db", tree, sizes.files)
    find = ["find", str(tree), "-type", "f", "-printf", "%T@ %s %p\n"]
    index = ["sdindex", "--db", str(db), "index", "-q", str(tree)]
    unchanged, found = in_turn(sizes.runs, lambda: run(index), lambda: run(find))
    what = f"index of {sizes.files:,} files when nothing changed"
    yield compared(what, unchanged, "`find -printf`", found, "wall", "at most 2.5")
    memory = median(unchanged, "memory")
    yield Row(f"{what}: memory", f"{memory:.0f} MB", target="300 MB")
    source = folder / "new.jpg"
    make_image(source)
    new = min(1000, sizes.files)
    added = [
        run_with_new(index, tree, source, images=new, batch=batch)
        for batch in range(max(1, sizes.runs))
    ]
    more = median(added, "wall") - median(unchanged, "wall")
    yield Row(f"the same and {new:,} new small images", f"{median(added, 'wall'):.2f} s",
              "the unchanged run", f"{median(unchanged, 'wall'):.2f} s", f"{more:.2f} s more",
              "5 s more")  # fmt: skip
