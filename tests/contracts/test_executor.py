"""What every executor that reads images promises, and each with faults that are real."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sdindex import Index, ReadingError, UsageError
from sdindex.archive.roots import made_by
from tests.conftest import CHECKOUT, make_image
from tests.support.bucket import package
from tests.support.faulty import BLIND, Cluster, FaultyRoot, cluster

FILES = 40
TIMEOUT = 3.0
Kill = Callable[[], object]


@contextmanager
def own(_: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Any], Kill]]:
    def kill() -> None:  # a reader that works, which is a child of the server of all
        for child in _children_of_children():
            os.kill(child, signal.SIGKILL)
            return

    yield {"workers": 2}, kill


@contextmanager
def threads(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Any], Kill]]:
    with ThreadPoolExecutor(2) as executor, own(request) as (_, kill):
        yield {"executor": executor}, kill


@contextmanager
def pool(_: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Any], Kill]]:
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(2, context) as executor:
        killed = executor.submit(os.getpid).result()
        yield {"executor": executor}, lambda: os.kill(killed, signal.SIGKILL)


@contextmanager
def dask(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Any], Kill]]:
    made: Cluster = request.getfixturevalue("two")
    yield {"dask": made.address}, made.workers[0].kill


@contextmanager
def executor_of_dask(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Any], Kill]]:
    made: Cluster = request.getfixturevalue("two")
    with client_of(made) as client:
        yield {"executor": client.get_executor(), "workers": 2}, made.workers[0].kill


KINDS = {
    "own": own, "threads": threads, "pool": pool, "dask": dask,
    "executor of dask": executor_of_dask,
}  # fmt: skip
GOING_ON = [kind for kind in KINDS if kind != "pool"]  # when a worker is lost


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(FILES):
        make_image(tmp_path / "images" / f"cam{number % 2}" / f"{number:03d}.jpg", number)
    return tmp_path / "images"


def after(seconds: float, kill: Kill) -> threading.Timer:
    timer = threading.Timer(seconds, kill)
    timer.start()
    return timer


def hashes(index: Index) -> list[tuple[object, ...]]:
    with index.sql("SELECT path, dhash, error FROM image ORDER BY path") as answer:
        return list(answer.rows)


@pytest.mark.parametrize("kind", KINDS)
def test_it_reads_what_is_read_here(
    kind: str, images: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Index(tmp_path / "here.db") as here, Index(tmp_path / "there.db") as there:
        here.update(images)
        with KINDS[kind](request) as (options, _):
            assert there.update(images, **options).new == FILES
            make_image(images / "cam0/000.jpg", 99)  # the same name: no old result
            here.update(images)
            assert there.update(images, **options).changed == 1
        assert hashes(there) == hashes(here)


@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_and_a_hang_cost_two_files(
    kind: str, images: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for name in ("crash.jpg", "hang.jpg"):
        make_image(images / "cam1" / name, 1)
    with (
        Index(tmp_path / "there.db") as index,
        KINDS[kind](request) as (options, _),
        made_by(FaultyRoot),
    ):
        summary = index.update(images, timeout=TIMEOUT, **options)
        assert (summary.new, summary.unreadable) == (FILES, 2)
        reasons = {Path(error.path).name: error.reason for error in index.errors()}
    assert reasons["crash.jpg"].startswith("its reader died")
    assert reasons["hang.jpg"].startswith("reading it hung")


@pytest.mark.parametrize("kind", GOING_ON)
def test_a_lost_worker_costs_a_retry(
    kind: str, images: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    slow = partial(FaultyRoot, seconds=0.1)
    with Index(tmp_path / "there.db") as index, KINDS[kind](request) as (options, kill):
        with made_by(slow):
            timer = after(1.0, kill)
            summary = index.update(images, **options)
        timer.join()
        assert (summary.new, summary.unreadable) == (FILES, 0)


def test_a_pool_that_breaks_ends_in_a_line_and_loses_nothing(
    images: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Index(tmp_path / "there.db") as index:
        with pool(request) as (options, kill), made_by(partial(FaultyRoot, seconds=0.1)):
            after(1.0, kill)
            with pytest.raises(ReadingError, match="the executor ended before all was read"):
                index.update(images, **options)
        stored = len(hashes(index))
        assert index.update(images).read == FILES - stored


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster for all that do not end it."""
    package("distributed")
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def two(made: Cluster) -> Cluster:
    """Return a cluster of two workers, whatever became of those before."""
    made.restore()
    wait_for(made, 2)
    return made


def test_a_worker_that_does_not_see_the_archive_is_refused(
    two: Cluster, images: Path, db: Path
) -> None:
    two.add(**{BLIND: "1"})
    wait_for(two, 3)
    with (
        made_by(FaultyRoot),
        Index(db) as index,
        pytest.raises(ReadingError, match=r"the worker tcp://.* does not see .*images as it is"),
    ):
        index.update(images, dask=two.address)
    with Index(db) as index:
        assert not db.exists() or hashes(index) == []  # a server takes back an empty index


def test_a_worker_with_another_pillow_is_refused(
    two: Cluster, images: Path, db: Path, tmp_path: Path
) -> None:
    told = tmp_path / "other" / "pillow-1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: pillow\nVersion: 1.0\n")
    two.add(first=str(tmp_path / "other"))
    wait_for(two, 3)
    with Index(db) as index, pytest.raises(ReadingError, match=r"has sdindex .*, pillow 1\.0, and"):
        index.update(images, dask=two.address)


def test_no_scheduler_and_two_readers_are_one_line(images: Path, index: Index) -> None:
    package("distributed")
    both = pytest.raises(UsageError, match="an executor or dask")
    with ProcessPoolExecutor(1) as executor, both:
        index.update(images, dask="local", executor=executor)
    with pytest.raises(ReadingError, match="no scheduler of Dask answers at no scheme"):
        index.update(images, dask="no scheme")


def test_a_cluster_of_this_machine_reads(images: Path, index: Index) -> None:
    package("distributed")
    assert index.update(images, dask="local", workers=2).new == FILES


RUN = """
import sys
from functools import partial
from sdindex.__main__ import main
from sdindex.archive.roots import made_by
from tests.support.faulty import FaultyRoot

if __name__ == "__main__":
    with made_by(partial(FaultyRoot, seconds=0.2)):
        main()
"""


@contextmanager
def running(made: Cluster, images: Path, db: Path) -> "Iterator[subprocess.Popen[str]]":
    """Run `index` until some images are stored, as it does while many are still to be read."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "--db", db, "index", "--dask", made.address, images],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not db.exists() or not _stored(db):
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_without_workers_it_says_so_and_an_interruption_leaves_no_task(
    two: Cluster, images: Path, db: Path
) -> None:
    with running(two, images, db) as process:
        for worker in two.workers:
            worker.kill()
        assert process.stderr is not None
        said = process.stderr.readline()
        while said and "no workers at" not in said:
            said = process.stderr.readline()
        assert said == f"no workers at {two.address}: waiting for one\n"
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=20)
        assert process.returncode == 130
        assert rest == "interrupted; what was stored is kept, and the next run goes on\n"
    assert _on(two, lambda dask_scheduler: len(dask_scheduler.tasks)) == 0


def test_a_lost_scheduler_is_one_line(images: Path, db: Path, tmp_path: Path) -> None:
    package("distributed")
    with cluster(tmp_path / "cluster") as lost, running(lost, images, db) as process:
        lost.scheduler.kill()
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said.startswith("Error: ")
        assert len(said.splitlines()) == 1
        assert "stored" in said
    assert _stored(db)


def _stored(db: Path) -> int:
    with Index(db) as index:
        return len(hashes(index))


def wait_for(made: Cluster, workers: int) -> None:
    """Wait until a cluster knows that it has so many workers, and no more."""
    with client_of(made) as client:
        while len(client.nthreads()) != workers:
            time.sleep(0.05)


def _on(made: Cluster, ask: Callable[..., object]) -> object:
    with client_of(made) as client:
        return client.run_on_scheduler(ask)


def client_of(made: Cluster) -> Any:
    return package("distributed").Client(made.address, set_as_default=False)


def _children_of_children() -> list[int]:
    """Return the processes that the server of workers has forked."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
        except OSError:  # it ended
            continue
        parents[int(status.parent.name)] = int(words[1])
    return [child for child, parent in parents.items() if parents.get(parent) == os.getpid()]
