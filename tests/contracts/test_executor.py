"""What every executor that reads images promises, and each with faults that are real."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from sdindex import Index, ReadingError, UsageError
from sdindex.archive.roots import made_by
from tests.conftest import CHECKOUT, make_image
from tests.support.faulty import BLIND, Cluster, FaultyRoot, cluster

FILES = 40
TIMEOUT = 3.0
Kill = Callable[[], object]


@contextmanager
def own(folder: Path) -> Iterator[tuple[dict[str, Any], Kill]]:
    def kill() -> None:  # a reader that works, which is a child of the server of all
        for child in _children_of_children():
            os.kill(child, signal.SIGKILL)
            return

    yield {"workers": 2}, kill


@contextmanager
def pool(folder: Path) -> Iterator[tuple[dict[str, Any], Kill]]:
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(2, context) as executor:
        killed = executor.submit(os.getpid).result()
        yield {"executor": executor}, lambda: os.kill(killed, signal.SIGKILL)


@contextmanager
def dask(folder: Path) -> Iterator[tuple[dict[str, Any], Kill]]:
    with cluster(folder / "cluster") as made:
        yield {"dask": made.address}, lambda: made.workers[0].kill()


KINDS = {"own": own, "pool": pool, "dask": dask}
ISOLATING = ["own", "dask"]  # a file costs itself, and a worker that dies a retry


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


def test_it_reads_what_is_read_here(kind: str, images: Path, tmp_path: Path) -> None:
    with Index(tmp_path / "here.db") as here, Index(tmp_path / "there.db") as there:
        here.update(images)
        with KINDS[kind](tmp_path) as (options, _):
            assert there.update(images, **options).new == FILES
            make_image(images / "cam0/000.jpg", 99)  # the same name: no old result
            here.update(images)
            assert there.update(images, **options).changed == 1
        assert hashes(there) == hashes(here)


@pytest.mark.parametrize("kind", ISOLATING, indirect=True)
def test_a_crash_and_a_hang_cost_two_files(kind: str, images: Path, tmp_path: Path) -> None:
    for name in ("crash.jpg", "hang.jpg"):
        make_image(images / "cam1" / name, 1)
    with (
        Index(tmp_path / "there.db") as index,
        KINDS[kind](tmp_path) as (options, _),
        made_by(FaultyRoot),
    ):
        summary = index.update(images, timeout=TIMEOUT, **options)
        assert (summary.new, summary.unreadable) == (FILES, 2)
        reasons = {Path(error.path).name: error.reason for error in index.errors()}
    assert reasons["crash.jpg"].startswith("its reader died")
    assert reasons["hang.jpg"].startswith("reading it hung")


@pytest.mark.parametrize("kind", ISOLATING, indirect=True)
def test_a_lost_worker_costs_a_retry(kind: str, images: Path, tmp_path: Path) -> None:
    slow = partial(FaultyRoot, seconds=0.1)
    with Index(tmp_path / "there.db") as index, KINDS[kind](tmp_path) as (options, kill):
        with made_by(slow):
            timer = after(2.0 if kind == "dask" else 1.0, kill)
            summary = index.update(images, **options)
        timer.join()
        assert (summary.new, summary.unreadable) == (FILES, 0)


def test_a_pool_that_breaks_ends_in_a_line_and_loses_nothing(images: Path, tmp_path: Path) -> None:
    with Index(tmp_path / "there.db") as index:
        with pool(tmp_path) as (options, kill), made_by(partial(FaultyRoot, seconds=0.1)):
            after(1.0, kill)
            with pytest.raises(ReadingError, match="the executor ended before all was read"):
                index.update(images, **options)
        stored = len(hashes(index))
        assert index.update(images).read == FILES - stored


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Return the name of a kind of executor that is there."""
    if request.param == "dask":
        pytest.importorskip("distributed", reason="Dask is not installed: sdindex[dask]")
    return str(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = {mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")}
    if "kind" in metafunc.fixturenames and "kind" not in marked:
        metafunc.parametrize("kind", list(KINDS), indirect=True)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Cluster]:
    """Return a cluster of two workers."""
    pytest.importorskip("distributed", reason="Dask is not installed: sdindex[dask]")
    with cluster(tmp_path / "cluster") as made:
        yield made


def test_a_worker_that_does_not_see_the_archive_is_refused(
    two: Cluster, images: Path, db: Path
) -> None:
    two.add(**{BLIND: "1"})
    _wait_for(two, 3)
    with (
        made_by(FaultyRoot),
        Index(db) as index,
        pytest.raises(ReadingError, match=r"the worker tcp://.* does not see .*images as it is"),
    ):
        index.update(images, dask=two.address)
    with Index(db) as index:
        assert hashes(index) == []


def test_a_worker_with_another_pillow_is_refused(
    two: Cluster, images: Path, db: Path, tmp_path: Path
) -> None:
    told = tmp_path / "other" / "pillow-1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: pillow\nVersion: 1.0\n")
    two.add(first=str(tmp_path / "other"))
    _wait_for(two, 3)
    with Index(db) as index, pytest.raises(ReadingError, match=r"has sdindex .*, pillow 1\.0, and"):
        index.update(images, dask=two.address)


def test_no_scheduler_and_two_readers_are_one_line(images: Path, index: Index) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: sdindex[dask]")
    both = pytest.raises(UsageError, match="an executor or dask")
    with ProcessPoolExecutor(1) as executor, both:
        index.update(images, dask="local", executor=executor)
    with pytest.raises(ReadingError, match="no scheduler of Dask answers at no scheme"):
        index.update(images, dask="no scheme")


def test_a_cluster_of_this_machine_reads(images: Path, index: Index) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: sdindex[dask]")
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


def test_a_lost_scheduler_is_one_line(two: Cluster, images: Path, db: Path) -> None:
    with running(two, images, db) as process:
        two.scheduler.kill()
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said.startswith("Error: ")
        assert len(said.splitlines()) == 1
        assert "stored" in said
    assert _stored(db)


def _stored(db: Path) -> int:
    with Index(db) as index:
        return len(hashes(index))


def _wait_for(made: Cluster, workers: int) -> None:
    with _client(made) as client:
        client.wait_for_workers(workers, timeout=30)


def _on(made: Cluster, ask: Callable[..., object]) -> object:
    with _client(made) as client:
        return client.run_on_scheduler(ask)


def _client(made: Cluster) -> Any:
    return import_module("distributed").Client(made.address, set_as_default=False)


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
