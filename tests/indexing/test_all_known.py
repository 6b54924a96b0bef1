"""Every known archive that is there is brought up to date, and those that are not are named."""

from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

from sdindex import ArchiveError, Index, IndexMissingError, UsageError
from tests.conftest import make_image
from tests.support.commands import run
from tests.support.counting import counts


@pytest.fixture
def two(archive: Path, tmp_path: Path, index: Index, threads: Executor) -> tuple[Path, Path]:
    """Return two archives that the index knows."""
    other = tmp_path / "other"
    for seed in range(20, 24):
        make_image(other / f"IMG_{seed}.JPG", seed)
    index.update(archive, other, executor=threads)
    return archive, other


def test_without_a_folder_every_known_archive_is_brought_up_to_date(
    two: tuple[Path, Path], index: Index, threads: Executor
) -> None:
    for number, folder in enumerate(two):
        make_image(folder / "new.jpg", 40 + number)
    summary = index.update(executor=threads)
    assert counts(summary) == {"new": 2, "unchanged": 16, "read": 2}
    assert summary.away == []


def test_those_that_are_away_are_named_and_the_others_done(
    two: tuple[Path, Path], index: Index, threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    archive, other = two
    make_image(other / "new.jpg", 40)
    archive.rename(archive.with_name("unplugged"))
    summary = index.update(executor=threads)
    assert (counts(summary), summary.away) == (
        {"new": 1, "unchanged": 4, "read": 1},
        [str(archive)],
    )
    assert not caplog.messages
    assert len(index.select(100)) == 17
    archive.mkdir()  # the folder is there that its disk was mounted at
    summary = index.update(executor=threads)
    assert (counts(summary), summary.away) == ({"unchanged": 5}, [str(archive)])
    assert "holds no image files any more" in caplog.text
    assert len(index.select(100)) == 17


def test_an_archive_of_single_files_stays_one(
    two: tuple[Path, Path], tmp_path: Path, index: Index, threads: Executor
) -> None:
    single = make_image(tmp_path / "elsewhere" / "one.jpg", 50)
    make_image(tmp_path / "elsewhere" / "two.jpg", 51)
    index.update_files([single], executor=threads)
    make_image(single, 52)
    assert counts(index.update(executor=threads)) == {"changed": 1, "unchanged": 16, "read": 1}
    assert len(index.select(100)) == 17


def test_single_files_become_part_of_their_folder_when_that_is_indexed(
    two: tuple[Path, Path], tmp_path: Path, index: Index, threads: Executor
) -> None:
    folder = tmp_path / "elsewhere"
    files = [make_image(folder / "site" / f"{number}.jpg", number) for number in (50, 51)]
    index.update_files(files, executor=threads)
    saved = index.select(18, save="all")
    make_image(folder / "site" / "three.jpg", 52)
    done = index.update(folder, executor=threads)
    assert counts(done) == {"new": 1, "unchanged": 2, "read": 1}
    roots = {known.root: known.images for known in index.status().archives}
    assert (roots[str(folder)], roots[folder.anchor]) == (3, 0)
    assert {kept.path for kept in index.sample("all")} == {drawn.path for drawn in saved}
    assert {camera.camera for camera in index.cameras()} >= {"site"}
    files[0].unlink()
    assert counts(index.update(executor=threads)) == {"missing": 1, "unchanged": 18}
    index.relocate(folder, folder.rename(tmp_path / "moved"))
    with pytest.raises(ArchiveError, match="overlap"):
        index.update(folder.anchor, executor=threads)


def test_the_command_line_ends_with_1_and_one_line(two: tuple[Path, Path], db: Path) -> None:
    done = run("index", db=db)
    assert done.exit_code == 0
    assert "16 unchanged" in done.stderr
    two[0].rename(two[0].with_name("unplugged"))
    done = run("index", db=db)
    assert done.exit_code == 1
    summary, error = done.stderr.splitlines()
    assert "4 unchanged" in summary
    assert error.startswith(f"Error: not there, or not as before: {two[0]}; what is known")


def test_without_an_archive_there_is_nothing_to_bring_up_to_date(
    index: Index, db: Path, archive: Path, threads: Executor
) -> None:
    with pytest.raises(IndexMissingError):
        index.update(executor=threads)
    assert not db.exists()
    index.update(archive, executor=threads)
    for_one: list[dict[str, Any]] = [
        {"exclude": "x"}, {"camera_pattern": ""}, {"accept_loss": True}
    ]  # fmt: skip
    for options in for_one:
        with pytest.raises(UsageError, match="for one archive"):
            index.update(executor=threads, **options)
    index.prune(archive)
    with pytest.raises(ArchiveError, match="knows no archive"):
        index.update(executor=threads)
