"""What cannot be done: one line that names the way out, and everything is as it was."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import sdindex
from tests.torture.links import tree
from tests.torture.states import update
from tests.torture.support import Row, as_nobody, check, check_refusal, ended, images, runs, write

Arguments = list[str]
_AS_NOBODY = as_nobody("+dac_read_search")


def refused(folder: Path, count: int, seed: int) -> Row:
    """Ask for what cannot be done, each in a folder of its own, in an order of chance."""
    others = set() if runs(_AS_NOBODY) else OF_ANOTHER_USER
    names = [name for name in REFUSED if name not in others]
    random.Random(seed).shuffle(names)
    for number in range(count):
        name = names[number % len(names)]
        world = World(folder / "world")
        words = REFUSED[name](world)
        again = f"{name}: sdindex {' '.join(words)[:500]}; seed {seed}"
        before = tree(world.folder)
        program = [*world.start, sys.executable, "-m", "sdindex", *words]
        done = ended(program, cwd=world.folder, variables=world.variables)
        if name in USAGE:
            check(done.status == 2, f"it ended with {done.status}: {done.said}; {again}")
        else:
            check_refusal(done.status, done.said, again)
        after = tree(world.folder)
        paths = (path for path in after.keys() | before.keys() if not path.endswith(".lock"))
        left = sorted(path for path in paths if after.get(path) != before.get(path))
        check(not left, f"it left or changed {left}; {again}")
        shutil.rmtree(world.folder)
    return Row(
        "what cannot be done",
        f"{count:,}",
        f"a line with status 1, and nothing is left or changed ({len(names)} kinds)",
    )


class World:
    """A folder with an archive, an index, an empty folder, and what a case adds.

    `start` and `variables` are for the program that is run in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start: list[str] = []
        self.variables: dict[str, str] = {}
        images(folder / "archive", 7)
        update(folder / "sdindex.db", folder / "archive")
        (folder / "sdindex.db.lock").unlink(missing_ok=True)
        (folder / "empty").mkdir()

    def write(self, name: str, content: str | bytes = "") -> str:
        data = content.encode() if isinstance(content, str) else content
        return str(write(self.folder / name, data))

    def sql(self, statement: str) -> None:
        """Do something to the index that no sdindex does."""
        with closing(sqlite3.connect(self.folder / "sdindex.db")) as connection, connection:
            connection.execute(statement)


def _other(name: str, *words: str) -> Callable[[World], Arguments]:
    """Return a case that uses an index of another name, which is not there."""
    return lambda world: ["--db", str(world.folder / name), *words]


def _plain(*words: str) -> Callable[[World], Arguments]:
    return lambda _: list(words)


def _byte(world: World) -> Arguments:
    return ["--db", world.write("byte.db", "x"), "index", "archive"]


def _older(world: World) -> Arguments:
    world.sql("UPDATE alembic_version SET version_num = '0000'")
    return ["index", "archive"]


def _newer(world: World) -> Arguments:
    world.sql("UPDATE alembic_version SET version_num = '9999'")
    return ["status"]


def _stranger(world: World) -> Arguments:
    with closing(sqlite3.connect(world.folder / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    return ["--db", "other.db", "index", "archive"]


def _confidences(world: World) -> Arguments:
    text = "path,label,confidence\n0/IMG_0.JPG,fox,1.5\n1/IMG_1.JPG,fox,much\n"
    return ["labels", "import", world.write("labels.csv", text)]


def _through_a_link(world: World) -> Arguments:
    os.symlink("of-worth.txt", world.folder / "link.txt")
    world.write("of-worth.txt", "of worth")
    return ["select", "-n", "2", "-o", "link.txt"]


def _away(world: World) -> Arguments:
    (world.folder / "archive").rename(world.folder / "away")
    return ["index", "archive"]


def _emptied(world: World) -> Arguments:
    for file in (world.folder / "archive").rglob("*.JPG"):
        file.unlink()
    return ["index", "archive"]


def _read_only(world: World) -> Arguments:
    world.folder.chmod(0o755)
    world.start = _AS_NOBODY
    return ["index", "archive"]


def _locked(world: World) -> Arguments:
    world.write("sdindex.db.lock")
    world.folder.chmod(0o777)
    (world.folder / "sdindex.db").chmod(0o666)
    world.start = _AS_NOBODY
    return ["index", "archive"]


def _in_a_zip(world: World) -> Arguments:
    """Run the program from a zip file: an index cannot be made there."""
    package = Path(sdindex.__file__).parent
    with ZipFile(world.folder / "program.zip", "w") as archive:
        for file in package.rglob("*.py"):
            archive.write(file, f"sdindex/{file.relative_to(package)}")
    world.variables = {"PYTHONPATH": str(world.folder / "program.zip")}
    return ["--db", "new.db", "index", "archive"]


REFUSED: dict[str, Callable[[World], Arguments]] = {
    "an empty folder": _other("new.db", "index", "empty"),
    "a folder that is not there": _other("new.db", "index", "nowhere"),
    "a file of one byte": _byte,
    "a folder for the index that is not there": _other("nowhere/new.db", "index", "archive"),
    "a folder as an index": _plain("--db", "empty", "index", "archive"),
    "PostgreSQL": _plain("--db", "postgresql+psycopg://me:secret@host/db", "index", "archive"),
    "an object store": _plain("index", "s3://bucket/archive"),
    "an older schema that nobody knows": _older,
    "a newer schema": _newer,
    "another program's database": _stranger,
    "since after until": _plain(
        "select", "-n", "2", "--since", "2025-01-02", "--until", "2025-01-01"
    ),
    "confidences that are none": _confidences,
    "an output through a link": _through_a_link,
    "an archive that is away": _away,
    "an archive that lost all": _emptied,
    "a sample of an unknown name": _plain("samples", "show", "nobody"),
    "a broken pattern": _plain("index", "--camera-pattern", "(", "archive"),
    "a filter that is none": _plain("select", "-n", "2", "--where", "DROP TABLE image"),
    "a folder that is read-only": _read_only,
    "a lock that another user made": _locked,
    "a new index from within a zip file": _in_a_zip,
    "too few of a sample": _plain("select", "-n", "0"),
}  # fmt: skip
OF_ANOTHER_USER = {"a folder that is read-only", "a lock that another user made"}
USAGE = {"too few of a sample"}
