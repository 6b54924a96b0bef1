"""Hostile statements in SQL: bounded in time and memory, and nothing is written anywhere."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.torture.links import tree
from tests.torture.states import update
from tests.torture.support import Ended, Row, check, command, ended, images

SECONDS = 0.5  # a question may take, here
LATE = 8.0  # seconds from the start of a program to its end, on a machine that is busy
MEMORY = 640 << 20  # bytes: SQLite's own 512 MB, and the program
FILTERS = 0.1  # of them are asked as a filter
FILTER_SECONDS = 10.0  # which this may take
CARELESS = 0.25  # of the questions are two or more that are put together

NOTES = ("warning: ", "the first ")  # what is said beside an answer

# What is kept away from: files, other databases, extensions, settings.
WRITING = (
    "DELETE FROM image", "DROP TABLE image", "UPDATE image SET dhash = 0",
    "INSERT INTO label (image_id, source, label) VALUES (1, 'x', 'y')", "CREATE TABLE x (y)",
    "CREATE TEMP TABLE x AS SELECT * FROM image", "ALTER TABLE image ADD x", "ATTACH 'FILE' AS x",
    "ATTACH ':memory:' AS x", "DETACH main", "VACUUM", "VACUUM INTO 'FILE'", "REINDEX", "ANALYZE",
    "PRAGMA writable_schema = 1", "PRAGMA journal_mode = WAL", "PRAGMA query_only = 0",
    "PRAGMA user_version = 7", "PRAGMA temp_store_directory = '/'", "PRAGMA optimize",
    "PRAGMA wal_checkpoint", "PRAGMA integrity_check", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK",
    "SAVEPOINT x", "CREATE TRIGGER x AFTER INSERT ON image BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE x USING fts5(y)", "CREATE VIRTUAL TABLE temp.x USING rtree(a, b, c)",
    "SELECT load_extension('FILE')", "SELECT writefile('FILE', 'x')",
    "SELECT readfile('/etc/passwd')", "SELECT edit('x')", "SELECT fts3_tokenizer('x', x'00')",
    "WITH x AS (SELECT 1) DELETE FROM label", "INSERT INTO image SELECT * FROM image RETURNING id",
    "EXPLAIN DELETE FROM image", "SELECT * FROM pragma_journal_mode", "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_dbpage",
)  # fmt: skip
# Sources of rows: some, or without an end.
ROWS = (
    "(WITH RECURSIVE r(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM r) SELECT x FROM r)",
    "(WITH RECURSIVE r(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM r LIMIT {N}) SELECT x FROM r)",
    "(SELECT a.id AS x FROM image AS a, image AS b, image AS c, image AS d, image AS e)",
    "(SELECT value AS x FROM json_each('[' || rtrim(hex(zeroblob({N})), '') || ']'))",
    "(SELECT id AS x FROM image)",
)
VALUES = (
    "x", "randomblob({N})", "zeroblob({N})", "hex(zeroblob({N}))", "printf('%.*c', {N}, 'x')",
    "replace(hex(zeroblob({N})), '0', 'xxxxxxxxxxxxxxxx')", "randomblob(1000) || x",
    "hamming(x, -x)", "bucket(x, 64)", "bucket(NULL, -1)", "dhash_hex(x)", "hamming('x', x'00')",
    "quote(zeroblob({N}))", "char(x, 0, 1114111)", "json_array(x, x, randomblob(10))",
    "abs(-9223372036854775808)",
    "(SELECT count(*) FROM image AS i, image AS j WHERE i.dhash < j.dhash + x)", "1 / (x - x)",
    "printf('%s', x) LIKE '%' || hex(zeroblob({N})) || '%'", "x GLOB '*a*a*a*a*a*a*a*a*b'",
    "hex(zeroblob({N})) GLOB '*0*0*0*0*0*0*0*0*0*0*1'", "'\x1b[2J\x07' || x", "unistr('\\ud800')",
)  # fmt: skip
FORMS = (
    "SELECT {V} FROM {R}", "SELECT DISTINCT {V} FROM {R}", "SELECT {V} FROM {R} ORDER BY {V} DESC",
    "SELECT group_concat({V}, {V}) FROM {R}", "SELECT count(*), {V} FROM {R} GROUP BY {V}",
    "SELECT max({V}) FROM {R}",
    "SELECT sum(x) OVER (ORDER BY {V} ROWS UNBOUNDED PRECEDING) FROM {R}",
    "SELECT json_group_array({V}) FROM {R}", "SELECT {V} FROM {R} UNION SELECT {V} FROM {R}",
    "SELECT {V} FROM {R} LIMIT 3 OFFSET {N}", "SELECT * FROM {R} AS p, {R} AS q WHERE p.x = -q.x",
    "SELECT {V}, {V}, {V}, {V}, {V}, {V}, {V}, {V} FROM {R}", "VALUES (1), (2)",
    "SELECT (SELECT {V} FROM {R} LIMIT 1)", "SELECT median({V}) FROM {R}",
    "EXPLAIN SELECT {V} FROM {R}", "EXPLAIN QUERY PLAN SELECT {V} FROM {R}",
)  # fmt: skip
NUMBERS = (0, 1, -1, 1000, 10**6, 3 * 10**7, 10**8, 2 * 10**9, 2**63 - 1)


def statements(folder: Path, count: int, seed: int) -> Row:
    """Ask what is hostile, as a question and as a filter; the index keeps each of its bytes."""
    kept = folder / "kept"
    kept.mkdir()
    update(kept / "sdindex.db", images(kept / "archive", 40))
    (kept / "sdindex.db.lock").unlink(missing_ok=True)
    before = tree(kept)
    outcomes: Counter[str] = Counter()
    slowest, most_memory = 0.0, 0
    for trial in range(seed, seed + count):
        done = _asked(kept, random.Random(trial), f"seed {trial}")
        check(tree(kept) == before, f"it changed {kept}; seed {trial}")
        stopped = "stopped" in done.said
        outcomes["stopped" if stopped else "refused" if done.status else "answered"] += 1
        slowest, most_memory = max(slowest, done.seconds), max(most_memory, done.most_memory)
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        f"hostile statements, as a question or a filter, of {SECONDS} s at most",
        f"{count:,}",
        f"0 bytes changed, no file made; {slowest:.1f} s and {most_memory / 1e6:.0f} MB at most "
        f"({said})",
    )


def _asked(kept: Path, chance: random.Random, again: str) -> Ended:
    """Ask something; check how it ended, what it said, and what it cost."""
    statement = hostile(chance).replace("FILE", str(kept / "made"))
    again = f"{statement[:300]!r}; {again}"
    db = kept / "sdindex.db"
    if chance.random() < FILTERS:
        where = chance.choice((statement, f"1) OR ({statement}", f"id IN ({statement})"))
        program = command(db, "select", "-n", 5, "--where", where, "--format", "null")
    else:
        form = chance.choice(("table", "csv", "json"))
        program = command(db, "sql", "--timeout", SECONDS, "--format", form, "--", statement)
    done = ended(program, cwd=kept, keep=100_000)
    # A signal ends what SQLite cannot be stopped in; the program says so before.
    check(done.status in (0, 1, 2), f"it ended with {done.status}: {done.said[-900:]}; {again}")
    if done.status:
        check("Traceback" not in done.said, f"it said {done.said[-1500:]!r}; {again}")
        lines = done.said.count("\n")
        check((done.said.startswith("Error: ") and lines <= 1) or done.status == 2,
              f"it said {done.said[:900]!r}; {again}")  # fmt: skip
    else:
        right = all(line.startswith(NOTES) for line in done.said.splitlines())
        check(right, f"it said {done.said!r}; {again}")
    is_select = "select" in program
    check(
        done.seconds <= LATE + FILTER_SECONDS * is_select, f"it took {done.seconds:.1f} s; {again}"
    )
    check(done.most_memory <= MEMORY, f"it took {done.most_memory / 1e6:.0f} MB; {again}")
    return done


def hostile(chance: random.Random) -> str:
    """Return a statement that should not be asked."""
    kinds: tuple[Callable[[random.Random], str], ...] = (_writing, _costly, _costly, _odd)
    statement = chance.choice(kinds)(chance)
    if chance.random() < CARELESS:
        join = chance.choice(("; ", " UNION ALL ", ";\n--\n", "/* "))
        statement = f"{statement}{join}{chance.choice(kinds)(chance)}"
    return statement


def _writing(chance: random.Random) -> str:
    return chance.choice(WRITING)


def _costly(chance: random.Random) -> str:
    statement = chance.choice(FORMS)
    for name, choices in (("{R}", ROWS), ("{V}", VALUES), ("{N}", NUMBERS)):
        statement = statement.replace(name, str(chance.choice(choices)))
    return statement


def _odd(chance: random.Random) -> str:
    """Return what is hardly a statement: too deep, too long, or no text."""
    depth = chance.choice((10, 900, 5000))
    return chance.choice(
        (
            "SELECT " + "(" * depth + "1" + ")" * depth,
            "SELECT 1" + " + 1" * depth,
            "SELECT " + "1, " * depth + "1",
            "SELECT 1" + " UNION SELECT 1" * depth,
            "SELECT " + "abs(" * depth + "1" + ")" * depth,
            "WITH " + ", ".join(f"t{n} AS (SELECT 1)" for n in range(depth)) + " SELECT 1",
            "SELECT * FROM " + ", ".join("image" for _ in range(min(depth, 64))),
            "SELECT json_extract('" + "[" * depth + "]" * depth + "', '$')",
            "SELECT '" + "x" * 100_000 + "'",
            "", ";", "--", "/*", "'", '"', "SELECT", "select 1;;", "SELECT ?", "SELECT :x",
            "\udcff",
            "SELECT '\U0001f98a\u202e'", "SELECT x'0'", "SELECT 1e999, 0x7fffffffffffffff",
            "SELECT CAST(x'ff' AS TEXT)", "SELECT char(0)", "SELECT 'a' || char(0) || 'b'",
        )
    )  # fmt: skip
