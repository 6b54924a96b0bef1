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

from sdindex.hashing.image import read_image
from sdindex.hashing.methods import Method
from tests.conftest import CHECKOUT
from tests.torture import faults, oddities

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are watched in /proc")
KINDS = [oddities.made(kind, options) for kind, options in oddities.KINDS]


def test_random_rounds_leave_what_a_fresh_index_holds(tmp_path: Path) -> None:
    assert oddities.rounds(tmp_path, 10, 8).how_many == "10"


@linux
def test_killed_at_any_moment_no_row_is_lost(tmp_path: Path) -> None:
    assert faults.kills(tmp_path, 1, 6, files=300).how_many == "0 + 1"


@linux
def test_a_signal_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    shown = faults.signals(tmp_path, 1, 8, files=50, seconds=faults.HANGS)
    assert "0 processes left" in shown.result


@linux
def test_a_killed_worker_costs_its_file_alone(tmp_path: Path) -> None:
    assert "only the file in hand" in faults.workers(tmp_path, 1, 1, files=24).result


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
def test_a_failing_system_call_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    assert faults.syscalls(tmp_path, 2, 1, names=["a first run"]).how_many.startswith("2 of")


@pytest.mark.skipif(sys.platform != "linux", reason="not every name can be had there")
def test_any_name_comes_out_as_it_is(tmp_path: Path) -> None:
    assert oddities.names(tmp_path, 40, 3).how_many == "40"


def test_a_damaged_index_is_refused_in_a_line(tmp_path: Path) -> None:
    assert oddities.damage(tmp_path, 12, 1).how_many == "12"


def test_fuzzed_images_have_the_right_hash_or_none(tmp_path: Path) -> None:
    assert oddities.fuzzed(tmp_path, 40, 11).how_many == "40"


@linux
def test_writers_and_readers_at_once(tmp_path: Path) -> None:
    assert "0 errors" in faults.together(tmp_path, 2, 1).result


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from(KINDS),
    cut=st.none() | st.integers(0, 60_000),
    flips=st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 255)), max_size=6),
    method=st.sampled_from(["exact", "scaled"]),
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
    for place, change in flips:
        if broken:
            broken[place % len(broken)] ^= change
    file = tmp_path / "broken.jpg"
    file.write_bytes(broken)
    read = read_image(str(file), method)
    right = oddities.right_hash(bytes(broken), method)
    if read.picture is None:
        assert read.error
        assert right is None or "too large" in read.error
    else:
        assert read.picture.dhash == right


@linux
def test_the_check_sees_what_is_lost(tmp_path: Path) -> None:
    """What compares is not blind: a row changed, and one in the wrong place."""
    archive = faults.images(tmp_path / "archive", 20)
    expected, _, _ = faults.whole_run(tmp_path, archive)
    db = tmp_path / "whole" / "sdindex.db"
    for change in (
        "UPDATE image SET mtime_ns = mtime_ns + 1 WHERE id = 3",
        "UPDATE sampling_position SET image_id = 25 - image_id WHERE image_id IN (12, 13)",
        "DELETE FROM image WHERE id = 7",
    ):
        copy = tmp_path / "copy.db"
        shutil.copy(db, copy)
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.execute(change)
        assert faults.first_difference(faults.state(copy), expected)
    assert not faults.first_difference(faults.state(db), expected)


def test_the_script_has_every_part() -> None:
    script = [sys.executable, str(CHECKOUT / "scripts" / "torture"), "--help"]
    shown = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert "rounds,kills,signals,workers,fuzzed,names,syscalls,damage,together" in shown
