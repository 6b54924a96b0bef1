from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path

from sdindex import Index
from sdindex.archive.cameras import CAMERA_RULE
from sdindex.archive.natural import SORT_RULE
from sdindex.sampling.bursts import BURST_RULE
from tests.support.counting import rows
from tests.support.straight import connected, with_marks


def test_cameras_found_by_another_rule_are_found_anew(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    for rule, expected in ((CAMERA_RULE, ["?"]), (CAMERA_RULE - 1, ["cam0", "cam1"])):
        with closing(connected(db)) as connection:
            connection.execute("UPDATE image SET camera = '?'")
            connection.execute(f"UPDATE archive SET camera_rule = {rule}, frame_version = NULL")
            connection.commit()
        index.update(archive / "cam0", executor=threads)
        assert [one.camera for one in index.cameras()] == expected
    assert rows(db, "SELECT camera_rule FROM archive") == [(CAMERA_RULE,)]


def test_keys_of_another_rule_are_made_anew_and_the_frame_with_them(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    of_keys = "SELECT sort_key FROM image UNION ALL SELECT sort_key FROM archive ORDER BY 1"
    keys = rows(db, of_keys)
    in_order = index.select(12)
    with closing(connected(db)) as connection:
        for (number,) in rows(db, "SELECT id FROM image"):  # the last one is the first now
            backwards = with_marks(db, "UPDATE image SET sort_key = ? WHERE id = ?")
            connection.execute(backwards, (bytes([255 - number]), number))
        older = with_marks(db, "UPDATE archive SET sort_key = ?, sort_rule = ?")
        connection.execute(older, (b"\0", SORT_RULE - 1))
        connection.execute("UPDATE archive SET frame_version = NULL")
        connection.commit()
    assert index.select(12) != in_order
    index.update(archive / "cam0", executor=threads)
    assert rows(db, of_keys) == keys
    assert index.select(12) == in_order
    assert rows(db, "SELECT sort_rule FROM archive") == [(SORT_RULE,)]


def test_a_saved_sample_has_the_version_of_the_rule_of_its_bursts(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    index.select(5, unit="burst", save="one")
    assert rows(db, "SELECT burst_rule FROM sample") == [(BURST_RULE,)]
