"""What the tests of the command line share."""

from pathlib import Path

import pytest

from tests.support.commands import run


@pytest.fixture
def indexed(db: Path, archive: Path) -> Path:
    (archive / "cam0/broken.jpg").write_bytes(b"")
    result = run("index", "--quiet", archive, db=db)
    assert (result.exit_code, result.output) == (0, "")
    return db
