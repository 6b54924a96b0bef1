"""A crash, a hang or an I/O error costs the one file that caused it."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from sdindex import Index, UsageError
from sdindex import workers as workers_module
from sdindex.hashing import read_image
from sdindex.workers import WorkerDiedError, Workers, completed
from tests.conftest import make_image

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


def test_a_crash_and_a_hang_cost_themselves_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "FILE_SECONDS", 2.0)
    # What is called comes with Python: a worker need not import this module for it.
    jobs: list[Callable[[], object]] = [partial(str, number) for number in range(40)]
    crash: Callable[[], object] = partial(os._exit, 3)
    hang: Callable[[], object] = partial(time.sleep, 600)
    jobs[7], jobs[21] = crash, hang
    outcomes: dict[Callable[[], object], object] = {}
    with Workers(3) as pool:
        for done in completed(iter(jobs), pool.submit, in_flight=12, wait_seconds=0.2):
            if done is not None:
                job, future = done
                outcomes[job] = future.exception() or future.result()
    assert isinstance(outcomes.pop(crash), WorkerDiedError)
    assert isinstance(outcomes.pop(hang), TimeoutError)
    assert all(outcome == job() for job, outcome in outcomes.items())
    assert len(outcomes) == 38


@posix
def test_a_worker_that_dies_idle_costs_nothing() -> None:
    with Workers(1) as pool:
        first, second = (pool.submit(os.getpid).result() for _ in range(2))
        assert first == second
        os.kill(first, signal.SIGKILL)
        while pool.submit(str, "one").exception():  # it had the next in hand already
            pass
        assert pool.submit(os.getpid).result() != first


@posix
def test_killing_workers_at_any_moment_costs_what_they_had_in_hand() -> None:
    with Workers(3) as pool:
        killers = [pool.submit(os._exit, 1) for _ in range(8)]
        others = [pool.submit(os.getpid) for _ in range(300)]
        dead = {other.result() for other in others[::7]}
        for victim in dead:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        more = [pool.submit(str, number) for number in range(300)]
        assert all(isinstance(killer.exception(), WorkerDiedError) for killer in killers)
        lost = [future.exception() for future in more if future.exception()]
    assert len(lost) <= len(dead)
    assert all(isinstance(problem, WorkerDiedError) for problem in lost)


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
        with Workers(4) as pool:
            assert pool.submit(str, "one").result() == "one"
    assert capfd.readouterr().err == ""


def test_an_error_of_the_system_while_decoding_is_not_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import ImageFile

    def failing(*_: object) -> None:
        raise OSError(5, "Input/output error")

    path = make_image(tmp_path / "a.jpg")
    monkeypatch.setattr(ImageFile.ImageFile, "load", failing)
    with pytest.raises(OSError, match="Input/output error"):
        read_image(str(path), "exact")


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused(index: Index, archive: Path, workers: int) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        index.update(archive, workers=workers)
    with pytest.raises(UsageError, match="method must be one of"):
        index.update(archive, method="quick")  # type: ignore[arg-type]
