"""An archive read in shards, and their indexes merged into one: as if one run had read it."""

import os
from contextlib import closing
from errno import EACCES
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sdindex import ArchiveError, Index, IndexMissingError, Summary, UsageError
from sdindex.archive.roots import made_by
from sdindex.archive.shards import Shard, shard_number
from sdindex.indexing.executors import Threads
from tests.conftest import make_image
from tests.indexing.test_refusals import not_giving
from tests.support.counting import counts
from tests.support.roots import FailingRoot
from tests.support.straight import connected

NOT_COMPARED = {"id", "archive_id", "indexed_at", "added_at", "updated_at", "frame_version"}
Rows = dict[str, list[dict[str, object]]]


def rows(db: Path) -> Rows:
    """Return what an index has, without the ids and the times of indexing."""
    found: Rows = {}
    with closing(connected(db)) as connection:
        for table, order in (("archive", "root"), ("image", "path"), ("device", "path")):
            answer = connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
            names = [column[0] for column in answer.description]
            found[table] = [
                {
                    name: value
                    for name, value in zip(names, row, strict=True)
                    if name not in NOT_COMPARED
                }
                for row in answer
            ]
    for image in found["image"]:
        image["missing_since"] = image["missing_since"] is not None
    return found


@pytest.fixture
def archive(archive: Path) -> Path:
    """Add what a real archive has: other names, a broken image, a film, a deeper folder."""
    for number in range(9):
        make_image(archive / f"site é/cam9/DCIM/100MEDIA/IMG_{number:04d}.JPG", 50 + number)
    (archive / "cam0" / "broken.jpg").write_bytes(b"no image")
    (archive / "cam0" / "film.mp4").write_bytes(b"film")
    for file in archive.rglob("*.*"):  # files that are settled
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return archive


def shard(archive: Path, number: int, of: int, folder: Path, **options: Any) -> Path:
    db = folder / f"shard-{number}.db"
    with Index(db) as index:
        index.update(archive, shard=f"{number}/{of}", **options)
    return db


def shards(archive: Path, of: int, folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    with Threads(1) as threads:
        return [shard(archive, n, of, folder, executor=threads) for n in range(1, of + 1)]


def merge(db: Path, *indexes: Path, accept_loss: bool = False) -> Summary:
    with Index(db) as index:
        return index.merge(*indexes, accept_loss=accept_loss)


def drawn(db: Path) -> list[list[str]]:
    with Index(db) as index:
        return [
            [image.path for image in index.select(*asked, **options)]
            for asked, options in (
                ((7,), {}),
                ((9,), {"bits": 8}),
                ((6,), {"unit": "burst", "balance": "camera"}),
            )
        ]


@pytest.fixture
def whole(archive: Path, tmp_path: Path) -> Path:
    with Index(tmp_path / "whole.db") as index:
        index.update(archive)
    return tmp_path / "whole.db"


@pytest.fixture
def three(archive: Path, tmp_path: Path) -> list[Path]:
    return shards(archive, 3, tmp_path / "shards")


def test_each_file_is_in_exactly_one_shard() -> None:
    paths = [f"cam{number % 7}/IMG_{number:04d}.JPG" for number in range(5000)]
    for of in (1, 2, 3, 64):
        inside = [[path for path in paths if Shard(n, of).holds(path)] for n in range(1, of + 1)]
        assert sorted(path for some in inside for path in some) == sorted(paths)
        assert min(map(len, inside)) > len(paths) / of / 2
    assert shard_number("cam1/IMG_0001.JPG", 64) == 24  # for ever: indexes of shards are kept


def test_merged_shards_are_what_one_run_makes(whole: Path, three: list[Path], db: Path) -> None:
    summary = merge(db, *three[::-1])
    assert counts(summary) == {"new": 21, "unreadable": 1, "read": 22}
    assert rows(db) == rows(whole)
    assert drawn(db) == drawn(whole)


def test_merging_again_changes_nothing(three: list[Path], db: Path) -> None:
    merge(db, *three)
    before = rows(db)
    assert counts(merge(db, *three)) == {"unchanged": 21, "unreadable": 1}
    assert rows(db) == before


def test_what_changed_is_merged_into_a_known_index(
    archive: Path, three: list[Path], whole: Path, db: Path, tmp_path: Path
) -> None:
    merge(db, *three)
    make_image(archive / "cam0/IMG_1.JPG", 80)
    make_image(archive / "cam0/new.jpg", 81)
    (archive / "cam1/IMG_2.JPG").unlink()
    (archive / "cam1/IMG_4.JPG").rename(archive / "cam0/IMG_4.JPG")
    for file in (archive / "cam0").iterdir():
        os.utime(file, (1_700_000_000 + len(file.name), 1_700_000_000 + len(file.name)))
    os.utime(archive / "cam0/IMG_4.JPG", (1_700_000_000, 1_700_000_000))
    with Index(whole) as index:
        expected = counts(index.update(archive))
    found = counts(merge(db, *shards(archive, 3, tmp_path / "anew")))
    assert found == expected
    assert found["moved"] == found["missing"] == 1
    assert rows(db) == rows(whole)
    assert drawn(db) == drawn(whole)


def test_an_image_that_a_shards_job_was_refused_keeps_its_hash(
    archive: Path, three: list[Path], whole: Path, db: Path, tmp_path: Path
) -> None:
    merge(db, *three)
    before = rows(db)["image"]
    os.utime(archive / "cam0/IMG_1.JPG", (1_800_000_000, 1_800_000_000))
    with not_giving("cam0/IMG_1.JPG"):
        with Index(whole) as index:
            expected = counts(index.update(archive))
        anew = shards(archive, 3, tmp_path / "anew")
    assert counts(merge(db, *anew)) == expected
    assert rows(db)["image"] == before == rows(whole)["image"]
    assert counts(merge(db, *shards(archive, 3, tmp_path / "again")))["changed"] == 1


def test_shards_that_are_kept_read_only_what_changed(
    archive: Path, three: list[Path], db: Path
) -> None:
    merge(db, *three)
    make_image(archive / "cam0/new.jpg", 81)
    read = 0
    for number in range(1, 4):
        with Index(three[number - 1]) as index:
            read += index.update(archive).read  # which shard it is, the index knows
    assert read == 1
    assert counts(merge(db, *three)) == {"new": 1, "unchanged": 21, "unreadable": 1, "read": 1}


def test_a_shard_without_files_is_one(archive: Path, whole: Path, tmp_path: Path, db: Path) -> None:
    many = shards(archive, 40, tmp_path / "many")
    merge(db, *many)
    assert rows(db) == rows(whole)


def test_an_empty_archive_is_refused_in_shards_too(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match="holds no image files"):
        shard(tmp_path / "empty", 1, 2, tmp_path)


def test_an_index_has_one_shard_or_all(
    archive: Path, three: list[Path], whole: Path, tmp_path: Path
) -> None:
    with Index(three[1]) as index:
        assert index.status().archives[0].shard == "2/3"
        with pytest.raises(ArchiveError, match=r"this index has shard 2/3 of .*--db shard-1.db"):
            index.update(archive, shard="1/3")
    with Index(whole) as index, pytest.raises(ArchiveError, match="has the whole of"):
        index.update(archive, shard="1/3")
    with pytest.raises(ArchiveError, match="is itself shard 2/3"):
        merge(three[1], *shards(archive, 3, tmp_path / "again"))


@pytest.mark.parametrize("wrong", ["0/3", "4/3", "3", "1/0", "a/b", "-1/3", "1/3/5", "01/3"])
def test_what_is_no_shard_is_refused(wrong: str, archive: Path, index: Index) -> None:
    with pytest.raises(UsageError, match="is no shard"):
        index.update(archive, shard=wrong)


def test_what_does_not_belong_together_is_refused_and_nothing_made(
    archive: Path, three: list[Path], whole: Path, db: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    for number in range(6):
        make_image(other / f"{number}.jpg", number)
    (tmp_path / "x").mkdir()
    exact = shard(archive, 3, 3, tmp_path / "x", method="exact")
    (tmp_path / "y").mkdir()
    left_out = shard(archive, 3, 3, tmp_path / "y", exclude="site */")
    (tmp_path / "z").mkdir()
    for indexes, why in (
        (three[:1], r"shards of .*archive are missing: 2/3, 3/3; name"),
        ([*three, three[0]], "are both shard 1/3"),
        ([*three, whole], "whole.db is no shard: it has the whole of"),
        ([*three[:2], exact], "were hashed with two methods, scaled and exact"),
        ([*three[:2], left_out], "leave out different files"),
        ([*three, *shards(other, 2, tmp_path / "others")], "is no shard of"),
        ([*three[:2], shard(archive, 3, 4, tmp_path / "z")], "different divisions, shard 1/3 and"),
        ([*three[:2], db], "sdindex.db is the index to merge into|no index at"),
    ):
        with pytest.raises((ArchiveError, IndexMissingError), match=why):
            merge(db, *indexes)
        assert not db.exists()
    with Index(db) as index, pytest.raises(UsageError, match="needs the indexes"):
        index.merge()


def test_a_shard_whose_job_has_not_ended_is_refused(
    archive: Path, three: list[Path], db: Path
) -> None:
    with closing(connected(three[2])) as connection, connection:
        connection.execute("UPDATE archive SET updated_at = NULL")
    with pytest.raises(ArchiveError, match="the job of shard 3/3 has not read all of"):
        merge(db, *three)
    with Index(three[2]) as index:
        index.update(archive)
    merge(db, *three)


def test_a_shard_that_could_not_look_at_a_folder_is_not_merged(
    archive: Path, tmp_path: Path, db: Path
) -> None:
    failing = partial(FailingRoot, refused=frozenset({"cam1/"}), number=EACCES)
    (tmp_path / "some").mkdir()
    with made_by(failing), Threads(1) as threads:
        some = [shard(archive, n, 2, tmp_path / "some", executor=threads) for n in (1, 2)]
    with pytest.raises(ArchiveError, match="shard 1/2 has not read all of"):
        merge(db, *some)


def test_a_shard_of_another_version_is_refused(three: list[Path], db: Path) -> None:
    with closing(connected(three[2])) as connection, connection:
        connection.execute("UPDATE archive SET camera_rule = 0")
    with pytest.raises(ArchiveError, match="another version of sdindex, or of its hashes"):
        merge(db, *three)


def test_shards_older_than_the_index_are_refused(
    archive: Path, three: list[Path], db: Path
) -> None:
    merge(db, *three)
    make_image(archive / "cam0/IMG_1.JPG", 80)
    with Index(db) as index:
        index.update(archive)
    before = rows(db)
    with pytest.raises(ArchiveError, match="is newer than its shards"):
        merge(db, *three)
    assert rows(db) == before


def test_a_folder_that_lost_most_is_kept_until_that_is_confirmed(
    archive: Path, three: list[Path], db: Path, tmp_path: Path
) -> None:
    merge(db, *three)
    for file in (archive / "cam1").iterdir():
        file.unlink()
    anew = shards(archive, 3, tmp_path / "anew")
    summary = merge(db, *anew)
    assert [unlooked.path for unlooked in summary.unlooked] == [f"{archive / 'cam1'}/"]
    assert summary.missing == 0
    assert merge(db, *anew, accept_loss=True).missing == 6


def test_several_archives_are_merged_at_once(archive: Path, tmp_path: Path, db: Path) -> None:
    other = tmp_path / "other"
    for number in range(6):
        make_image(other / f"{number}.jpg", number)
    both = []
    for number in (1, 2):
        both.append(tmp_path / f"{number}.db")
        with Index(both[-1]) as index:
            index.update(archive, other, shard=f"{number}/2")
    assert merge(db, *both).found == 28
    with Index(db) as index:
        assert len(index.status().archives) == 2
