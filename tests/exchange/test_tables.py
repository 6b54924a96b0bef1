"""What programs and terminals are given: exact for the one, harmless for the other."""

import csv
import io
import os
import subprocess
import sys
from concurrent.futures import Executor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdindex import Index
from sdindex.archive.natural import sort_key
from sdindex.exchange.tables import write_csv
from sdindex.store.database import Store
from sdindex.store.tables import archive as archive_table
from sdindex.store.tables import image as image_table
from sdindex.store.tables import utc_now
from tests.conftest import make_image
from tests.support.counting import rows

posix = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="no such names there")

acting = st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0d", ",", '"'])
texts = st.one_of(
    st.text(), st.builds(str.__add__, acting, st.text()), st.lists(acting).map("".join)
)
numbers = st.one_of(st.none(), st.integers(), st.floats(allow_nan=False))
# What OWASP lists, in both widths.
RUN = tuple("=+-@\t\r\n") + tuple("\uff1d\uff0b\uff0d\uff20")


@given(st.lists(st.tuples(texts, numbers), max_size=5))
def test_no_text_is_a_formula_and_all_come_back(table: list[tuple[str, float | None]]) -> None:
    written = io.BytesIO()
    write_csv(["name", "number"], table, written)
    text = written.getvalue().decode("utf-8", "surrogatepass")
    header, *back = csv.reader(io.StringIO(text, newline=""))
    assert header == ["name", "number"]
    assert not [name for name, _ in back if name.startswith(RUN)]
    assert [name.removeprefix("'") for name, _ in back] == [name for name, _ in table]
    assert [number for _, number in back] == ["" if n is None else str(n) for _, n in table]


NAMES = [
    b"=1+1.jpg", b"-x.jpg", b"'quoted'.jpg", b"esc\x1b[31m.jpg", "caf\u00e9 10.jpg".encode(),
    "caf\u00e9 2.jpg".encode(), "cafe\u0301 2.jpg".encode(), b"caf\xe9.jpg", b"back\\xe9.jpg",
    b"new\r\nline.jpg", b" trailing .jpg",
]  # fmt: skip
# Python decodes names as ASCII then, and all other bytes as what is no text.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def odd_names(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    for seed, name in enumerate(NAMES):
        make_image(folder / "some.jpg", seed).rename(folder / os.fsdecode(name))
    return folder


def program(db: Path, *arguments: object, **environment: str) -> bytes:
    return subprocess.run(
        [sys.executable, "-m", "sdindex", "--db", db, *map(str, arguments)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


@posix
def test_names_are_the_same_whatever_the_locale(
    odd_names: Path, db: Path, tmp_path: Path, threads: Executor
) -> None:
    with Index(db) as index:
        index.update(odd_names, executor=threads)
    other = tmp_path / "other.db"
    program(other, "index", "-q", odd_names, **ASCII)
    query = "SELECT path, sort_key, dhash FROM image ORDER BY path"
    assert rows(other, query) == rows(db, query)
    drawn = program(other, "select", "-n", len(NAMES), "--relative", "--format", "null", **ASCII)
    assert sorted(drawn.split(b"\0")) == sorted([*NAMES, b""])
    assert drawn == program(db, "select", "-n", len(NAMES), "--relative", "--format", "null")


@posix
@pytest.mark.parametrize("form", ["paths", "csv", "json"])
def test_nothing_in_a_name_reaches_a_terminal(
    odd_names: Path, db: Path, threads: Executor, form: str
) -> None:
    import pty

    with Index(db) as index:
        index.update(odd_names, executor=threads)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sdindex", "--db", str(db), "select", "-n", str(len(NAMES))]
    with subprocess.Popen([*command, "--format", form], stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        with open(ours, "rb", buffering=0) as terminal:
            try:
                while chunk := terminal.read(4096):
                    shown += chunk
            except OSError:  # how a terminal ends
                pass
    assert process.returncode == 0
    lines = shown.decode("utf-8").splitlines()
    assert all(line.isprintable() for line in lines)
    escape = "\\u001b[31m" if form == "json" else "\\x1b[31m"
    assert any(escape in line for line in lines)
    assert len(lines) == {"paths": 12, "csv": 16, "json": 13}[form]


@posix
def test_whoever_reads_only_the_first_line_is_given_it(db: Path) -> None:
    paths = [f"camera/IMG_{number:06}.JPG" for number in range(20_000)]
    with Store(db).writing(create=True) as connection:
        connection.execute(archive_table.insert(), {
            "id": 1, "root": "/a", "sort_key": b"", "method": "scaled", "added_at": utc_now(),
        })  # fmt: skip
        connection.execute(image_table.insert(), [
            {"archive_id": 1, "path": path, "size": 1, "mtime_ns": 1, "ctime_ns": 1, "inode": 1,
             "settled": True, "dhash": 1, "method": "scaled-1", "sort_key": sort_key(path),
             "width": 1, "height": 1, "brightness": 1.0, "indexed_at": utc_now()}
            for path in paths
        ])  # fmt: skip
        connection.commit()
    for form in ("paths", "csv"):
        command = f"{sys.executable} -m sdindex --db {db} select -n 20000 --format {form} | head -1"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert done.stdout.count("\n") == 1
