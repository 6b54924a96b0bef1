"""What several tests share: small archives of JPEGs, an index, and a watch on what is opened."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

import sdindex
from sdindex import Index
from sdindex.indexing.executors import Threads
from sdindex.store import sqlite
from sdindex.store.sqlite import SqliteBackend
from tests.support import examples, servers
from tests.support.engines import quick
from tests.support.straight import ABOUT_THE_FILE, Served
from tests.support.tables import made_once

examples.load_profile()


# What a shell puts into the background, or nohup starts, ignores these signals, and so would
# every process that a test starts and sends one to. A handler of our own is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)  # these tests themselves go on

CHECKOUT = Path(__file__).parent.parent
if "SDINDEX_WHEEL" in os.environ and Path(sdindex.__path__[0]).parent == CHECKOUT:
    raise RuntimeError("a wheel is to be tested, and this is the checkout")
REAL_DATA = CHECKOUT.parent / "shared" / "data"
LONG_AGO = 1_700_000_000  # seconds since 1970: far from now, so that a file is settled


def make_image(path: Path, seed: int = 0, size: tuple[int, int] = (320, 240)) -> Path:
    """Write an image with a hash of its own, that was last touched long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_content(seed, size, path.suffix.lower()))
    os.utime(path, (LONG_AGO + seed, LONG_AGO + seed))
    return path


BY_REVISIONS = SqliteBackend.create


@pytest.fixture(scope="session", autouse=True)
def _outside_the_checkout(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Programs would find the checkout's sdindex in the current folder, and not the wheel's; and
    # readers leave that folder out of where modules are, also the tests' own.
    if "SDINDEX_WHEEL" in os.environ:
        os.chdir(tmp_path_factory.mktemp("outside"))


@pytest.fixture(scope="session", autouse=True)
def _quick_indexes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteBackend, "create", made_once(BY_REVISIONS))
        patch.setattr(sqlite, "_engine", quick(sqlite._engine))
        yield


@pytest.fixture
def by_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the revisions make each new index, as they do outside of tests."""
    monkeypatch.setattr(SqliteBackend, "create", BY_REVISIONS)


@lru_cache(10_000)  # a test's images are mostly those of another
def _content(seed: int, size: tuple[int, int], suffix: str) -> bytes:
    rough = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    content = BytesIO()
    picture = Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)
    picture.save(content, Image.registered_extensions()[suffix], quality=90)
    return content.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Twelve images of two cameras."""
    for seed in range(12):
        make_image(tmp_path / "archive" / f"cam{seed % 2}" / f"IMG_{seed + 1}.JPG", seed)
    return tmp_path / "archive"


# Each takes one process the longest; begun last they would keep the others waiting at the end.
LONGEST = (
    "tests/bench/test_bench.py", "tests/contracts/test_executor.py", "tests/test_torture.py",
    "tests/test_readme.py", "tests/web/test_page_outside.py", "tests/web/test_an_hour.py",
    "tests/indexing/test_buckets.py", "tests/cli/test_hostile_folder.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        name = item.nodeid.partition("::")[0]
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=turn)


def pytest_collection_finish() -> None:
    """Have what is loaded by now not be looked through for garbage, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgresql", action="store_true", help="keep the indexes of tests in a PostgreSQL server"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"sqlite_file: {ABOUT_THE_FILE}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.config.getoption("--postgresql") and item.get_closest_marker("sqlite_file"):
        pytest.skip(ABOUT_THE_FILE)


@pytest.fixture(scope="session")
def db_in(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Return what names a new index: in a folder, by a name, or in the server."""
    if request.config.getoption("--postgresql"):
        server: servers.Server = request.getfixturevalue("server")
        return lambda *_: cast("Path", Served(server.database()))
    return lambda folder, name="sdindex.db": Path(folder, name)


@pytest.fixture
def db(tmp_path: Path, db_in: Callable[[Path], Path]) -> Path:
    return db_in(tmp_path)


@pytest.fixture
def index(db: Path) -> Iterator[Index]:
    with Index(db) as index:
        yield index


@pytest.fixture
def threads() -> Iterator[Executor]:
    """Reads images in this process, where opens can be watched."""
    with Threads(2) as executor:
        yield executor


@pytest.fixture(scope="session")
def real_archive() -> Path:
    """Return the folder of real camera-trap images, where there is one."""
    if not (REAL_DATA / "archive").is_dir():
        pytest.skip("the real images are not on this machine")
    return REAL_DATA / "archive"


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Server]:
    """Return a PostgreSQL server, where there is one: there is on Linux in CI."""
    missing = servers.missing()
    if missing and (os.environ.get("CI") != "true" or sys.platform != "linux"):
        pytest.skip(missing)
    with servers.running() as server:
        yield server


_watchers: list[Callable[[str], None]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    # An open with an opener, as a root's, is told once more by os.open, without a mode.
    if event != "open" or not _watchers or arguments[1] is None:
        return
    if isinstance(arguments[0], str | bytes):
        for watcher in _watchers:
            watcher(os.fsdecode(arguments[0]))


sys.addaudithook(_audit)


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Every image file that this process opens, once for each time."""
    paths: list[str] = []

    def watch(path: str) -> None:
        if path.lower().endswith((".jpg", ".png", ".jpeg", ".webp", ".tif", ".bmp")):
            paths.append(path)

    _watchers.append(watch)
    yield paths
    _watchers.remove(watch)
