"""A crash, a hang or an I/O error costs the one file that caused it."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from sdindex import Index, UsageError
from sdindex.hashing.image import read_image
from sdindex.workers import WorkerDiedError, Workers, completed
from tests.conftest import make_image
from tests.support import stalling
from tests.support.stalling import work

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


@posix
def test_a_server_that_is_gone_is_no_fault_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from multiprocessing.context import ForkServerProcess  # Windows has none

    def refused(_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(ForkServerProcess, "_Popen", staticmethod(refused))
    with Workers(1) as pool:
        outcomes = [pool.submit(os.getpid).exception() for _ in range(3)]
    assert [type(one) for one in outcomes] == [WorkerDiedError, WorkerDiedError, UsageError]


@posix
def test_numpy_starts_no_threads_in_workers_and_may_here() -> None:
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    with Workers(1) as pool:
        assert pool.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == (before or "1")
    assert os.environ.get("OPENBLAS_NUM_THREADS") == before
