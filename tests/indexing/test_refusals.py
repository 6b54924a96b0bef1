"""What the disk, the machine, the program or an executor fails at is no verdict on an image."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from click.testing import CliRunner
from PIL import Image

from sdindex import Index, UsageError
from sdindex.archive.roots import LocalRoot, made_by
from sdindex.cli.main import cli
from sdindex.errors import ReadingError
from sdindex.indexing.executors import FileByFile
from sdindex.indexing.ingest import MOST_REFUSALS
from sdindex.workers import WorkerDiedError
from tests.conftest import LONG_AGO, make_image
from tests.hashing.test_thumbnail_method import jpeg, scene, with_thumbnail
from tests.support.counting import counts, rows
from tests.support.hostile import RAN, hostile_card

FILES = 2 * MOST_REFUSALS
posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit, or signal")


def system(number: int) -> Callable[[], BaseException]:
    return partial(OSError, number, os.strerror(number))


input_output = system(errno.EIO)


@dataclass(frozen=True)
class NotGiving(LocalRoot):
    """A folder that can be listed, and some files of which are not given."""

    ends: tuple[str, ...] = (".jpg",)
    problem: Callable[[], BaseException] = input_output

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file, or not."""
        if path.endswith(self.ends):
            raise self.problem()
        return LocalRoot.open(self, path)


@contextmanager
def not_giving(*ends: str, problem: Callable[[], BaseException] | None = None) -> Iterator[None]:
    given: dict[str, Any] = {"problem": problem} if problem else {}
    with made_by(partial(NotGiving, ends=ends or (".jpg",), **given)):
        yield


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for seed in range(FILES):
        make_image(tmp_path / "many" / f"{seed:03}.jpg", seed, (32, 24))
    return tmp_path / "many"


def touch(folder: Path, by: int = 100_000) -> None:
    for file in folder.rglob("*.jpg"):
        os.utime(file, (LONG_AGO + by, LONG_AGO + by))


def hashes(db: Path) -> Any:
    return rows(db, "SELECT path, dhash, error FROM image ORDER BY path")


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_what_was_known_of_a_file_that_is_not_given_stays(
    index: Index, db: Path, many: Path, threads: Executor, number: int
) -> None:
    index.update(many, executor=threads)
    before = hashes(db)
    touch(many)
    with not_giving("007.jpg", problem=system(number)):
        summary = index.update(many, executor=threads)
    assert counts(summary) == {"changed": FILES - 1, "unreadable": 1, "read": FILES}
    told = "1 not given, the first %s (cannot be read: %s)"
    assert told % (many / "007.jpg", os.strerror(number)) in str(summary)
    assert hashes(db) == before
    assert counts(index.update(many, executor=threads)) == {
        "changed": 1, "unchanged": FILES - 1, "read": 1,
    }  # fmt: skip


def test_what_was_known_by_another_method_does_not_stay(
    index: Index, db: Path, many: Path, threads: Executor
) -> None:
    index.update(many, executor=threads)
    with not_giving("007.jpg"):
        index.update(many, method="exact", executor=threads)
    assert [path for path, dhash, _ in hashes(db) if dhash is None] == ["007.jpg"]
    assert len(index.select(100)) == FILES - 1


@pytest.mark.parametrize("method", [None, "exact"])
def test_a_disk_that_fails_ends_the_run_and_loses_nothing(
    index: Index, db: Path, many: Path, threads: Executor, method: Any
) -> None:
    index.update(many, executor=threads)
    before = hashes(db)
    touch(many)
    with (
        not_giving(),
        pytest.raises(ReadingError, match="in a row were not given"),
    ):
        index.update(many, executor=threads)
    assert hashes(db) == before
    assert counts(index.update(many, executor=threads)) == {"changed": FILES, "read": FILES}


def test_what_was_read_before_the_disk_failed_is_stored(index: Index, db: Path, many: Path) -> None:
    one_by_one = Failing(1000, RuntimeError())
    for seed in range(5):
        make_image(many / f"{seed:03}.png", seed, (32, 24))
    (many / "a.png").write_bytes(b"no image")
    with not_giving(), pytest.raises(ReadingError, match="in a row"):
        index.update(many, executor=one_by_one)
    stored = [path for path, dhash, _ in hashes(db) if dhash is not None]
    assert stored == [f"{seed:03}.png" for seed in range(5)]


def test_files_that_may_not_be_read_do_not_end_the_run(
    index: Index, many: Path, threads: Executor
) -> None:
    make_image(many / "z.png")
    with not_giving(problem=system(errno.EACCES)):
        summary = index.update(many, executor=threads)
    assert counts(summary) == {"new": 1, "unreadable": FILES, "read": FILES + 1}
    assert len(summary.refused) == FILES


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_what_the_machine_lacks_ends_the_run(
    index: Index, db: Path, many: Path, threads: Executor, number: int
) -> None:
    with (
        not_giving("007.jpg", problem=system(number)),
        pytest.raises(ReadingError, match="the machine has too little"),
    ):
        index.update(many, executor=threads, workers=1)
    assert rows(db, "SELECT count(*) FROM image WHERE error IS NOT NULL") == [(0,)]


@pytest.mark.parametrize(
    "kind", [AttributeError, ImportError, TypeError, KeyError, partial(OSError, errno.EBADF)]
)
@pytest.mark.parametrize("ours", [True, False])
def test_a_fault_of_the_program_ends_the_run_and_is_stored_of_no_image(
    index: Index,
    db: Path,
    many: Path,
    threads: Executor,
    kind: Callable[..., Exception],
    ours: bool,
) -> None:
    with (
        not_giving("007.jpg", problem=partial(kind, "broken\nin two lines")),
        pytest.raises(ReadingError) as raised,
    ):
        index.update(many, executor=None if ours else threads, workers=1)
    told = f"failed when it read {many / '007.jpg'}: {type(kind('')).__name__}: "
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    stored = hashes(db)
    assert "007.jpg" not in [path for path, *_ in stored]
    assert all(error is None for *_, error in stored)


@posix
def test_with_few_open_files_fewer_workers_read_all(tmp_path: Path, many: Path, db: Path) -> None:
    command = [sys.executable, "-m", "sdindex", "--db", db, "index", many, "--workers", "16"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 32; exec "$@"', "sh", *map(str, command)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{FILES} new" in done.stderr
    assert "0 unreadable" in done.stderr


@posix
def test_with_hardly_any_open_files_one_line_says_so(many: Path, db: Path) -> None:
    command = [sys.executable, "-m", "sdindex", "--db", db, "index", many, "--workers", "16"]
    for limit in (8, 14, 20):
        done = subprocess.run(
            ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *map(str, command)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        if db.exists():
            assert rows(db, "SELECT count(*) FROM image WHERE error IS NOT NULL") == [(0,)]


class Failing(FileByFile):
    """Reads some files here, and fails at the others."""

    def __init__(self, good: int, problem: BaseException, *, at_once: bool = False) -> None:
        self._good, self._problem, self._at_once = good, problem, at_once

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self._good -= 1
        future: Future[Any] = Future()
        if self._good >= 0:
            try:
                future.set_result(fn(*args, **kwargs))
            except OSError as problem:
                future.set_exception(problem)
        elif self._at_once:
            raise self._problem
        elif isinstance(self._problem, CancelledError):
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(self._problem)
        return future


class KilledWorker(Exception):  # noqa: N818  (it is named as Dask's)
    """The executor has tried several times."""


@pytest.mark.parametrize(
    ("executor", "said"),
    [
        (Failing(10, CancelledError()), "the executor ended before all was read"),
        (Failing(10, RuntimeError("no futures after shutdown"), at_once=True), "after shutdown"),
        (Failing(10, FileNotFoundError(2, "No such file")), "workers do not find it"),
        (Failing(10, ModuleNotFoundError("No module named 'sdindex'")), "No module named"),
    ],
)
def test_an_executor_that_fails_ends_the_run_in_one_line(
    index: Index, db: Path, many: Path, executor: Executor, said: str
) -> None:
    with pytest.raises(ReadingError, match=said) as raised:
        index.update(many, executor=executor)
    assert "\n" not in str(raised.value)
    assert len(hashes(db)) == 10, "what was read is stored"
    assert all(error is None for *_, error in hashes(db))


@pytest.mark.parametrize("problem", [KilledWorker("tried 3 times"), WorkerDiedError()])
def test_a_workers_death_costs_its_file_alone(
    index: Index, many: Path, problem: BaseException
) -> None:
    summary = index.update(many, executor=Failing(FILES - 1, problem))
    assert counts(summary) == {"new": FILES - 1, "unreadable": 1, "read": FILES}
    assert index.errors()[0].reason.startswith("its reader died")


class FailingInBatches(Executor):
    """Takes batches as any executor, reads some, and fails at the others."""

    def __init__(self, good: int, problem: BaseException) -> None:
        self._good, self._problem, self.read = good, problem, 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self._good -= 1
        future: Future[Any] = Future()
        if self._good >= 0:
            self.read += len(args[0])
            future.set_result(fn(*args, **kwargs))
        else:
            future.set_exception(self._problem)
        return future


@pytest.mark.parametrize(
    ("problem", "said"),
    [(BrokenExecutor("a worker died"), "the executor ended before all was read"),
     (CancelledError(), "the executor ended before all was read"),
     (ModuleNotFoundError("No module named 'sdindex'"), "No module named")],
)  # fmt: skip
def test_an_executor_that_fails_after_some_batches_ends_the_run_in_one_line(
    index: Index, db: Path, many: Path, problem: Exception, said: str
) -> None:
    executor = FailingInBatches(2, problem)
    with pytest.raises(ReadingError, match=said) as raised:
        index.update(many, executor=executor, workers=1)
    assert "\n" not in str(raised.value)
    assert len(hashes(db)) == executor.read > 0, "what was read is stored"


def test_verify_looks_at_the_whole_of_files_that_did_not_change(
    index: Index, db: Path, tmp_path: Path, threads: Executor
) -> None:
    for seed in range(3):
        image = scene(seed, (800, 600))
        (tmp_path / "cards").mkdir(exist_ok=True)
        with_thumbnail(tmp_path / f"cards/{seed}.jpg", image, jpeg(image.resize((160, 120))))
    cut = tmp_path / "cards/1.jpg"
    Image.open(cut).load()
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) * 3 // 4])
    os.utime(cut, (LONG_AGO, LONG_AGO))
    cards = tmp_path / "cards"
    assert counts(index.update(cards, method="thumbnail", executor=threads)) == {
        "new": 3, "read": 3,
    }  # fmt: skip
    before = hashes(db)
    summary = index.update(cards, executor=threads, verify=True)
    assert counts(summary) == {"unchanged": 2, "unreadable": 1, "read": 3}
    assert summary.without_thumbnail == 0
    assert [one.path for one in summary.damaged] == [str(cut)]
    after = hashes(db)
    assert [after[0], after[2]] == [before[0], before[2]]
    assert after[1][1] is None
    assert after[1][2].startswith("cut short")
    assert counts(index.update(cards, executor=threads)) == {"unchanged": 2, "unreadable": 1}


def test_verify_names_what_is_damaged_and_ends_with_1(many: Path, db: Path) -> None:
    def index(*options: str) -> tuple[int, list[str]]:
        done = CliRunner().invoke(cli, ["--db", str(db), "index", "-q", *options, str(many)])
        return done.exit_code, done.output.splitlines()

    def write(file: Path, content: bytes) -> None:
        file.write_bytes(content.ljust(10_000, b"\0"))
        os.utime(file, (LONG_AGO, LONG_AGO))

    broken, other = many / "003.jpg", many / "007.jpg"
    for file in (broken, other):
        write(file, file.read_bytes())
    assert index() == (0, [])
    assert index("--verify") == (0, [])
    write(broken, b"no image")
    write(other, (many / "008.jpg").read_bytes())
    assert index() == (0, [])
    for found in (2, 1):  # the other is what it is now
        status, lines = index("--verify")
        assert status == 1
        assert lines[0].startswith(f"{broken}: not an image")
        told = f"{other}: shows something else than before, with the same size and time"
        assert lines[1:-1] == [told] * (found - 1)
        files = "2 files are" if found == 2 else "1 file is"
        assert lines[-1].startswith(f"Error: {files} damaged, as listed above")


def test_the_command_ends_with_one_line_and_exit_1(many: Path, db: Path) -> None:
    with not_giving():
        done = CliRunner().invoke(cli, ["--db", str(db), "index", str(many)])
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert done.output.startswith("Error: 20 files in a row were not given")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize(
    "name", ["queue.py", "PIL/__init__.py", "PIL/__init__.pyc", "multiprocessing.py", "sdindex.py"]
)
def test_processes_of_pythons_own_pool_run_nothing_of_an_archive(
    index: Index, many: Path, monkeypatch: pytest.MonkeyPatch, method: str, name: str
) -> None:
    if method not in get_all_start_methods():
        pytest.skip("there is no such method")
    hostile_card(many, name)
    monkeypatch.chdir(many)
    with (
        ProcessPoolExecutor(1, mp_context=get_context(method)) as pool,
        pytest.raises(UsageError, match=r"would run .*: start Python with -P"),
    ):
        index.update(many, executor=pool)
    assert not (many / RAN).exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what forks beside threads
def test_a_pool_that_forks_starts_nothing_that_looks_here(
    index: Index, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "fork" not in get_all_start_methods():
        pytest.skip("there is no such method")
    hostile_card(many, "queue.py")
    monkeypatch.chdir(many)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        assert index.update(many, executor=pool, workers=1).new == FILES
    assert not (many / RAN).exists()


def test_files_that_stand_for_no_module_are_nothing_to_refuse(
    index: Index, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (many / "queue.jpg").write_bytes(b"")
    (many / "json").mkdir()
    (many / "camera_notes.py").write_text("")
    monkeypatch.chdir(many)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert index.update(many, executor=pool, workers=1).new == FILES
