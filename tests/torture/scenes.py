"""An index before and after a run of `index`: a first one, an update, upgrades of old indexes."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command as alembic
from alembic.config import Config

from sdindex.archive.natural import sort_key
from sdindex.store.schema import migrations_folder
from tests.torture.states import COMMITTED, Rows, opened, state, update, whole_run
from tests.torture.support import LONG_AGO, images, write

OLD_SCHEMAS = sorted(file.name[:4] for file in migrations_folder().glob("versions/0*.py"))[:-1]
SCENES = ("a first run", "an update", *(f"an upgrade from {old}" for old in OLD_SCHEMAS))
_AWAY = "/an/archive/that/is/away"
_MOVED = "moved/"


class Scene:
    """A run of `index` that is to be disturbed: what there is before it, and after it.

    Attributes
    ----------
    archive
        The folder that is indexed; no trial changes it.
    old, new
        The rows that are committed before and after.
    to_read
        Those of `new` for which a file is read.
    expected
        The whole state afterwards.
    begun, whole
        Seconds after which an undisturbed run begins to write, and is done.
    """

    def __init__(self, folder: Path, name: str, files: int, *, away: int = 0) -> None:
        self.name = name
        self._kept = folder / "kept"
        self._kept.mkdir(parents=True)
        self.archive = images(folder / "archive", files)
        db = self._kept / "sdindex.db"
        if name != SCENES[0]:
            update(db, self.archive)
        if name == SCENES[1]:
            change(self.archive, files)
        elif name != SCENES[0]:
            make_old(db, name[-4:], away)
        self.old = rows(db)
        whole = self.set_up(folder / "whole")
        self.begun, self.whole = whole_run(whole, self.archive)
        self.new = rows(whole)
        self.expected = state(whole)
        self.to_read = {row for row in self.new - self.old if not row[0].startswith(_MOVED)}

    def set_up(self, folder: Path) -> Path:
        """Copy what there is before the run into a new folder; return where the index is to be."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._kept, folder)
        return folder / "sdindex.db"


def rows(db: Path) -> Rows:
    """Return what is committed in an index at rest; nothing where there is none."""
    if not db.exists():
        return set()
    with closing(opened(db)) as connection:
        return set(connection.execute(COMMITTED))


def change(archive: Path, files: int) -> None:
    """Have files come, change, go and move, in all folders of an archive."""
    images(archive / "new", files // 2, seed=2)
    for number, file in enumerate(sorted(archive.glob("?/*.JPG"))):
        match number % 8:
            case 0:
                write(file, file.read_bytes() + b"\0", LONG_AGO + 10_000 + number)
            case 1:
                file.unlink()
            case 2:
                (archive / _MOVED / file.parent.name).mkdir(parents=True, exist_ok=True)
                file.rename(archive / _MOVED / file.parent.name / file.name)


def make_old(db: Path, schema: str, away: int) -> None:
    """Make an index one of an old schema, by the revisions up to that, with images more.

    They are of an archive that is away: enough that its upgrade takes a moment.
    """
    current = db.rename(db.with_name("current"))
    engine = sa.create_engine(f"sqlite:///{db}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
        alembic.upgrade(config, schema)
    engine.dispose()
    with _attached(db, current) as connection:
        for table in ("archive", "image"):
            columns = ", ".join(_common_columns(connection, table))
            connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}")
        connection.execute(
            "INSERT INTO archive (root, sort_key, method, added_at) "
            "SELECT ?, CAST(? AS BLOB), method, added_at FROM new.archive",
            (_AWAY, _AWAY),
        )
        connection.executemany(
            "INSERT INTO image (archive_id, path, size, mtime_ns, ctime_ns, inode, settled, dhash, "
            "method, sort_key, indexed_at) SELECT 2, ?, 1, 1, 1, 1, 1, ?, method, ?, indexed_at "
            "FROM new.image LIMIT 1",
            _made_up(away),
        )
    current.unlink()


def _made_up(count: int) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(1)
    for number in range(count):
        path = f"cam{number % 7}/{number:06}.jpg"
        yield path, chance.getrandbits(64) - (1 << 63), sort_key(path)


@contextmanager
def _attached(db: Path, other: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("ATTACH ? AS new", (str(other),))
        with connection:
            yield connection


def _common_columns(connection: sqlite3.Connection, table: str) -> list[str]:
    here, there = (
        {row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({table})")}
        for schema in ("main", "new")
    )
    return sorted(here & there)
