"""Processes that hang, die or are told to end; disks that are full; and what is left after."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from sdindex import Index
from sdindex.archive.roots import made_by
from sdindex.workers import Workers
from tests.conftest import CHECKOUT, make_image
from tests.support.counting import counts, rows
from tests.support.stalling import StallingRoot

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="made of Linux's faults")

# Runs the command line with a disk that stalls.
STALLING = f"""
import sys
sys.path.append({str(CHECKOUT)!r})
from sdindex.archive.roots import made_by
from sdindex.cli.main import cli
from tests.support.stalling import StallingRoot
with made_by(StallingRoot):
    cli()
"""


class Run:
    """A program, and all processes that it has started, whoever their parent is now."""

    def __init__(self, code: str, arguments: Sequence[object]) -> None:
        mark = str(uuid4())
        self._mark = mark.encode()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "SDINDEX_TEST_RUN": mark},
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> list[str]:
        """Return the numbers of all its processes that are alive."""
        return [pid for pid in os.listdir("/proc") if self._mark in self._environment(pid)]

    def _environment(self, pid: str) -> bytes:
        try:
            return Path("/proc", pid, "environ").read_bytes()
        except OSError:  # no process, or one that has ended
            return b""

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; return the exit status and stderr, when no process is left."""
        self.process.send_signal(number)
        try:
            _, shown = self.process.communicate(timeout=30)
            wait_until(lambda: not self.processes())
        finally:
            for left in self.processes():
                os.kill(int(left), signal.SIGKILL)
        return self.process.returncode, shown


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until something is so; fail when it is not after half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def stalling_archive(tmp_path: Path) -> Path:
    """Two images that hang and six that are slow to read, the first to hang first of all."""
    for seed in range(8):
        name = f"hang{seed}.jpg" if seed % 4 == 0 else f"slow{seed}.jpg"
        make_image(tmp_path / "archive" / name, seed)
    return tmp_path / "archive"


def test_a_read_that_hangs_costs_that_file_alone(index: Index, stalling_archive: Path) -> None:
    with made_by(StallingRoot):
        # Both workers hang at times; who waits behind them for longer than the timeout is read.
        summary = index.update(stalling_archive, workers=2, timeout=0.5)
    assert counts(summary) == {"new": 6, "unreadable": 2, "read": 8}
    held = [(Path(one.path).name, one.reason) for one in index.errors()]
    reason = "reading it hung, and was given up (see --timeout)"
    assert held == [("hang0.jpg", reason), ("hang4.jpg", reason)]
    assert counts(index.update(stalling_archive)) == {"changed": 2, "unchanged": 6, "read": 2}


def test_a_worker_that_is_killed_between_two_files_costs_none_of_the_others() -> None:
    with Workers(2, timeout=60.0) as pool:
        for _ in range(5):
            os.kill(pool.submit(os.getpid).result(), signal.SIGKILL)
            done = [pool.submit(abs, -number).exception() for number in range(6)]
            assert sum(problem is not None for problem in done) <= 1, "the one in hand at most"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_it_ends_and_leaves_nothing(
    db: Path, stalling_archive: Path, number: signal.Signals
) -> None:
    run = Run(STALLING, ["--db", db, "index", stalling_archive])
    wait_until((stalling_archive / "hang4.jpg.pipe").exists)  # both have begun to hang
    begun = len(run.processes())
    status, shown = run.end(number)
    assert begun >= 4, "the program, its server, and the workers that hang"
    assert status == 128 + number
    assert shown == "interrupted; what was stored is kept, and the next run goes on\n"
    in_error = "SELECT count(*) FROM image WHERE error IS NOT NULL"
    assert not db.exists() or rows(db, in_error) == [(0,)]  # a server takes back an empty index


def test_killed_it_leaves_no_process(db: Path, stalling_archive: Path) -> None:
    run = Run(STALLING, ["--db", db, "index", stalling_archive])
    wait_until((stalling_archive / "hang4.jpg.pipe").exists)
    assert len(run.processes()) >= 4
    assert run.end(signal.SIGKILL)[0] == -signal.SIGKILL
    with Index(db) as index:
        assert index.update(stalling_archive).found == 8


def test_a_report_that_is_told_to_end_leaves_no_half_file(
    index: Index, db: Path, archive: Path, tmp_path: Path
) -> None:
    index.update(archive)
    (archive / "cam0/IMG_1.JPG").unlink()
    os.mkfifo(archive / "cam0/IMG_1.JPG")  # whoever opens it hangs
    (tmp_path / "report.html").write_text("the old one")
    run = Run(
        "from sdindex.cli.main import cli\nif __name__ == '__main__':\n    cli()",
        ["--db", db, "report", "-n", "12", "-o", tmp_path / "report.html"],
    )
    wait_until(lambda: len(run.processes()) >= 4 and list(tmp_path.glob("*.part*")))
    assert run.end(signal.SIGTERM)[0] == 143
    assert not list(tmp_path.glob("*.part*"))
    assert (tmp_path / "report.html").read_text() == "the old one"


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """Return what a command begins with that is to see a disk of 256 KB at `tmp_path`/disk."""
    (tmp_path / "disk").mkdir()
    mount = f'mount -t tmpfs -o size=256k none {tmp_path}/disk && exec "$@"'
    begin = ["unshare", "-rm", "sh", "-c", mount, "sh"]
    if subprocess.run([*begin, "true"], check=False).returncode:
        pytest.skip("this user may not mount a disk")
    return begin


def test_a_full_disk_is_one_line_and_keeps_what_was_stored(
    tmp_path: Path, small_disk: list[str]
) -> None:
    for seed in range(1500):
        make_image(tmp_path / "archive" / f"{seed}.png", seed, (9, 8))
    program = f"{sys.executable} -m sdindex --db {tmp_path}/disk/sdindex.db"
    script = (
        f"{program} index -q {tmp_path}/archive; echo $?; "
        f"{program} select -n 9999 2>/dev/null | wc -l; {program} errors --format csv"
    )
    done = subprocess.run(
        [*small_disk, "sh", "-c", script], capture_output=True, text=True, check=True
    )
    status, selected, *errors = done.stdout.split()
    assert status == "1"
    assert 256 <= int(selected) < 1500, "earlier batches are intact"
    assert int(selected) % 256 == 0 or int(selected) > 256
    assert errors == ["path,relative_path,archive,reason,size,read_at"]
    assert done.stderr.count("\n") == 1
    assert "no space left on the disk; what was stored before is intact" in done.stderr
