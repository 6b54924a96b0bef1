"""The short form of scripts/torture: each fault is caused for real, a few times."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdindex import IndexUnusableError
from sdindex.hashing.methods import METHODS, Method
from tests.conftest import CHECKOUT
from tests.support import reading
from tests.support.examples import examples
from tests.torture import harms
from tests.torture.battery import PARTS, part
from tests.torture.oracle import judge
from tests.torture.scenes import SCENES
from tests.torture.states import State, first_difference, state, update
from tests.torture.support import HANGS, images

KINDS = [harms.made(kind, options) for kind in harms.KINDS for options in harms.KINDS[kind]]
# How often each part is done here, from which seed, and what of it is made smaller.
SHORT: dict[str, tuple[int, int, dict[str, object]]] = {
    "rounds": (10, 8, {}),
    "kills": (1, 6, {"files": 200, "names": SCENES[:1]}),
    "signals": (1, 8, {"files": 50, "seconds": HANGS}),
    "workers": (1, 1, {"files": 24}),
    "fuzzed": (12, 11, {}),
    "names": (20, 3, {}),
    "syscalls": (2, 1, {"names": ["a first run"]}),
    "damage": (6, 1, {}),
    "together": (1, 1, {}),
    "modules": (1, 2, {}),
    "disks": (2, 1, {"files": 40}),
    "mounts": (3, 4, {}),
    "limits": (2, 4, {"files": 24}),
    "statements": (6, 1, {}),
    "nested": (2, 2, {}),
    "huge": (1, 0, {}),
    "refused": (4, 1, {}),
    "decoders": (6, 1, {}),
    "links": (30, 1, {}),
    "changed": (3, 1, {}),
    "executors": (3, 1, {}),
    "cards": (4, 1, {}),
    "postgresql": (1, 1, {"files": 30, "seconds": 1}),
    "crowds": (1, 1, {"files": 40, "engines": ["threads"]}),
}
linux = pytest.mark.skipif(sys.platform != "linux", reason="made of Linux's faults")


@linux
@pytest.mark.parametrize("name", PARTS)
def test_what_is_promised_holds(name: str, tmp_path: Path) -> None:
    count, seed, smaller = SHORT[name]
    row = part(name)(tmp_path, count, seed, **smaller)
    if row.result.startswith("skipped: "):
        pytest.skip(row.result.removeprefix("skipped: "))
    assert str(count) in row.how_many


@linux
def test_an_upgrade_that_is_killed_is_done_by_the_next_run(tmp_path: Path) -> None:
    row = part("kills")(tmp_path, 1, 3, files=20, names=SCENES[-1:])
    assert "0 rows lost" in row.result


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from(KINDS),
    cut=st.none() | st.integers(0, 60_000),
    flips=st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 255)), max_size=6),
    method=st.sampled_from(METHODS),
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of what is broken: that is the point
def test_a_broken_image_has_the_right_hash_or_an_error(
    tmp_path: Path,
    content: bytes,
    cut: int | None,
    flips: list[tuple[int, int]],
    method: Method,
) -> None:
    broken = bytearray(content[:cut])
    for position, change in flips:
        if broken:
            broken[position % len(broken)] ^= change
    file = tmp_path / "broken.jpg"
    file.write_bytes(broken)
    read = reading.read(file, method)
    judged = judge(file)
    if read.picture is None:
        assert read.error
        assert judged.is_huge or not judged.right("scaled" if method == "thumbnail" else method)
    else:
        assert read.picture.dhash in judged.right(method)


def difference(db: Path, expected: State) -> str:
    try:
        return first_difference(state(db), expected)
    except IndexUnusableError as problem:
        return str(problem)


def test_the_check_sees_what_is_lost(tmp_path: Path) -> None:
    """What compares is not blind: a row changed, and one in the wrong place."""
    archive = images(tmp_path / "archive", 20)
    db = tmp_path / "sdindex.db"
    update(db, archive)
    expected = state(db)
    for change in (
        "UPDATE image SET mtime_ns = mtime_ns + 1 WHERE id = 3",
        "UPDATE frame_column SET data = CAST(substr(data, 9) || substr(data, 1, 8) AS BLOB) "
        "WHERE name LIKE 'ids-%'",
        "DELETE FROM image WHERE id = 7",
    ):
        copy = tmp_path / "copy.db"
        shutil.copy(db, copy)
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.execute(change)
        assert difference(copy, expected)
    assert not first_difference(state(db), expected)


def test_the_script_has_every_part() -> None:
    script = [sys.executable, str(CHECKOUT / "scripts" / "torture"), "--help"]
    shown = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert all(name in shown for name in PARTS)
    assert set(SHORT) == set(PARTS)
