"""Faults from outside, caused for real: killed processes, signals, system calls that fail.

Each part takes a folder to work in, how often to do it, and a seed. The first thing that is
not as promised raises a `DifferenceError`. The trial with number i is made from seed + i, so that
it alone can be made again.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import count as count_from
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from click.testing import CliRunner
from PIL import Image

from sdindex import Index
from sdindex.cli.main import cli
from sdindex.indexing.ingest import BATCH_FILES
from sdindex.workers import IN_FLIGHT_PER_WORKER

LONG_AGO = 1_700_000_000  # seconds since 1970: far from now, so that a file is settled
WORKERS = 4
FILES = 700  # of an archive that is read in two batches and a rest
TWICE = 7  # of so many runs that are killed, one is killed again while it repairs
HANGS = 60.0  # seconds that nothing here takes
LATE = 20.0  # seconds in which a process whose parent was killed must have ended

_COLUMNS = (
    "archive.root, image.path, size, mtime_ns, dhash, error, image.method, image.sort_key, "
    "taken_at, width, height, brightness"
)
_QUESTIONS = {
    "row": f"SELECT {_COLUMNS} FROM image JOIN archive ON archive.id = archive_id "
    "WHERE missing_since IS NULL ORDER BY archive.root, path",
    "place in the sampling order": "SELECT position, path FROM sampling_position "
    "JOIN image ON image.id = image_id ORDER BY position",
    "bucket": "SELECT bucket, first_position, images FROM sampling_bucket ORDER BY bucket",
    "archive": "SELECT root, method FROM archive ORDER BY root",
}
_COMMITTED = "SELECT path, size, mtime_ns, dhash, error FROM image"

State = dict[str, list[tuple[Any, ...]]]


class DifferenceError(Exception):
    """Something is not as promised; the text says what, and how to see it again."""


class Row(NamedTuple):
    """A line of the table: what was done, how many times, and what came of it."""

    what: str
    how_many: str
    result: str


def check(holds: bool, said: str) -> None:
    if not holds:
        raise DifferenceError(said)


def state(db: Path) -> State:
    """Return what an index holds of the files that are there, in the order of their paths."""
    with closing(opened(db)) as connection:
        held = {name: connection.execute(query).fetchall() for name, query in _QUESTIONS.items()}
    with Index(db) as index:
        for wanted, bits in ((1, 4), (7, 4), (10**6, 4), (9, 11)):
            sample = index.select(wanted, bits=bits)
            held[f"image of {wanted} at {bits} bits"] = [(one.path, one.dhash) for one in sample]
    return held


def first_difference(found: State, expected: State) -> str:
    """Return what differs first between two states; nothing when they are the same."""
    for name, wanted in expected.items():
        for one, other in zip(found[name], wanted, strict=False):
            if one != other:
                return f"{name} {one} is to be {other}"
        if len(found[name]) != len(wanted):
            return f"{len(found[name])} times {name} are to be {len(wanted)}"
    return ""


def opened(db: Path, *, timeout: float = HANGS) -> sqlite3.Connection:
    return sqlite3.connect(f"{db.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout)


def images(folder: Path, count: int, size: tuple[int, int] = (32, 24)) -> Path:
    """Write small images, each with a hash and a time of its own."""
    folder.mkdir(parents=True)
    chance = np.random.default_rng(1)
    for number in range(count):
        rough = Image.fromarray(chance.integers(0, 256, (8, 9), dtype=np.uint8))
        place = folder / f"{number % 7}" / f"IMG_{number}.JPG"
        place.parent.mkdir(exist_ok=True)
        rough.resize(size, Image.Resampling.BICUBIC).save(place, quality=90)
        os.utime(place, (LONG_AGO + number, LONG_AGO + number))
    return folder


def command(db: Path, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "sdindex", "--db", str(db), *map(str, arguments)]


class Run:
    """A running program in a session of its own, with what it writes in a file."""

    def __init__(self, program: Sequence[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as shown:
            self.process = subprocess.Popen(
                program, stdin=subprocess.DEVNULL, stdout=shown, stderr=shown,
                start_new_session=True,
            )  # fmt: skip

    @property
    def shown(self) -> str:
        return self.log.read_text(errors="backslashreplace")

    def send(self, number: int, *, everyone: bool) -> None:
        """Send a signal to the program, or to every process that it has started, too."""
        with suppress(ProcessLookupError):  # it may have just ended
            if everyone:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def ended(self, seconds: float = HANGS) -> int:
        """Wait for its end, and return its status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            left = processes(self.process.pid)
            self.send(signal.SIGKILL, everyone=True)
            self.process.wait()
            raise DifferenceError(f"it hangs, with the processes {left}: {self.shown}") from None

    def left(self, seconds: float) -> dict[int, int]:
        """Return its processes that are still there after so long, and end them."""
        deadline = time.monotonic() + seconds
        while (left := processes(self.process.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        for number in left:
            _kill(number)
        return left


def processes(session: int) -> dict[int, int]:
    """Return the living processes of a session, and the parent of each."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            status = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(status[3]) == session and status[0] not in "ZX":
            found[int(place.name)] = int(status[1])
    return found


def whole_run(folder: Path, archive: Path) -> tuple[State, float, float]:
    """Index an archive undisturbed: return the state, when its index is begun, and when done."""
    db = folder / "whole" / "sdindex.db"
    db.parent.mkdir()
    started = time.monotonic()
    run = Run(command(db, "index", "-v", archive), folder / "whole.log")
    while run.process.poll() is None and not any(db.parent.iterdir()):
        time.sleep(0.001)
    begun = time.monotonic() - started
    check(run.ended() == 0, run.shown)
    return state(db), begun, time.monotonic() - started


def index_again(db: Path, archive: Path, expected: State, again: str) -> int:
    """Have the next run finish the work; return how many files it read."""
    result = CliRunner().invoke(cli, ["--db", str(db), "index", str(archive)])
    check(result.exit_code == 0, f"the next run: {result.output or result.exception}; {again}")
    wrong = first_difference(state(db), expected)
    check(not wrong, f"after the next run, {wrong}; {again}")
    read = re.search(r"; ([\d,]+) read in", result.stderr)
    check(read is not None, f"the next run said {result.stderr!r}; {again}")
    return int(read[1].replace(",", "")) if read else 0


def kills(folder: Path, count: int, seed: int, *, files: int = FILES) -> Row:
    """Kill `index` at random moments: all its processes or the first alone, and repairs, too."""
    archive = images(folder / "archive", files)
    expected, begun, whole = whole_run(folder, archive)
    stages: Counter[str] = Counter()
    most_twice = again_killed = 0
    slowest_end = 0.0
    for trial in range(count):
        again = f"seed {seed + trial}"
        chance = random.Random(seed + trial)
        place = folder / f"killed-{trial}"
        place.mkdir()
        db = place / "sdindex.db"
        committed: set[tuple[Any, ...]] = set()
        attempts = 2 if (seed + trial) % TWICE == TWICE - 1 else 1
        again_killed += attempts == 2
        for attempt in range(attempts):
            run = Run(command(db, "index", "-v", archive), place / "killed.log")
            time.sleep(chance.uniform(0.8 * begun, whole))
            seen = committed | (rows_now(db) or set())
            everyone = chance.random() < 0.5
            run.send(signal.SIGKILL, everyone=everyone)
            finished = run.ended() == 0
            killed = time.monotonic()
            left = run.left(LATE)
            slowest_end = max(slowest_end, time.monotonic() - killed)
            check(not left, f"processes {left} were left; {again}, attempt {attempt}")
            held = rows_after(db, place / "copy")
            lost = seen - held
            check(not lost, f"{len(lost)} rows lost, as {min(lost, default=None)}; {again}")
            twice = run.shown.count("new: ") - len(held - committed)
            check(
                twice <= BATCH_FILES + WORKERS * IN_FLIGHT_PER_WORKER,
                f"{twice} files that were read are not in the index; {again}",
            )
            most_twice = max(most_twice, twice)
            stages[_stage(db, held, files, finished)] += 1
            committed = held
        read = index_again(db, archive, expected, again)
        wanted = files - len(committed)
        check(read == wanted, f"the next run read {read} files, not {wanted}; {again}")
        shutil.rmtree(place)
    moments = ", ".join(f"{number:,} {stage}" for stage, number in sorted(stages.items()))
    return Row(
        "kill -9 at random moments, and again during the repair",
        f"{count - again_killed} + {again_killed}",
        f"0 rows lost, 0 differences; at most {most_twice} files read twice; "
        f"0 processes left, the last gone after {slowest_end:.1f} s ({moments})",
    )


def _stage(db: Path, held: set[tuple[Any, ...]], files: int, finished: bool) -> str:
    if finished:
        return "after the end"
    if not db.exists():
        return "before there was an index"
    return f"with {'all' if len(held) == files else 'some' if held else 'no'} rows stored"


def rows_now(db: Path) -> set[tuple[Any, ...]] | None:
    """Return what is committed while another program writes; None at a moment of commit."""
    if not db.exists():
        return None
    try:
        with closing(opened(db, timeout=0)) as connection:
            return set(connection.execute(_COMMITTED))
    except sqlite3.OperationalError:
        return None


def rows_after(db: Path, copy: Path) -> set[tuple[Any, ...]]:
    """Return what is committed after a crash, from a copy: the repair is left to the program."""
    if not db.exists():
        return set()
    copy.mkdir(exist_ok=True)
    for old in copy.iterdir():
        old.unlink()
    for file in db.parent.glob(f"{db.name}*"):
        shutil.copy(file, copy)
    with closing(sqlite3.connect(copy / db.name)) as connection:
        broken = connection.execute("PRAGMA integrity_check").fetchone()
        check(broken == ("ok",), f"the index is damaged: {broken}")
        return set(connection.execute(_COMMITTED))


def signals(
    folder: Path, count: int, seed: int, *, files: int = FILES, seconds: float = 1.0
) -> Row:
    """Send SIGINT and SIGTERM in turn, to the program or to all its processes."""
    archive = images(folder / "archive", files)
    expected, begun, whole = whole_run(folder, archive)
    statuses: Counter[str] = Counter()
    slowest = 0.0
    for trial in range(2 * count):
        number = (signal.SIGINT, signal.SIGTERM)[(seed + trial) % 2]
        again = f"{number.name}, seed {seed + trial}"
        chance = random.Random(seed + trial)
        place = folder / f"ended-{trial}"
        place.mkdir()
        db = place / "sdindex.db"
        run = Run(command(db, "index", "-q", archive), place / "ended.log")
        time.sleep(chance.uniform(0.5 * begun, whole))
        seen = rows_now(db) or set()
        sent = time.monotonic()
        run.send(number, everyone=chance.random() < 0.5)
        status = run.ended()
        left = run.left(max(0.0, sent + seconds - time.monotonic()))
        took = time.monotonic() - sent
        check(not left, f"processes {left} are left; {again}")
        check(took <= seconds, f"it took {took:.2f} s; {again}")
        slowest = max(slowest, took)
        # Before Python is there, and when it goes, a signal itself ends the process: a shell
        # shows the same for both.
        right = status in (0, 128 + number, -number)
        check(right, f"it ended with {status}: {run.shown}; {again}")
        check(run.shown.count("\n") <= 1, f"it said {run.shown!r}; {again}")
        check(seen <= rows_after(db, place / "copy"), f"rows were lost; {again}")
        index_again(db, archive, expected, again)
        statuses[f"{status} after {number.name}" if status else "at the end by then"] += 1
        shutil.rmtree(place)
    ends = ", ".join(f"{times} {status}" for status, times in sorted(statuses.items()))
    return Row(
        "SIGINT and SIGTERM at random moments",
        f"{count} + {count}",
        f"ended in {slowest:.2f} s at most, 0 processes left, 1 line at most ({ends})",
    )


def workers(folder: Path, count: int, seed: int, *, files: int = 200) -> Row:
    """Kill a worker at a random moment."""
    archive = images(folder / "archive", files, (1600, 1200))
    expected, _, _ = whole_run(folder, archive)
    in_hand = 0
    for trial in range(count):
        again = f"seed {seed + trial}"
        chance = random.Random(seed + trial)
        place = folder / f"worker-{trial}"
        place.mkdir()
        db = place / "sdindex.db"
        run = Run(command(db, "index", archive), place / "worker.log")
        victim = _a_worker(run, chance)
        if victim is not None:
            time.sleep(chance.uniform(0, 0.3))
            _kill(victim)
        status = run.ended()
        check(status == 0, f"it ended with {status}: {run.shown}; {again}")
        check(not run.left(LATE), f"processes are left; {again}")
        counted = [int(figure) for figure in re.findall(r"\d+", run.shown)[:6]]
        check(counted[0] == sum(counted[1:]), f"the sum is wrong: {run.shown}; {again}")
        rows = {row[1]: row for row in state(db)["row"]}
        wrong = [row for row in expected["row"] if rows.get(row[1]) != row]
        check(len(wrong) <= 1, f"{len(wrong)} files are affected; {again}")
        for row in wrong:
            error = rows[row[1]][5]
            check("its reader died" in (error or ""), f"{row[1]}: {error}; {again}")
        in_hand += len(wrong)
        read = index_again(db, archive, expected, again)
        check(read == len(wrong), f"the next run read {read} files; {again}")
        shutil.rmtree(place)
    return Row(
        "workers killed at random",
        f"{count}",
        f"only the file in hand is affected: {in_hand} times one file, "
        f"{count - in_hand} times none; the next run reads it, and nothing else",
    )


def _a_worker(run: Run, chance: random.Random) -> int | None:
    """Return a worker, as soon as there is one; None when the program has ended before."""
    while run.process.poll() is None:
        parents = processes(run.process.pid)
        found = [one for one, parent in parents.items() if parents.get(parent, 0) in parents]
        if found:
            return chance.choice(found)
        time.sleep(0.005)
    return None


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):  # it may have just ended
        os.kill(process, signal.SIGKILL)


# The file stays open, or there is nothing that could fail so.
_NEVER_FAIL = {"close", "lseek", "flock", "dup", "dup2", "dup3", "ioctl", "getcwd"}
_NEED_SPACE = {"openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "mkdir", "rename"}


class Fault(NamedTuple):
    """The n-th system call of that name fails with an error, in each process."""

    scene: str
    call: str
    number: int
    error: str

    def __str__(self) -> str:
        return f"{self.scene}: {self.call} number {self.number} fails with {self.error}"


SCENES = ("a first run", "an update")


def syscalls(folder: Path, count: int | None, seed: int, *, names: Sequence[str] = SCENES) -> Row:
    """Let each system call that touches the index or the archive fail once; `count` at random."""
    if shutil.which("strace") is None:
        return Row("the Nth system call fails with EIO or ENOSPC", "0", "skipped: no strace here")
    scenes = {name: Scene(folder / name, name) for name in names}
    faults = [fault for scene in scenes.values() for fault in scene.faults()]
    if count is not None:
        faults = random.Random(seed).sample(faults, count)
    outcomes: Counter[str] = Counter(scenes[fault.scene].outcome(fault) for fault in faults)
    calls = len({fault.call for fault in faults})
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "the Nth system call fails with EIO or ENOSPC",
        f"{len(faults):,} of {calls} calls",
        f"the old or the new state, one line at most ({said})",
    )


class Scene:
    """A small run of `index`, what the index holds before, and what after it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder
        self.archive = images(folder / "archive", 3)
        self.place = folder / "place"
        self.db = self.place / "sdindex.db"
        self.kept = folder / "kept"
        self.kept.mkdir()
        self.old: set[tuple[Any, ...]] = set()
        if name == "an update":
            self._run(command(self.kept / self.db.name, "index", "-q", self.archive))
            self.old = _rows(self.kept / self.db.name)
            added = images(folder / "more", 2, (40, 32)) / "1" / "IMG_1.JPG"
            shutil.copy(added, self.archive / "1" / "IMG_1.JPG")
            shutil.copy(added, self.archive / "2" / "IMG_9.JPG")
            for number, file in enumerate(sorted(self.archive.rglob("*.JPG"))):
                os.utime(file, (LONG_AGO + 50 * number, LONG_AGO + 50 * number))
        self._set_up()
        self._run(command(self.db, "index", "-q", self.archive))
        self.new = _rows(self.db)
        self.expected = state(self.db)

    def faults(self) -> Iterator[Fault]:
        """Yield all that can happen: the calls that an undisturbed run makes, each in turn."""
        self._set_up()
        log = self._trace("trace=%file,%desc")
        most: Counter[str] = Counter()
        for (_, call), times in Counter(re.findall(r"^(\d+) +(\w+)\(", log, re.M)).items():
            most[call] = max(most[call], times)
        for call, times in sorted(most.items()):
            for error in ("EIO", "ENOSPC"):
                if call not in _NEVER_FAIL and (error == "EIO" or call in _NEED_SPACE):
                    yield from (Fault(self.name, call, n + 1, error) for n in range(times))

    def outcome(self, fault: Fault) -> str:
        """Run with a fault, check what is left, and return in words what came of it."""
        self._set_up()
        inject = f"inject={fault.call}:error={fault.error}:when={fault.number}"
        log = self._trace(f"trace={fault.call}", inject)
        said = (self.folder / "said").read_text()
        status = int((self.folder / "status").read_text())
        check(status in (0, 1), f"{fault}: it ended with {status}: {said}")
        check(len(said.splitlines()) <= 1, f"{fault}: it said {said}")
        check(bool(said) or not status, f"{fault}: it ended with {status} and no word")
        if self.db.exists():
            self._check_rows(fault)
        else:
            check(not self.old, f"{fault}: the index is gone")
        with Index(self.db) as index, ThreadPoolExecutor(1) as threads:
            index.update(self.archive, executor=threads)
        wrong = first_difference(state(self.db), self.expected)
        check(not wrong, f"{fault}: after the next run, {wrong}")
        if "INJECTED" not in log:
            return "not reached"
        return f"with status {status}"

    def _check_rows(self, fault: Fault) -> None:
        rows = rows_after(self.db, self.folder / "copy")
        refused = {row for row in rows if row[4] and "cannot be read" in row[4]}
        strange = rows - self.old - self.new - refused
        check(not strange, f"{fault}: the index holds {strange}")
        lost = {row[0] for row in self.old} - {row[0] for row in rows}
        check(not lost, f"{fault}: {lost} are lost")

    def _set_up(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.kept, self.place)

    def _trace(self, *expressions: str) -> str:
        """Run under strace, which is told of every path that matters; return its log."""
        watched = [
            self.place, *self.archive.rglob("*"), self.archive,
            *(f"{self.db}{end}" for end in ("", "-journal", ".lock", ".part", ".part-journal")),
        ]  # fmt: skip
        log = self.folder / "strace.log"
        tracer = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(log)]
        tracer += [f"--{expression}" for expression in expressions]
        tracer += [option for place in watched for option in ("-P", str(place))]
        program = command(self.db, "index", "-q", "--workers", 1, self.archive)
        run = Run([*tracer, *program], self.folder / "said")
        status = run.ended(2 * HANGS)
        check(not run.left(LATE), f"processes are left after {expressions}")
        (self.folder / "status").write_text(str(status))
        return log.read_text(errors="replace")

    def _run(self, program: Sequence[str]) -> None:
        run = Run(program, self.folder / "undisturbed")
        status = run.ended()
        check(status == 0, f"undisturbed, it ended with {status}: {run.shown}")


def _rows(db: Path) -> set[tuple[Any, ...]]:
    with closing(opened(db)) as connection:
        return set(connection.execute(_COMMITTED))


STAYING, PASSING, WANTED = 120, 60, 80  # images, and how many of them are asked for


def together(folder: Path, count: int, seed: int) -> Row:
    """Run 2 `index` and 4 `select` in loops for `count` seconds, while files come and go."""
    archive = images(folder / "archive", STAYING)
    visitors = images(folder / "visitors", PASSING)
    loops = Loops(folder / "sdindex.db", archive, count)
    check(not loops.index(0), "the first index")
    threads = [threading.Thread(target=loops.come_and_go, args=(visitors, random.Random(seed)))]
    threads += [threading.Thread(target=loops.run, args=("index", loops.index)) for _ in range(2)]
    threads += [threading.Thread(target=loops.run, args=("select", loops.select)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not loops.wrong, f"{loops.wrong}; seed {seed}")
    return Row(
        "2 `index` and 4 `select` loops on one index, while files come and go",
        f"{count} s",
        f"0 errors in {loops.runs['index']:,} runs of `index` and "
        f"{loops.runs['select']:,} of `select`",
    )


class Loops:
    """Programs that run again and again until a time, or until one of them goes wrong."""

    def __init__(self, db: Path, archive: Path, seconds: float) -> None:
        self.db = db
        self.archive = archive
        self.deadline = time.monotonic() + seconds
        self.runs: Counter[str] = Counter()
        self.wrong: list[str] = []

    def go_on(self) -> bool:
        return time.monotonic() < self.deadline and not self.wrong

    def run(self, name: str, turn: Callable[[int], str]) -> None:
        for number in takewhile(lambda _: self.go_on(), count_from(0)):
            said = turn(number)
            if said:
                self.wrong.append(f"{name}, turn {number}: {said}")
            self.runs[name] += 1

    def index(self, _: int) -> str:
        """Bring the index up to date; return what went wrong."""
        program = command(self.db, "index", "-q", "--workers", 2, self.archive)
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        waits = re.fullmatch(r"(another sdindex is writing to .*\n)?", done.stderr)
        return "" if done.returncode == 0 and waits else f"{done.returncode} {done.stderr}"

    def select(self, number: int) -> str:
        """Draw a sample, every other time of all there is; return what went wrong."""
        wanted = WANTED if number % 2 else 10**6
        program = command(self.db, "select", "-n", wanted, "--format", "null")
        done = subprocess.run(program, capture_output=True, check=False)
        paths = done.stdout.split(b"\0")[:-1]
        least, most = (WANTED, WANTED) if number % 2 else (STAYING, STAYING + PASSING)
        if done.returncode or not least <= len(paths) <= most or len(set(paths)) < len(paths):
            return f"{done.returncode}, {len(paths)} paths: {done.stderr.decode()}"
        return ""

    def come_and_go(self, visitors: Path, chance: random.Random) -> None:
        """Have files appear in the archive, and disappear."""
        sources = sorted(visitors.rglob("*.JPG"))
        while self.go_on():
            place = self.archive / "passing" / f"{chance.randrange(PASSING)}.JPG"
            place.parent.mkdir(exist_ok=True)
            if place.exists():
                place.unlink()
            else:
                shutil.copy2(chance.choice(sources), place)
            time.sleep(0.01)
