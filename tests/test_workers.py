"""A crash, a hang or an I/O error costs the one file that caused it."""

import errno
import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from types import FrameType

import pytest

from sdindex import Index, UsageError, processes
from sdindex.errors import LACKING, ReadingError
from sdindex.workers import WorkerDiedError, Workers, completed, get_ready
from tests.support import stalling
from tests.support.hostile import RAN, hostile_card
from tests.support.stalling import complain, work

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


@posix
def test_a_crash_and_a_hang_cost_themselves_alone() -> None:
    jobs = [f"image {number}" for number in range(40)]
    jobs[7], jobs[21] = "crash", "hang"
    outcomes: dict[str, object] = {}
    with Workers(3, timeout=4.0) as pool:

        def submit(job: str) -> "Future[str]":
            return pool.submit(work, job)

        for done in completed(iter(jobs), submit, in_flight=12, wait_seconds=0.2):
            if done is not None:
                job, future = done
                outcomes[job] = future.exception() or future.result()
    assert isinstance(outcomes.pop("crash"), WorkerDiedError)
    assert isinstance(outcomes.pop("hang"), TimeoutError)
    assert all(outcome == job for job, outcome in outcomes.items())
    assert len(outcomes) == 38


@pytest.mark.parametrize("count", [4, 32])
def test_as_many_files_of_a_slow_disk_are_read_at_once_as_there_are_workers(
    tmp_path: Path, count: int
) -> None:
    with Workers(count) as pool:

        def submit(_: int) -> "Future[bool]":
            return pool.submit(stalling.meet, str(tmp_path), count)

        finished = completed(iter(range(count)), submit, in_flight=count * 4, wait_seconds=1)
        assert all(done[1].result() for done in finished if done is not None)
    assert len(os.listdir(tmp_path)) == count


def test_no_more_are_in_flight_than_allowed() -> None:
    waiting: list[Future[int]] = []
    most = 0

    def submit(_: int) -> "Future[int]":
        nonlocal most
        future: Future[int] = Future()
        waiting.append(future)
        most = max(most, len(waiting))
        if len(waiting) == 5:  # the window is full: let one through
            waiting.pop(0).set_result(1)
        return future

    def jobs() -> Iterator[int]:
        yield from range(50)
        for future in waiting[:]:
            waiting.remove(future)
            future.set_result(1)

    done = [one for one in completed(jobs(), submit, in_flight=5, wait_seconds=0.1) if one]
    assert len(done) == 50
    assert most == 5


def test_waiting_is_told() -> None:
    slow: Future[int] = Future()
    results = completed(iter([1]), lambda _: slow, in_flight=4, wait_seconds=0.01)
    assert next(results) is None
    slow.set_result(1)
    assert next(results) == (1, slow)
    assert list(results) == []


def test_starting_and_ending_at_once_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        with Workers(4, timeout=60.0) as pool:
            assert pool.submit(work, "one").result() == "one"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused(index: Index, archive: Path, workers: int) -> None:
    with pytest.raises(UsageError, match="workers"):
        index.update(archive, workers=workers)
    with pytest.raises(UsageError, match="method must be one of"):
        index.update(archive, method="quick")  # type: ignore[arg-type]


@posix
def test_a_server_that_is_gone_is_no_fault_of_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "send_fds", refused)
    with Workers(1) as pool:
        outcomes = [pool.submit(os.getpid).exception() for _ in range(3)]
    assert {type(one) for one in outcomes} == {ReadingError}


@posix
def test_a_server_that_was_killed_is_started_again() -> None:
    with Workers(1) as pool:
        worker = pool.submit(os.getpid).result()
        os.kill(pool.submit(os.getppid).result(), signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        pool.submit(os.getpid).exception()  # the worker may have had it in hand
        assert pool.submit(work, "one").result() == "one"


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have none that was started before; what is started is ended."""
    monkeypatch.setattr(processes, "_server", None)
    yield
    processes.end_server()


def host() -> object:
    """Return what of this process a caller may have set, and may look at."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, []) if sys.platform != "win32" else None
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return dict(os.environ), mask, handlers, sys.path[:], warnings.filters[:], gc.isenabled()


@pytest.mark.usefixtures("no_server")
def test_nothing_of_the_callers_process_is_changed(
    index: Index, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for a moment: another thread may look, or start a process of its own."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    before, seen = host(), []

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and "sdindex" in frame.f_code.co_filename:
            seen.append(host() == before)

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        index.update(archive, workers=2)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert seen
    assert all(seen)
    with Workers(1) as pool:
        assert pool.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    processes.end_server()
    with Workers(1) as pool:
        assert pool.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == "3"


@pytest.fixture(params=["forked", "alone"])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, no_server: None) -> None:
    """Start workers in each of the ways in which they can start somewhere."""
    if request.param == "alone":
        monkeypatch.setattr(processes, "started", lambda _: processes.Alone())
        monkeypatch.setattr(processes, "get_ready", lambda _: None)
    elif sys.platform == "win32":
        pytest.skip("there is no fork")


@pytest.mark.usefixtures("start")
@pytest.mark.parametrize("entry", ["", ".", "here"])
def test_no_worker_looks_for_modules_in_the_current_folder(
    index: Index, archive: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    for module in ("PIL", "imagehash", "sdindex.workers"):  # the workers alone look for them
        import_module(module)
    card = hostile_card(archive)
    monkeypatch.chdir(card)
    monkeypatch.setenv("PYTHONPATH", os.pathsep)
    monkeypatch.setattr(sys, "path", [str(card) if entry == "here" else entry, *sys.path])
    assert index.update(archive, workers=2).new == 12
    assert not (card / RAN).exists()


@pytest.mark.usefixtures("start")
def test_each_way_of_starting_bears_a_crash_and_a_hang() -> None:
    with Workers(2, timeout=1.5) as pool:
        outcomes = [pool.submit(work, what) for what in ("a", "crash", "hang", "b", "c", "d")]
        problems = [type(one.exception()) for one in outcomes]
    nothing = type(None)
    assert problems == [nothing, WorkerDiedError, TimeoutError, nothing, nothing, nothing]


@pytest.mark.usefixtures("start")
def test_the_folder_of_temporary_files_may_have_a_long_name(
    index: Index, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert index.update(archive, workers=2).new == 12


def test_a_script_needs_no_guard(archive: Path, tmp_path: Path) -> None:
    """The program's processes do not run the caller's script."""
    script = tmp_path / "script.py"
    script.write_text(
        "print('once')\n"
        "from sdindex import Index\n"
        f"with Index({str(tmp_path / 'a.db')!r}) as index:\n"
        f"    print(index.update({str(archive)!r}).new)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("once\n12\n", "")


def unprepared() -> None:
    raise ImportError("numpy is broken")


def test_workers_that_cannot_get_ready_are_one_line() -> None:
    with (
        Workers(2, initializer=unprepared) as pool,
        pytest.raises(ReadingError, match=r"processes do not start: ImportError: numpy is broken"),
    ):
        pool.submit(os.getpid).result()


@pytest.mark.usefixtures("no_server")
def test_a_python_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Workers(2) as pool, pytest.raises(ReadingError, match=r"do not start: FileNotFoundError"):
        pool.submit(os.getpid).result()


@posix
@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAGAIN, errno.ENOMEM])
def test_what_the_machine_lacks_is_met_with_fewer_workers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int, tmp_path: Path
) -> None:
    given, start, refused = count(), processes.started, tmp_path / "refused"

    def scarce(modules: Sequence[str]) -> processes.Process:
        if next(given) >= 2:
            refused.touch()
            raise OSError(number, os.strerror(number))
        return start(modules)

    monkeypatch.setattr(processes, "started", scarce)
    with Workers(8) as pool:
        assert [pool.submit(work, str(i)).result() for i in range(3)] == ["0", "1", "2"]
        jobs = [f"until {refused}", f"until {refused}", *map(str, range(40))]
        assert [one.result() for one in [pool.submit(work, job) for job in jobs]] == jobs
    assert [one.getMessage() for one in caplog.records] == [
        f"fewer than 8 processes worked for want of {LACKING[number]}: "
        "end other programs, or raise the limit"
    ]


def test_what_a_library_says_while_workers_start_is_not_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    processes.end_server()
    with Workers(1, initializer=complain) as pool:
        assert pool.submit(work, "0").result() == "0"
    assert capfd.readouterr().err == ""


@posix
def test_that_fewer_worked_is_not_said_beside_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given, start = count(), processes.started

    def scarce(modules: Sequence[str]) -> processes.Process:
        if next(given):
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return start(modules)

    monkeypatch.setattr(processes, "started", scarce)
    with suppress(KeyError), Workers(4) as pool:
        wait([pool.submit(work, str(i)) for i in range(8)])
        raise KeyError
    assert not caplog.records


@pytest.mark.parametrize("executable", [None, ""])
def test_a_python_that_does_not_know_its_program_is_one_line(
    monkeypatch: pytest.MonkeyPatch, executable: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    get_ready()
    with pytest.raises(ReadingError, match=r"do not start: Python does not say where"):
        Workers(2)


@posix
def test_a_machine_that_gives_no_process_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(processes, "started", none)
    with Workers(4) as pool:
        problems = [pool.submit(os.getpid) for _ in range(8)]
        assert {type(one.exception()) for one in problems} == {ReadingError}
        assert "for want of processes" in str(problems[0].exception())


@posix
@pytest.mark.usefixtures("no_server")
def test_a_worker_that_may_start_no_thread_is_lacking_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = "from tests.support.stalling import no_threads; no_threads(); from sdindex"
    begin = processes._BEGIN.replace("from sdindex", before)
    monkeypatch.setattr(processes, "_BEGIN", begin)
    with Workers(2) as pool, pytest.raises(ReadingError, match="for want of processes"):
        pool.submit(os.getpid).result()


@posix
def test_a_death_that_is_not_the_calls_fault_costs_nothing(tmp_path: Path) -> None:
    with Workers(1) as pool:
        assert pool.submit(stalling.die_once, str(tmp_path / "died")).result() == "alive"


def test_a_worker_that_is_stopped_while_it_starts_lacks_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, start = threading.Event(), processes.started

    def slow(modules: Sequence[str]) -> processes.Process:
        begun.set()
        time.sleep(0.2)  # meanwhile it is interrupted
        return start(modules)

    monkeypatch.setattr(processes, "started", slow)
    pool = Workers(2)
    with suppress(KeyboardInterrupt), pool:
        pool.submit(os.getpid)
        begun.wait()
        raise KeyboardInterrupt
    assert not caplog.records
