"""The cameras of an archive, by the pattern that it is indexed with."""

from concurrent.futures import Executor
from pathlib import Path

import pytest

from sdindex import Index


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
