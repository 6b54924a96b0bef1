"""Damaged index files: refused in a line, or the answers are right, or nobody could tell."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from unittest import mock

from click.testing import CliRunner, Result

from sdindex.cli.main import cli
from sdindex.errors import SdindexError
from sdindex.store import sqlite
from tests.torture.states import first_difference, state, update
from tests.torture.support import Row, check, check_refusal, images, write

READING = (
    ("status",), ("select", "-n", "10"), ("select", "-n", "9", "--bits", "7"), ("buckets",),
    ("errors",), ("cameras",), ("sql", "SELECT * FROM image_hash"),
)  # fmt: skip

# What tells of damage also where the index is too large to be checked by who only reads it.
SUMMED = {"status", "select", "buckets", "cameras"}

BY_VALUES = 0.3  # of the damages
VALUES = (
    "NULL", "'text'", "x'ff00'", "1.5", "-1", "9223372036854775807", "''", "x''", "1e308",
    "CAST(x'c1' AS TEXT)", "char(0) || 'a'", "'2020-13-45'", "'{'", "'([' ", "'../../x.jpg'",
)  # fmt: skip
SPOILS = (
    "DELETE FROM alembic_version", "INSERT INTO alembic_version VALUES ('0001')",
    "UPDATE alembic_version SET version_num = '0000'", "DROP VIEW bucket",
    "UPDATE alembic_version SET version_num = ''", "ALTER TABLE image RENAME COLUMN dhash TO d",
    "ALTER TABLE image DROP COLUMN error",
)  # fmt: skip


def damage(folder: Path, count: int, seed: int) -> Row:
    """Damage an index; whoever uses it says so in a line at most, or answers."""
    damaged = Damaged(folder)
    for trial in range(seed, seed + count):
        damaged.meet(trial)
    refused = ", ".join(f"{times} times by `{name}`" for name, times in damaged.refused.items())
    wrong = damaged.wrong
    return Row(
        "damaged index files",
        f"{count:,}",
        f"no traceback, one line at most, unchanged by all that read; refused {refused}; "
        "where SQLite's own check tells it, no answer is wrong, nor after `index`; where it does "
        f"not, {wrong['answered']} answer wrongly, and {wrong['kept']} after `index`",
    )


class Damaged:
    """An index that is damaged in many ways, and what came of it."""

    def __init__(self, folder: Path) -> None:
        self.refused: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self._working = folder / "working"
        self._db = self._working / "sdindex.db"
        self._archive = images(folder / "archive", 40)
        write(self._archive / "0" / "broken.jpg", b"no image")
        sound = folder / "sound.db"
        update(sound, self._archive)
        self._whole = sound.read_bytes()
        self._expected = state(sound)
        self._answers = {}
        for arguments in READING:
            self._set_up(self._whole)
            self._answers[arguments] = self._run(*arguments).stdout

    def meet(self, trial: int) -> None:
        """Damage it, and have each command meet that."""
        content = self._damaged(random.Random(trial))
        wrong = ""
        is_large = bool(trial % 2)  # and not checked before it is read
        for arguments in READING:
            if is_large and arguments[0] not in SUMMED:
                continue
            again = f"seed {trial}, {arguments[0]}"
            self._set_up(content)
            with mock.patch.object(sqlite, "_CHEAP_BYTES", 0 if is_large else 1 << 30):
                result = self._run(*arguments)
            if not self._is_refused(result, arguments[0], again):
                answers = [result.stdout, self._answers[arguments]]
                if is_large and arguments[0] == "select":  # as promised: in whatever order
                    answers = ["\n".join(sorted(text.splitlines())) for text in answers]
                wrong = arguments[0] if answers[0] != answers[1] else wrong
            check(self._db.read_bytes() == content, f"it changed the index; {again}")
            files = os.listdir(self._working)
            check(files == [self._db.name], f"it left {files}; {again}")
        if wrong:
            self._set_up(content)
            told = told_by_sqlite(self._db)
            check(told is None, f"{wrong} answers wrongly, and SQLite tells {told}; seed {trial}")
            self.wrong["answered"] += 1
        self._index(content, f"seed {trial}, index")

    def _damaged(self, chance: random.Random) -> bytes:
        """Return the index damaged: its bytes, or by what no sdindex would do in SQL."""
        if chance.random() < BY_VALUES:
            self._set_up(self._whole)
            _spoil(self._db, chance)
            return self._db.read_bytes()
        return _damaged(self._whole, chance)

    def _index(self, content: bytes, again: str) -> None:
        """Check that an update refuses what SQLite tells, or leaves what is right."""
        self._set_up(content)
        told = told_by_sqlite(self._db)
        self._set_up(content)
        result = self._run("index", "-q", str(self._archive))
        if self._is_refused(result, "index", again):
            return
        try:
            wrong = first_difference(state(self._db), self._expected)
        except (SdindexError, sqlite3.DatabaseError, UnicodeDecodeError) as problem:
            wrong = str(problem)
        check(not (wrong and told), f"SQLite tells {told}, and afterwards {wrong}; {again}")
        self.wrong["kept"] += bool(wrong)

    def _set_up(self, content: bytes) -> None:
        shutil.rmtree(self._working, ignore_errors=True)
        self._working.mkdir()
        self._db.write_bytes(content)

    def _run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--db", str(self._db), *arguments])

    def _is_refused(self, result: Result, name: str, again: str) -> bool:
        expected = isinstance(result.exception, SystemExit | None)
        check(expected, f"{type(result.exception).__name__}: {result.exception}; {again}")
        if result.exit_code:
            check_refusal(result.exit_code, result.stderr, again)
            self.refused[name] += 1
        return bool(result.exit_code)


def told_by_sqlite(db: Path) -> str | None:
    """Return what SQLite's quick check says of a file; None where it finds nothing."""
    try:
        with closing(sqlite3.connect(db)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as problem:  # it may quote any bytes
        return str(problem)
    return None if found == ("ok",) else str(found)


def _spoil(db: Path, chance: random.Random) -> None:
    """Store a value in an index that no version of it has stored, or change its tables."""
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        table = chance.choice([name for (name,) in connection.execute(query)])
        if chance.random() < 0.2:
            statement = chance.choice((*SPOILS, f"DROP TABLE {table}"))
        else:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            statement = f"UPDATE {table} SET {chance.choice(columns)} = {chance.choice(VALUES)}"
            if chance.random() < 0.7:
                number = chance.randrange(1, 9)
                statement += f" WHERE rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET {number})"
        with suppress(sqlite3.Error):  # not every value can be had everywhere
            connection.execute(statement)


def _damaged(whole: bytes, chance: random.Random) -> bytes:
    content = bytearray(whole)
    match chance.randrange(7):
        case 0:
            del content[chance.randrange(len(content)) :]
        case 1:
            content[:100] = chance.randbytes(100)
        case 2:
            page = 4096 * chance.randrange(len(content) // 4096)
            content[page : page + 4096] = chance.choice((bytes(4096), chance.randbytes(4096)))
        case 3:
            content[16 + chance.randrange(84)] = chance.randrange(256)
        case 4:
            first, second = (4096 * chance.randrange(len(content) // 4096) for _ in range(2))
            content[first : first + 4096], content[second : second + 4096] = (
                content[second : second + 4096], content[first : first + 4096],
            )  # fmt: skip
        case _:
            # Most of a small index is empty: where there is something, it counts.
            used = [position for position, byte in enumerate(content) if byte]
            for _ in range(chance.choice((1, 5, 50))):
                content[chance.choice(used)] ^= 1 << chance.randrange(8)
    return bytes(content)
