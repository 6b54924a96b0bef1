"""No query and no expression takes more time or memory than it is given."""

import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from sdindex import Index, QueryError
from sdindex.store import sqlite
from sdindex.store import sqlite_query as query_module
from sdindex.store.database import Store
from tests.store.test_query import ENDLESS, answer
from tests.support.commands import run

pytestmark = pytest.mark.sqlite_file


def test_an_endless_query_ends(filled: Index, db: Path) -> None:
    started = time.monotonic()
    result = run("sql", "--timeout", "0.2", ENDLESS + "SELECT count(*) FROM n", db=db)
    assert result.exit_code == 1
    assert time.monotonic() - started < 60


# Values, rows and numbers of columns that take gigabytes where they are not bounded.
LARGE = [
    ENDLESS + "SELECT hex(randomblob(900000)) FROM n LIMIT 150",  # first: a peak is of all before
    "SELECT hex(zeroblob(30000000)) FROM image",
    "SELECT printf('%.*c', 60000000, 'x') || char(128512) FROM image",
    f"SELECT {', '.join(['y'] * 500)} FROM (SELECT hex(randomblob(900000)) AS y)",
    f"SELECT {', '.join(['y'] * 100)} FROM (SELECT hex(randomblob(900000)) AS y), image",
]
PEAK, PEAK_OF_MANY = 700, 150  # MB; many rows are 270 MB together


MEASURED = """
import sys
from sdindex.cli.main import cli
db, form, *queries = sys.argv[1:]
for query in queries:
    try:
        cli(["--db", db, "sql", query, "--format", form], prog_name="sdindex")
    except SystemExit:
        pass
    # That of this program alone: ru_maxrss begins with what the process had that started it.
    status = open("/proc/self/status").read()
    print("peak", int(status.split("VmHWM:")[1].split()[0]) >> 10, file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is not in /proc")
@pytest.mark.parametrize(
    ("form", "queries"),
    [("table", LARGE), ("csv", [LARGE[0], *LARGE[1::2]]), ("json", LARGE[2::2])],
)
def test_memory_is_bounded_whatever_is_selected(
    filled: Index, db: Path, form: str, queries: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, db, form, *queries],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    *answers, rest = re.split(r"peak (\d+)\n", done.stderr)
    assert rest == ""
    for query, said, peak in zip(queries, answers[::2], answers[1::2], strict=True):
        assert said.count("\n") <= 1, said  # nothing, or the refusal
        most = PEAK_OF_MANY if "LIMIT" in query else PEAK
        assert int(peak) < most, (query[:80], peak)


def test_the_time_of_printing_counts(
    filled: Index, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "process_time", count(0.0, 0.01).__next__)
    result = run("sql", ENDLESS + "SELECT x FROM n", "--format", "csv", db=db)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the query was stopped after 10 s")
    assert len(result.stdout.splitlines()) == 1001  # ten seconds of hundredths, and a header


def test_a_table_is_bounded_whatever_is_in_it(filled: Index, db: Path) -> None:
    query = ENDLESS + "SELECT hex(zeroblob(500000)) FROM n LIMIT 500"
    table = run("sql", query, db=db)
    assert table.stderr == "the first 105 rows; all of them: --format csv\n"
    assert len(table.stdout) < 2 << 20
    assert set(table.stdout.split()[1:]) == {"0" * 10_000 + "…"}


WHERE = [
    "1); DELETE FROM image; --",
    "EXISTS (SELECT load_extension('x.so'))",
    "id IN (SELECT count(*) FROM pragma_journal_mode('off'))",
    "id = (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n)",
    "length(hex(zeroblob(30000000)))",
    "no_such_column",
    "'unterminated",
]


@pytest.mark.parametrize("expression", WHERE)
def test_where_is_under_the_guard_of_sql(
    filled: Index, db: Path, expression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_module, "DEFAULT_SECONDS", 0.3)
    before = db.read_bytes()
    with Store(db).writing() as session:
        with pytest.raises(QueryError) as caught:
            session.matching(expression)
        assert "\n" not in str(caught.value)
        # The guard is gone with the expression.
        assert len(session.matching("1")) == 12
        session.execute(sa.text("CREATE TABLE other AS SELECT zeroblob(5000000) AS large"))
    assert db.read_bytes() == before


# Run in a process of its own: what it does to SQLite's limit of memory stays.
LIMITS = """
import resource, sqlite3, sys
from sdindex import Index, QueryError
from sdindex.store import sqlite_query as query
def limit():
    return sqlite3.connect(":memory:").execute("PRAGMA hard_heap_limit").fetchone()[0]
query.DEFAULT_SECONDS = 2.0
with Index(sys.argv[1]) as index:
    assert len(index.select(100, where="id IN (SELECT id FROM image ORDER BY path)")) == 12
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        index.select(1, where=sys.argv[2])
    except QueryError as problem:
        print(problem)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert limit() == 0, "where"
    assert used < 200_000, used
    with index.sql("SELECT 1") as answer:
        list(answer.rows)
    assert 0 < limit(), "sql"
"""


NUMBERS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION {all} SELECT x + 1 FROM n) SELECT {what} FROM n"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss is of another unit")
@pytest.mark.parametrize(
    "expression",
    [
        f"id IN ({NUMBERS.format(all='', what='x')})",
        f"id IN ({NUMBERS.format(all='ALL', what='x || hex(randomblob(500))')})",
        f"1) UNION ALL SELECT * FROM ({NUMBERS.format(all='ALL', what='x')}) WHERE (1",
        "1) UNION ALL SELECT randomblob(2000000) FROM image, image b, image c WHERE (1",
    ],
)
def test_where_is_bounded_and_leaves_the_process_as_it_was(
    filled: Index, db: Path, expression: str
) -> None:
    command = [sys.executable, "-c", LIMITS, str(db), expression]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search("stopped after|is no expression", done.stdout)


STUCK = """
from sdindex.cli.main import cli
from sdindex.store import sqlite_query as query
query.DEFAULT_SECONDS = 0.2
cli(prog_name="sdindex")
"""


@pytest.mark.parametrize("asked", [("select", "-n", "1", "--where"), ("sql", "--timeout", "0.2")])
def test_a_function_that_takes_minutes_ends_the_program(
    filled: Index, db: Path, asked: tuple[str, ...]
) -> None:
    endless = "instr(hex(zeroblob(1000000)), hex(zeroblob(500000)) || 1)"
    question = endless if "--where" in asked else f"SELECT {endless}"
    done = subprocess.run(
        [sys.executable, "-c", STUCK, "--db", str(db), *asked, question],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the query was stopped after 0.2 s")
    assert done.stderr.count("\n") == 1


def test_where_sees_what_the_rest_of_the_session_sees(filled: Index, db: Path) -> None:
    with closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")  # whoever reads keeps nobody from writing
        with Store(db).reading() as session:
            assert session.scalar(sa.text("SELECT count(*) FROM image")) == 12
            other.execute("DELETE FROM image WHERE id <= 5")
            assert len(session.matching("id <= 5")) == 5
        with Store(db).reading() as session:
            assert session.matching("id <= 5") == set()


def test_an_answer_that_failed_keeps_nobody_waiting(
    filled: Index, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0)
    with closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("UPDATE image SET error = CAST(x'c1' AS TEXT) WHERE id = 1")
    with pytest.raises(QueryError) as kept:
        answer(filled, "SELECT error FROM image ORDER BY id")
    filled.prune()
    assert kept.value
