"""A memory card that holds files named as modules: no command may import them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.torture.support import Row, check, ended, images

# What is done on the card, in this order; FILE stands for a new file outside of it.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("index", "."), ("index", "--method", "exact", "--workers", "2", "."),
    ("select", "-n", "4", "--unit", "burst", "--balance", "camera", "--save", "first"),
    ("select", "-n", "4", "--copy-to", "FILE.d"), ("select", "-n", "9", "--format", "csv"),
    ("select", "-n", "2", "--where", "width > 1", "-o", "FILE"), ("quality", "-n", "5"),
    ("report", "-n", "5", "-o", "FILE.html"), ("buckets",), ("cameras",), ("status",), ("errors",),
    ("sql", "SELECT path FROM image"), ("labels", "import", "labels.csv"), ("labels", "list"),
    ("labels", "drop", "labels.csv"), ("samples", "list"), ("samples", "show", "first"),
    ("samples", "drop", "first"), ("prune",), ("help",), ("--version",),
)  # fmt: skip
_LIBRARY = """
import sys
from concurrent.futures import ThreadPoolExecutor
from sdindex import Index

if __name__ == "__main__":
    with Index(sys.argv[1]) as index:
        index.update(".", workers=2)
        index.select(4, unit="burst", balance="camera", save="first")
        index.report(4)
        index.quality(3)
        with ThreadPoolExecutor(2) as threads:
            index.update(".", executor=threads, method="exact")
        with index.sql("SELECT path FROM image") as answer:
            list(answer.rows)
        index.import_labels("labels.csv")
        index.prune()
"""
_HOSTILE = "open({marker!r}, 'a').write(__name__ + ' in ' + repr(__import__('sys').argv) + '\\n')\n"
# As where there is no fork.
_EACH_ALONE = """
from sdindex import processes
processes.started = lambda modules: processes.Alone()
processes.get_ready = lambda modules: None
"""
WAYS = ("sdindex", "python -m sdindex", "the library", "the library, each worker by itself")


def modules(
    folder: Path,
    count: int,
    seed: int,
    *,
    commands: Sequence[tuple[str, ...]] = COMMANDS,
) -> Row:
    """Work on a card that holds a file named as each module there is: none is ever run."""
    names = _names()
    done = 0
    for trial in range(seed, seed + count):
        way = WAYS[trial % len(WAYS)]
        card = Card(folder / "card", names - _pythons_own(folder, names, way))
        done += card.use(way, commands, f"{way}, seed {trial}")
        shutil.rmtree(folder / "card")
    return Row(
        f"modules on a card, by {', '.join(WAYS)}",
        f"{count:,} x {len(commands)} commands",
        f"none of {len(names):,} modules was run by {done:,} programs and their workers",
    )


def _names() -> set[str]:
    """Return the names of all that can be imported here: the standard modules, and installed."""
    built_in = {"builtins", "sys", *sys.builtin_module_names}
    installed = {name for name in packages_distributions() if name.isidentifier()}
    return (set(sys.stdlib_module_names) | installed | {"sdindex", "migrations"}) - built_in


def _pythons_own(folder: Path, names: set[str], way: str) -> set[str]:
    """Return what Python itself imports from the current folder before a program can hinder it.

    ``python -m`` has that folder first in its path from its start, and takes the program, too,
    from there.
    """
    own: set[str] = {"sdindex"} if way == "python -m sdindex" else set()
    while own:
        card = Card(folder / "card", names - own)
        ended([sys.executable, "-m", "__hello__"], cwd=card.folder)
        run = {line.partition(" ")[0] for line in card.run()}
        shutil.rmtree(card.folder)
        if not run:
            break
        own |= run
    return own


class Card:
    """A folder of images and of files that say when they are run."""

    def __init__(self, folder: Path, names: set[str]) -> None:
        self.folder = folder
        self._marker = folder.parent / "run"
        self._marker.write_text("")
        images(folder, 8)
        (folder / "0" / "broken.jpg").write_bytes(b"no image")
        labels = "".join(f"{number % 7}/IMG_{number}.JPG,fox\n" for number in range(8))
        (folder / "labels.csv").write_text(f"path,label\n{labels}")
        for number, name in enumerate(sorted(names)):
            package = number % 3 == 0
            file = folder / name / "__init__.py" if package else folder / f"{name}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(_HOSTILE.format(marker=str(self._marker)))

    def run(self) -> list[str]:
        """Return what was run, and by which program."""
        return self._marker.read_text().splitlines()

    def use(self, way: str, commands: Sequence[tuple[str, ...]], again: str) -> int:
        """Do each of these on the card; return how many programs that took."""
        outside = self.folder.parent / "outside"
        outside.mkdir()
        db = outside / "sdindex.db"
        for program in _programs(way, commands, outside, db):
            done = ended(program, cwd=self.folder)
            said = f"{program[1:]}, {again}"
            check(not self.run(), f"{len(self.run())} modules are run: {self.run()[:5]}; {said}")
            check(done.status == 0, f"it ended with {done.status}: {done.said[-1500:]}; {said}")
        shutil.rmtree(outside)
        return 1 if way in WAYS[2:] else len(commands)


def _programs(
    way: str, commands: Sequence[tuple[str, ...]], outside: Path, db: Path
) -> list[list[str]]:
    if way in WAYS[2:]:
        script = outside / "script.py"
        script.write_text((_EACH_ALONE if way == WAYS[3] else "") + _LIBRARY)
        return [[sys.executable, str(script), str(db)]]
    console = [str(Path(sys.executable).parent / "sdindex")]
    start = console if way == WAYS[0] else [sys.executable, "-m", "sdindex"]
    file = str(outside / "file")
    return [
        [*start, "--db", str(db), *(word.replace("FILE", file) for word in words)]
        for words in commands
    ]
