"""SQL from outside: what it answers, and that it can neither write nor run away."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdindex import Index, IndexMissingError, QueryError
from sdindex.store.database import Store
from sdindex.store.sqlite_query import bucket, dhash_hex, hamming
from tests.support.commands import run
from tests.support.straight import Served

hashes = st.integers(-(2**63), 2**63 - 1)


def answer(index: Index, query: str, seconds: float = 10) -> list[tuple[object, ...]]:
    with index.sql(query, seconds=seconds) as given:
        return list(given.rows)


def test_the_images_most_like_one_are_one_line(filled: Index) -> None:
    rows = answer(
        filled,
        "SELECT path, hamming(dhash, (SELECT dhash FROM image WHERE path = 'cam0/IMG_1.JPG')) "
        "AS bits FROM image ORDER BY bits LIMIT 3",
    )
    assert rows[0] == ("cam0/IMG_1.JPG", 0)
    assert len(rows) == 3


@given(hashes, hashes)
def test_hamming_is_imagehashs_distance(one: int, other: int) -> None:
    def reference(dhash: int) -> imagehash.ImageHash:
        return imagehash.hex_to_hash(f"{dhash % 2**64:016x}")

    distance = int(np.count_nonzero(reference(one).hash != reference(other).hash))
    assert hamming(one, other) == distance == hamming(dhash_hex(one), other)


@given(hashes, st.integers(1, 63))
def test_bucket_is_the_leading_bits(dhash: int, bits: int) -> None:
    assert bucket(dhash, bits) == int(f"{dhash % 2**64:064b}"[:bits], 2)


def test_the_functions_know_null(filled: Index) -> None:
    query = (
        "SELECT hamming(NULL, 1), bucket(NULL, 4), dhash_hex(NULL), bucket(-1, 64), bucket(1, 0)"
    )
    assert answer(filled, query) == [(None, None, None, -1, None)]


# Each tries to change, write, attach, create, load, leave the database, or never to end.
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
HOSTILE = [
    "DELETE FROM image",
    "DELETE FROM image RETURNING path",
    "UPDATE image SET dhash = 0",
    "UPDATE image SET dhash = 0 RETURNING path",
    "INSERT INTO image (path) VALUES ('x')",
    "INSERT INTO archive SELECT * FROM archive",
    "INSERT INTO image DEFAULT VALUES RETURNING id",
    "REPLACE INTO archive (id, root) VALUES (1, 'x')",
    "INSERT INTO archive (id) VALUES (1) ON CONFLICT DO UPDATE SET root = 'x'",
    "WITH x AS (SELECT 1) DELETE FROM image",
    "WITH x AS (SELECT 1) INSERT INTO image (path) SELECT 'a' FROM x",
    "WITH x AS (SELECT 1) UPDATE image SET path = ''",
    "EXPLAIN DELETE FROM image",
    "EXPLAIN QUERY PLAN DELETE FROM image",
    "DROP TABLE image",
    "DROP TABLE IF EXISTS image",
    "DROP VIEW bucket",
    "DROP INDEX IF EXISTS x",
    "DROP TRIGGER IF EXISTS x",
    "CREATE TABLE x (y)",
    "CREATE TABLE x AS SELECT * FROM image",
    "CREATE TEMP TABLE x (y)",
    "CREATE TEMPORARY TABLE x AS SELECT 1",
    "CREATE TABLE IF NOT EXISTS image (y)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE TEMP VIEW x AS SELECT 1",
    "CREATE INDEX x ON image (path)",
    "CREATE UNIQUE INDEX x ON image (path)",
    "CREATE TRIGGER x AFTER INSERT ON image BEGIN SELECT 1; END",
    "CREATE TEMP TRIGGER x AFTER INSERT ON image BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE x USING fts5(y)",
    "CREATE VIRTUAL TABLE temp.x USING fts4(y)",
    "CREATE VIRTUAL TABLE x USING rtree(a, b, c)",
    "CREATE VIRTUAL TABLE x USING dbstat",
    "ALTER TABLE image ADD COLUMN x",
    "ALTER TABLE image RENAME TO x",
    "ALTER TABLE image DROP COLUMN error",
    "ALTER TABLE image RENAME COLUMN error TO x",
    "ATTACH 'stolen.db' AS x",
    "ATTACH DATABASE ':memory:' AS x",
    "ATTACH 'file:stolen.db?mode=rwc' AS x",
    "ATTACH '' AS x",
    "DETACH main",
    "DETACH DATABASE temp",
    "VACUUM",
    "VACUUM main",
    "VACUUM INTO 'stolen.db'",
    "VACUUM main INTO 'file:stolen.db'",
    "REINDEX",
    "REINDEX image",
    "ANALYZE",
    "ANALYZE image",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT x",
    "RELEASE x",
    "ROLLBACK TO x",
    "PRAGMA journal_mode = WAL",
    "PRAGMA journal_mode = OFF",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA user_version = 7",
    "PRAGMA application_id = 7",
    "PRAGMA temp_store_directory = '.'",
    "PRAGMA data_store_directory = '.'",
    "PRAGMA schema_version = 1",
    "PRAGMA hard_heap_limit = 0",
    "PRAGMA soft_heap_limit = 0",
    "PRAGMA mmap_size = 99999999",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA optimize",
    "PRAGMA incremental_vacuum",
    "PRAGMA trusted_schema = ON",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA key = 'x'",
    "PRAGMA main.secure_delete = ON",
    "SELECT load_extension('x.so')",
    "SELECT load_extension('x.so', 'entry')",
    "SELECT LOAD_EXTENSION('x.so')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "SELECT writefile('stolen.db', 'x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT edit('x')",
    "SELECT 1; DELETE FROM image",
    "SELECT 1; SELECT 2",
    "; DELETE FROM image",
    "-- nothing",
    "",
    "SELECT 'unterminated",
    "SELECT \x00",
    ".shell touch stolen.db",
    ".output stolen.db",
    "COPY image TO 'stolen.db'",
    "SELECT zeroblob(1000000000)",
    "SELECT randomblob(900000000)",
    "SELECT replace(hex(zeroblob(30000000)), '0', 'xxxxxxxxxx')",
    "SELECT hamming('not hexadecimal', 1)",
    ENDLESS + "SELECT count(*) FROM n",
    ENDLESS + "SELECT x FROM n ORDER BY -x",
    ENDLESS + "SELECT group_concat(x) FROM n",
    ENDLESS + "SELECT count(DISTINCT x || 'a longer text') FROM n",
]


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) >= 100


@pytest.mark.parametrize("query", HOSTILE)
@pytest.mark.sqlite_file
def test_a_hostile_query_is_one_line_and_changes_nothing(
    filled: Index, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before, files = db.read_bytes(), sorted(os.listdir(tmp_path))
    with pytest.raises(QueryError) as caught:
        answer(filled, query, seconds=0.3)
    assert "\n" not in str(caught.value)
    assert db.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == files
    assert len(filled.select(100)) == 12


@pytest.mark.sqlite_file
def test_a_query_that_wants_too_much_memory_is_refused(filled: Index) -> None:
    query = (
        ENDLESS + "SELECT y FROM (SELECT hex(randomblob(15000000)) AS y FROM n LIMIT 60) ORDER BY y"
    )
    with pytest.raises(QueryError, match="too much memory"):
        answer(filled, query, seconds=60)
    assert len(filled.select(100)) == 12


@pytest.mark.sqlite_file
def test_what_is_denied_is_said(filled: Index) -> None:
    with pytest.raises(QueryError, match="more than read"):
        answer(filled, "DELETE FROM image")
    with pytest.raises(QueryError, match=r"stopped after 0\.2 s; ask for less"):
        answer(filled, ENDLESS + "SELECT count(*) FROM n", seconds=0.2)
    with pytest.raises(QueryError, match="no such table: images"):
        answer(filled, "SELECT * FROM images")


@pytest.mark.sqlite_file
def test_the_tables_can_be_described(filled: Index) -> None:
    assert ("path",) in [row[1:2] for row in answer(filled, "PRAGMA table_info(image)")]
    assert answer(filled, "SELECT count(*) FROM sqlite_master WHERE name = 'image'") == [(1,)]


@pytest.mark.sqlite_file
def test_json_can_be_taken_apart(filled: Index, db: Path) -> None:
    assert answer(filled, "SELECT value FROM json_each('[3, 4]')") == [(3,), (4,)]
    assert answer(filled, "SELECT count(*) FROM json_tree('{\"a\": [1, 2]}')") == [(4,)]
    with Store(db).reading() as session:
        assert session.matching("id IN (SELECT value FROM json_each('[3, 4]'))") == {3, 4}
    for hostile in ("SELECT * FROM dbstat", "CREATE TABLE json_each (value)"):
        with pytest.raises(QueryError, match=r"more than read|no such table"):
            answer(filled, hostile)


def test_sql_asks_an_index_only(tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError), Index(tmp_path / "none.db").sql("SELECT 1"):
        pass


@pytest.mark.sqlite_file
def test_what_sqlite_says_may_be_no_text(filled: Index, db: Path) -> None:
    """A view of a damaged index names a column by bytes that are no UTF-8."""
    filled.close()
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'image.path', 'image.' || CAST(x'e1e1' "
            "AS TEXT)) WHERE name = 'image_hash'"
        )
    with (
        pytest.raises(QueryError, match="cannot be answered"),
        filled.sql("SELECT * FROM image_hash") as answer,
    ):
        list(answer.rows)


def test_every_format(filled: Index, db: Path) -> None:
    query = "SELECT path, path, width, NULL AS empty, sort_key FROM image ORDER BY sort_key LIMIT 2"
    table = run("sql", query, db=db).stdout.splitlines()
    assert table[0].split() == ["path", "path", "width", "empty", "sort_key"]
    assert table[1].split()[:4] == ["cam0/IMG_1.JPG", "cam0/IMG_1.JPG", "320", "-"]
    records = json.loads(run("sql", query, "--format", "json", db=db).stdout)
    assert list(records[0]) == ["path", "path_2", "width", "empty", "sort_key"]
    assert records[0]["empty"] is None
    assert bytes.fromhex(records[0]["sort_key"]).endswith(b"cam0/IMG_1.JPG")
    assert run("sql", query, "--format", "csv", db=db).stdout.startswith(
        "path,path,width,empty,sort_key\ncam0/IMG_1.JPG,cam0/IMG_1.JPG,320,,"
    )


def test_json_loses_no_column_and_is_json(filled: Index, db: Path) -> None:
    infinite = "CAST('Infinity' AS float8)" if isinstance(db, Served) else "1e999"
    query = f"SELECT 1 AS a, 2 AS a, 3 AS a_2, {infinite} AS b, 4 AS a"
    shown = run("sql", query, "--format", "json", db=db).stdout
    (record,) = json.loads(shown, parse_constant=pytest.fail)
    assert list(record.values()) == [1, 2, 3, None, 4]


def test_a_function_says_what_it_takes(filled: Index) -> None:
    with pytest.raises(QueryError, match=r"take hashes, as integers or hex|not a valid hex"):
        answer(filled, "SELECT hamming('zz', 1)")


def test_a_long_answer_is_cut_in_a_table_only(filled: Index, db: Path) -> None:
    query = ENDLESS + "SELECT x FROM n LIMIT 1500"
    table = run("sql", query, db=db)
    assert len(table.stdout.splitlines()) == 1001
    assert table.stderr == "the first 1,000 rows; all of them: --format csv\n"
    assert len(run("sql", query, "--format", "csv", db=db).stdout.splitlines()) == 1501


def test_nothing_in_an_answer_acts_on_a_terminal(filled: Index, db: Path) -> None:
    escape = "chr(27)" if isinstance(db, Served) else "char(27)"
    shown = run("sql", f"SELECT '[red]a' || {escape} || '[31m' AS \"x[b]\"", db=db).stdout
    assert shown.split() == ["x[b]", r"[red]a\x1b[31m"]


def test_buckets_shows_what_a_sample_keeps(filled: Index, db: Path) -> None:
    sample = filled.select(5)
    for bits in (1, 4, 64):
        held = filled.buckets(5, bits=bits)
        assert sum(one.keeps for one in held) == 5
        assert sum(one.images for one in held) == 12
        assert [one.bucket for one in held] == sorted({one.bucket for one in held})
        assert all(len(one.bits) == bits and int(one.bits, 2) == one.bucket for one in held)
    keeps = {one.bucket: one.keeps for one in filled.buckets(5) if one.keeps}
    drawn: dict[int, int] = {}
    for image in sample:
        drawn[image.bucket] = drawn.get(image.bucket, 0) + 1
    assert keeps == drawn
    for one in filled.buckets():
        assert one.keeps == one.images
    lines = run("buckets", "-n", 5, db=db).stdout.splitlines()
    assert lines[0].split() == ["bits", "images", "keeps", "left", "out", "first", "path"]
    assert lines[-1].split()[-3:] == ["12", "5", "58%"]
    records = json.loads(run("buckets", "-n", 5, "--format", "json", db=db).stdout)
    assert [record["first_path"] for record in records] == [
        one.first_path for one in filled.buckets(5)
    ]


def test_the_first_path_is_the_first_in_natural_order(filled: Index) -> None:
    first: dict[int, str] = {}
    for image in filled.select(100):
        first.setdefault(image.bucket, image.relative_path)
    assert {one.bucket: one.first_path for one in filled.buckets()} == first
