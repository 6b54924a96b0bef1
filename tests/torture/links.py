"""Links in the way of what is written: what is behind them stays as it is."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from sdindex.cli.main import cli
from tests.torture.states import update
from tests.torture.support import Row, check, check_refusal, images

IMAGES = 12
# What is written, by which command; OUT stands for the folder in which it is written.
WRITERS = {
    "sample.txt": ("select", "-n", "5", "-o", "OUT/sample.txt"),
    "sample.csv": ("select", "-n", "5", "--format", "csv", "-o", "OUT/sample.csv"),
    "page.html": ("report", "-n", "5", "--thumbnails", "0", "-o", "OUT/page.html"),
    "copied": ("select", "-n", f"{IMAGES}", "--copy-to", "OUT/copied"),
    "linked": ("select", "-n", f"{IMAGES}", "--link-to", "OUT/linked"),
    "pointed": ("select", "-n", f"{IMAGES}", "--symlink-to", "OUT/pointed"),
    "shown": ("samples", "show", "saved", "--copy-to", "OUT/shown"),
}
_MANIFEST = "sdindex-manifest.csv"
_ENDS = ("", ".part", ".tmp", ".sdindex-part", "~")
Tree = dict[str, bytes | str | None]


def links(folder: Path, count: int, seed: int) -> Row:
    """Lay links where samples, pages, copies and their drafts are written."""
    world = World(folder)
    outcomes = Counter(world.write_through(trial) for trial in range(seed, seed + count))
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "links in the way of samples, pages, copies, manifests and their drafts",
        f"{count:,}",
        f"nothing behind a link is written over, nothing is made there ({said})",
    )


class World:
    """An archive, an index, a file of worth, and a folder for what is written."""

    def __init__(self, folder: Path) -> None:
        self._kept = folder / "kept"
        self._out = folder / "out"
        self._archive = images(self._kept / "archive", IMAGES)
        (self._kept / "of-worth").mkdir()
        (self._kept / "of-worth" / "thesis.txt").write_text("of worth\n")
        self._db = self._kept / "sdindex.db"
        update(self._db, self._archive)
        self._run("select", "-n", "5", "--save", "saved")
        (self._kept / "sdindex.db.lock").unlink(missing_ok=True)
        self._before = tree(self._kept)
        self._victims = [file for file in sorted(self._kept.rglob("*")) if file.is_file()]

    def write_through(self, trial: int) -> str:
        """Lay a link or some, and write where they lie; return what came of it."""
        chance = random.Random(trial)
        shutil.rmtree(self._out, ignore_errors=True)
        self._out.mkdir()
        name = chance.choice(list(WRITERS))
        laid = [self._lay(name, chance) for _ in range(chance.choice((1, 1, 2, 4)))]
        again = f"{name} with links at {laid}; seed {trial}"
        words = [word.replace("OUT", str(self._out)) for word in WRITERS[name]]
        result = CliRunner().invoke(cli, ["--db", str(self._db), *words])
        expected = isinstance(result.exception, SystemExit | None)
        check(expected, f"{type(result.exception).__name__}: {result.exception}; {again}")
        if result.exit_code:
            check_refusal(result.exit_code, result.stderr, again)
        after = tree(self._kept)
        paths = after.keys() | self._before.keys()
        different = {path for path in paths if after.get(path) != self._before.get(path)}
        check(not different, f"it changed {sorted(different)}; {again}")
        return "refused" if result.exit_code else "written beside them"

    def _lay(self, name: str, chance: random.Random) -> str:
        """Lay a link at a name that may be written to, and return that name."""
        if "." in name:
            at = self._out / f"{name}{chance.choice(_ENDS)}"
        else:
            inner = chance.choice(("", _MANIFEST, "0", "1/IMG_1.JPG", "0/IMG_7.JPG", "2"))
            at = self._out / name / f"{inner}{chance.choice(_ENDS)}"
            if chance.random() < 0.3:
                at = self._out / name / "1" / ".sdindex-part"
        lay: Callable[[Path, Path], None] = os.symlink
        target = chance.choice([*self._victims, self._kept / "of-worth" / "new.txt"])
        if chance.random() < 0.2:
            target = chance.choice((self._archive, self._archive / "0", self._kept / "of-worth"))
        elif target.exists() and chance.random() < 0.2:
            lay = os.link
        if not os.path.lexists(at) and not any(map(_is_in_the_way, at.parents)):
            at.parent.mkdir(parents=True, exist_ok=True)
            lay(target, at)
        return f"{at.relative_to(self._out)} to {target.relative_to(self._kept)}"

    def _run(self, *arguments: str) -> None:
        result = CliRunner().invoke(cli, ["--db", str(self._db), *arguments])
        check(not result.exit_code, result.stderr)


def _is_in_the_way(path: Path) -> bool:
    """Say whether nothing can be laid below a path: it is a link, or a file."""
    return path.is_symlink() or path.is_file()


def tree(folder: Path) -> Tree:
    """Return all that lies in a folder: the bytes of each file, where a link leads."""
    found: Tree = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found
