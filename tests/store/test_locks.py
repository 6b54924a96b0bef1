"""One program at a time writes to an index, by whatever name."""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from sdindex import Index, IndexUnusableError
from sdindex.store import locks
from sdindex.store.database import Store
from tests.store.test_database import make_index, posix, without_rights

pytestmark = pytest.mark.sqlite_file


class WaitedError(Exception):
    """Raised where a program would begin to wait."""


@contextmanager
def instead_of_waiting(act: Callable[[], object]) -> Iterator[None]:
    def noted(_: logging.LogRecord) -> bool:
        act()
        return True

    locks.log.addFilter(noted)
    try:
        yield
    finally:
        locks.log.removeFilter(noted)


def refuse_to_wait() -> None:
    raise WaitedError


def test_two_names_of_one_index_have_one_lock(db: Path, tmp_path: Path) -> None:
    make_index(db)
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(db)
    url = f"sqlite:///{link.as_posix()}"
    for name in (db, link, url):
        with FileLock(f"{db}.lock"), instead_of_waiting(refuse_to_wait), pytest.raises(WaitedError):
            Index(name).prune()
    assert list(link.parent.iterdir()) == [link]


def test_a_link_to_an_index_that_is_still_to_be_made_stays(
    db: Path, archive: Path, threads: Executor, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(db)
    with Index(link) as index:
        index.update(archive, executor=threads)
    assert link.is_symlink()
    assert len(Index(db).select(100)) == 12


def test_a_second_name_that_is_no_link_is_refused(
    index: Index, db: Path, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    os.link(db, db.parent / "other.db")
    before = db.read_bytes()
    with pytest.raises(IndexUnusableError, match=r"second name.*copy it, and move the copy here"):
        index.update(archive, executor=threads)
    assert db.read_bytes() == before
    assert len(index.select(100)) == 12


@posix
def test_the_lock_is_for_all_who_may_write_to_the_index(db: Path) -> None:
    make_index(db)
    db.chmod(0o664)
    Path(f"{db}.lock").unlink()
    with Store(db).writing():
        pass
    assert Path(f"{db}.lock").stat().st_mode & 0o777 == 0o664


@posix
def test_a_lock_of_another_user_is_one_line(db: Path) -> None:
    make_index(db)
    db.chmod(0o666)
    db.parent.chmod(0o777)
    Path(f"{db}.lock").chmod(0o400)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        for name in (db.name, f"{db.name}.lock"):
            shutil.copy2(db.parent / name, folder)
        here = Path(folder, db.name)
        with without_rights(), pytest.raises(IndexUnusableError, match=r"made by another user"):
            Index(here).prune()


@pytest.mark.parametrize("make", [lambda lock: lock.mkdir(), lambda lock: lock.symlink_to("/a/b")])
def test_a_lock_that_is_no_file_is_one_line(db: Path, make: Callable[[Path], None]) -> None:
    make_index(db)
    lock = Path(f"{db}.lock")
    lock.unlink()
    make(lock)
    with pytest.raises(IndexUnusableError, match="is no file; delete it"):
        Index(db).prune()


def test_who_waits_for_a_folder_that_is_gone_ends(tmp_path: Path) -> None:
    db = tmp_path / "disk" / "sdindex.db"
    db.parent.mkdir()
    make_index(db)

    with (
        FileLock(f"{db}.lock"),
        instead_of_waiting(lambda: db.parent.rename(tmp_path / "pulled")),
        pytest.raises(IndexUnusableError, match="folder is no longer there"),
    ):
        Index(db).prune()
    assert not db.parent.exists()
