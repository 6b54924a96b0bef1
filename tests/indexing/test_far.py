"""An archive that is no folder of this machine: a kind of root, and a line that names it."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from sdindex import ArchiveError, ArchiveUnavailableError, Index
from sdindex.archive.roots import made_by
from sdindex.archive.state import FileState
from tests.conftest import make_image
from tests.support.counting import counts
from tests.support.roots import FarRoot

FAR = "far://bucket/season 1"


@pytest.fixture
def disk(tmp_path: Path, archive: Path) -> Iterator[Path]:
    """Yield where the buckets are; nothing of the program knows of it but a root."""
    (tmp_path / "disk/bucket").mkdir(parents=True)
    shutil.copytree(archive, tmp_path / "disk/bucket/season 1")
    with made_by(partial(FarRoot, disk=str(tmp_path / "disk")), "far://"):
        yield tmp_path / "disk/bucket"


def test_it_is_indexed_and_sampled_by_its_location(index: Index, disk: Path) -> None:
    assert counts(index.update(f"{FAR}/", workers=2)) == {"new": 12, "read": 12}
    assert counts(index.update(FAR)) == {"unchanged": 12}
    sample = index.select(12, save="all")
    assert {image.archive for image in sample} == {FAR}
    assert [image.path for image in sample] == list(index.paths(12))
    assert sample[0].path == f"{FAR}/cam0/IMG_1.JPG"
    assert [archive.root for archive in index.status().archives] == [FAR]
    assert [(camera.archive, camera.camera) for camera in index.cameras()] == [
        (FAR, "cam0"), (FAR, "cam1"),
    ]  # fmt: skip
    some = [image.path for image in sample[:3]]
    assert list(index.paths(12, files=some)) == some
    for under in (f"{FAR}/cam1", "cam1"):
        assert len(index.select(12, under=under)) == 6
    assert len(index.select(12, under="far://bucket")) == 12


def test_what_changes_there_is_seen(index: Index, disk: Path, threads: Executor) -> None:
    index.update(FAR, executor=threads)
    index.select(12, save="all")
    make_image(disk / "season 1/cam0/IMG_1.JPG", 77)
    (disk / "season 1/cam0/IMG_3.JPG").unlink()
    (disk / "season 1/cam1/broken.jpg").write_bytes(b"broken")
    os.utime(disk / "season 1/cam1/broken.jpg", (1, 1))
    summary = index.update(f"{FAR}/cam0", executor=threads)
    assert counts(summary) == {"changed": 1, "missing": 1, "unchanged": 4, "read": 1}
    index.update(f"{FAR}/cam1", f"{FAR}/", FAR, executor=threads)
    assert [file.path for file in index.errors()] == [f"{FAR}/cam1/broken.jpg"]
    assert index.missing_of("all") == [f"{FAR}/cam0/IMG_3.JPG"]
    make_image(disk / "other/x.jpg", 78)
    summary = index.update_files([f"{FAR}/cam0/IMG_1.JPG", "far://bucket/other/x.jpg"])
    assert counts(summary) == {"new": 1, "unchanged": 1, "read": 1}
    assert [archive.root for archive in index.status().archives] == ["far://bucket", FAR]


def test_a_report_has_its_pictures(index: Index, disk: Path, threads: Executor) -> None:
    index.update(FAR, executor=threads)
    assert index.report(6).count("data:image/jpeg") >= 6


def test_its_files_are_copied_and_kept(
    index: Index, disk: Path, tmp_path: Path, threads: Executor
) -> None:
    index.update(FAR, executor=threads)
    sample = index.select(4)
    assert index.put_files(sample, tmp_path / "copies").new == 4
    assert index.put_files(sample, tmp_path / "copies").kept == 4
    original = disk / "season 1" / sample[0].relative_path
    assert (tmp_path / "copies" / sample[0].relative_path).read_bytes() == original.read_bytes()


def test_originals_that_are_far_are_looked_at_side_by_side(
    index: Index, disk: Path, tmp_path: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update(FAR, executor=threads)
    together, state = Barrier(4), FarRoot.state

    def waited_for(root: FarRoot, path: str) -> FileState:
        together.wait(10)
        return state(root, path)

    monkeypatch.setattr(FarRoot, "state", waited_for)
    assert index.put_files(index.select(4), tmp_path / "copies").new == 4


def test_it_is_relocated_there_and_to_this_machine(
    index: Index, disk: Path, threads: Executor
) -> None:
    index.update(FAR, executor=threads)
    (disk / "season 1").rename(disk / "moved")
    with pytest.raises(ArchiveUnavailableError, match="season 1 cannot be read: No such"):
        index.update(FAR)
    with pytest.raises(ArchiveError, match="sdindex relocate 'far://bucket/season 1' far://bucket"):
        index.update("far://bucket/moved")
    index.relocate(FAR, "far://bucket/moved/")
    assert counts(index.update("far://bucket/moved")) == {"unchanged": 12}
    with pytest.raises(ArchiveError, match="overlap"):
        index.update("far://bucket")
    index.relocate("far://bucket/moved", str(disk / "moved"))
    assert index.select(12)[0].path == str(disk / "moved/cam0/IMG_1.JPG")
    assert counts(index.update(disk / "moved")) == {"unchanged": 12}
    index.relocate(str(disk / "moved"), "far://bucket/moved")
    assert index.prune("far://bucket/moved") == 12


def test_a_file_there_is_no_folder(index: Index, disk: Path) -> None:
    with pytest.raises(ArchiveError, match="is a file; name its folder"):
        index.update(f"{FAR}/cam0/IMG_1.JPG")
    with pytest.raises(ArchiveUnavailableError, match="cannot be read: No such file"):
        index.update(f"{FAR}/cam0/IMG_1.JPG/below")
