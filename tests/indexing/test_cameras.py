"""The cameras of an archive, by the pattern that it is indexed with."""

import shutil
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path

import pytest

from sdindex import ArchiveError, Index, UsageError
from sdindex.archive.cameras import CAMERA_RULE
from tests.conftest import make_image
from tests.support.counting import counts, rows
from tests.support.straight import connected


def names(index: Index) -> list[str]:
    return [camera.camera for camera in index.cameras()]


def test_a_pattern_that_finds_no_camera_is_said(
    index: Index, archive: Path, threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    index.update(archive, camera_pattern=r"IMG_(\d+)", executor=threads)
    assert len(index.cameras()) == 12
    assert caplog.messages == []
    for pattern in (r"(station\d+)", "(station)?IMG"):
        caplog.clear()
        index.update(archive, camera_pattern=pattern, executor=threads)
        assert [camera.camera for camera in index.cameras()] == ["cam0", "cam1"]
        assert "finds nothing in any path" in caplog.text


def test_where_the_root_is_a_cameras_own_folder_it_is_the_roots_name(
    index: Index, tmp_path: Path, threads: Executor
) -> None:
    for number, name in enumerate(["1.jpg", "DCIM/100RECNX/2.jpg", "101RECNX/3.jpg", "b/4.jpg"]):
        make_image(tmp_path / "cam7" / name, number)
    index.update(tmp_path / "cam7", executor=threads)
    assert [(one.camera, one.images) for one in index.cameras()] == [("b", 1), ("cam7", 3)]
    assert len(index.select(2, balance="camera")) == 2


def test_a_camera_that_was_blank_is_named_at_the_next_update_and_nothing_is_read(
    index: Index, tmp_path: Path, db: Path, threads: Executor
) -> None:
    make_image(tmp_path / "cam7" / "1.jpg")
    index.update(tmp_path / "cam7", executor=threads)
    with closing(connected(db)) as connection:
        connection.execute("UPDATE image SET camera = ''")
        connection.execute("UPDATE archive SET camera_rule = 1, frame_version = NULL")
        connection.commit()
    assert counts(index.update(tmp_path / "cam7", executor=threads)) == {"unchanged": 1}
    assert names(index) == ["cam7"]
    assert rows(db, "SELECT camera, camera_rule FROM image, archive") == [("cam7", CAMERA_RULE)]


def test_the_root_names_its_camera_as_it_is_now(
    index: Index, tmp_path: Path, db: Path, threads: Executor
) -> None:
    make_image(tmp_path / "cam7" / "1.jpg")
    make_image(tmp_path / "cam7" / "other" / "2.jpg", 1)
    index.update(tmp_path / "cam7", executor=threads)
    shutil.move(tmp_path / "cam7", tmp_path / "cam8")
    index.relocate(tmp_path / "cam7", tmp_path / "cam8")
    assert names(index) == ["cam8", "other"]
    make_image(tmp_path / "cam8" / "3.jpg", 3)
    index.update(tmp_path / "cam8", executor=threads)
    assert [(one.camera, one.images) for one in index.cameras()] == [("cam8", 2), ("other", 1)]


def test_the_pattern_is_changed_and_left_out_without_the_disk(
    index: Index, archive: Path, threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    index.update(archive, executor=threads)
    archive.rename(archive.with_name("away"))
    index.set_camera_pattern(r"(IMG_\d)", archive)
    assert [camera.pattern for camera in index.cameras()] == [r"(IMG_\d)"] * 9
    assert {camera.camera for camera in index.cameras()} == {f"IMG_{n}" for n in range(1, 10)}
    index.set_camera_pattern("(station)")  # the only archive
    assert names(index) == ["cam0", "cam1"]
    assert "finds nothing in any path" in caplog.text
    index.set_camera_pattern("")
    assert [camera.pattern for camera in index.cameras()] == [None, None]
    archive.with_name("away").rename(archive)
    assert counts(index.update(archive, executor=threads)) == {"unchanged": 12}
    assert names(index) == ["cam0", "cam1"]


def test_whose_pattern_it_is_must_be_clear(
    index: Index, archive: Path, tmp_path: Path, threads: Executor
) -> None:
    make_image(tmp_path / "other" / "1.jpg")
    index.update(archive, tmp_path / "other", executor=threads)
    with pytest.raises(ArchiveError, match="name the archive's root with archive; the index holds"):
        index.set_camera_pattern("(x)")
    with pytest.raises(ArchiveError, match="is not an archive of this index"):
        index.set_camera_pattern("(x)", tmp_path)
    with pytest.raises(UsageError, match="is no regular expression"):
        index.set_camera_pattern("(", archive)
