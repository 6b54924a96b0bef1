import sqlite3
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path

from sdindex import Index
from sdindex.archive.cameras import CAMERA_RULE
from tests.indexing.test_update import rows


def test_cameras_found_by_another_rule_are_found_anew(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    for rule, expected in ((CAMERA_RULE, ["?"]), (CAMERA_RULE - 1, ["cam0", "cam1"])):
        with closing(sqlite3.connect(db)) as connection:
            connection.execute("UPDATE image SET camera = '?'")
            connection.execute("UPDATE archive SET camera_rule = ?", [rule])
            connection.commit()
        index.update(archive / "cam0", executor=threads)
        assert [one.camera for one in index.cameras()] == expected
    assert rows(db, "SELECT camera_rule FROM archive") == [(CAMERA_RULE,)]
