"""The same archive and commands give the same bytes, whatever keeps the index."""

import os
import re
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner

from sdindex import Index, IndexMissingError, IndexUnusableError
from sdindex.cli.main import cli
from sdindex.store.database import Store
from sdindex.store.frames import is_current
from sdindex.store.tables import label
from tests.conftest import make_image
from tests.support.servers import Server

DIFFERS = (  # times, and what the index is
    (r"in [\d.]+ s( \([\d,]+ images/s\))?", "in no time"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?", "then"),
    (r", [\d.,]+ [kM]B", ""),
    (r'"size": [\w]+', '"size": 0'),
)
SELECTS = (
    "-n 5", "-n 20%", "-n 9 --bits 1", "-n 9 --bits 17", "-n 9 --bits 64", "-n 6 --unit burst",
    "-n 6 --balance camera", "-n 6 --balance label", "-n 6 --balance folder:1",
    "-n 6 --unit burst --balance camera", "-n 6 --label deer", "-n 6 --not-label deer",
    "-n 9 --where brightness>100", "-n 4 --where bucket(dhash,2)=1", "-n 6 --format csv",
    "-n 6 --format json", "-n 6 --relative", "-n 3 --extend first", "-n 3 --exclude first",
    "-n 3 --within first", "-n 0", "-n 5 --label nothing", "-n 5 --where nothing",
    "-n 5 --where 1);DELETE--", "-n 3 --save first",
)  # fmt: skip
COMMANDS = (
    "index --workers 1 ARCHIVE",
    "index --workers 1 ARCHIVE",
    "labels import LABELS",
    "select -n 6 --save first",
    *(f"select {options}" for options in SELECTS),
    "buckets", "buckets -n 7 --bits 9", "quality -n 6", "quality first", "cameras",
    "cameras --format json", "labels list", "errors", "errors --format csv", "status",
    "status --format json", "samples list", "samples show first", "similar IMAGE", "duplicates",
    "duplicates --within 30 --format csv",
    "DELETE cam1/IMG_2.JPG", "BREAK cam0/IMG_1.JPG", "MAKE cam2/DCIM/100RECNX/IMG_0001.JPG",
    "index --workers 1 ARCHIVE", "errors", "samples show first", "select -n 7", "status", "prune",
    "samples list", "prune --archive ARCHIVE", "samples drop first", "labels drop labels.csv",
    "labels drop nothing", "select -n 7 --balance label", "MOVE", "relocate ARCHIVE MOVED",
    "index --workers 1 MOVED", "select -n 7", "index --workers 1 --method exact MOVED",
    "select -n 7 --format csv",
    "index --workers 1 --camera-pattern cam\\d MOVED", "cameras", "prune --archive MOVED", "status",
    "select -n 1",
)  # fmt: skip
QUERIES = (
    "SELECT path, hamming(dhash, '00ff00ff00ff00ff'), bucket(dhash, 5), dhash_hex(dhash) FROM image"
    " ORDER BY path",
    "SELECT path, archive, hash, bucket FROM image_hash ORDER BY path",
    "SELECT * FROM bucket ORDER BY bucket",
    "SELECT camera, count(*) AS images, sum(width), avg(width) FROM image"
    " GROUP BY camera ORDER BY 1",
    "SELECT bucket(dhash, 63), bucket(dhash, 64), bucket(dhash, 65), hamming(NULL, 1), 7 % 3, '%'"
    " FROM image ORDER BY path;",
    "SELECT name, asked FROM sample -- all",
)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Make an archive of two cameras with labels, names of all kinds, and a broken file."""
    archive = tmp_path / "photographs"
    for seed in range(24):
        make_image(archive / f"cam{seed % 2}/IMG_{seed + 1}.JPG", seed // 2)
    for seed, name in enumerate(("Ünï 10.jpg", "Ünï 9.jpg", "it's %_\\.jpg", "A.jpg", "a.jpg"), 30):
        make_image(archive / "names" / name, seed)
    make_image(Path(os.fsdecode(bytes(archive / "names") + b"/\xff.jpg")), 40)
    (archive / "cam0/broken.jpg").write_bytes(b"no image")
    os.utime(archive / "cam0/broken.jpg", (1e9, 1e9))
    rows = [
        f"cam{seed % 2}/IMG_{seed + 1}.JPG,{'deer' if seed % 3 else 'boar'}" for seed in range(9)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    return archive


def done(db: str, archive: Path, commands: tuple[str, ...]) -> Iterator[tuple[str, int, str]]:
    """Run commands on an index of an archive; yield each, its exit status, and what it writes."""
    moved = archive.parent / "moved"
    names = {"ARCHIVE": str(archive), "MOVED": str(moved), "LABELS": f"{archive.parent}/labels.csv",
             "IMAGE": str(archive / "cam1/IMG_4.JPG")}  # fmt: skip
    for command in commands:
        first, *words = command.split()
        match first:
            case "DELETE":
                (archive / words[0]).unlink()
            case "BREAK":
                (archive / words[0]).write_bytes(b"nothing any more")
                os.utime(archive / words[0], (1e9, 1e9))
            case "MAKE":
                make_image(archive / words[0], 99)
            case "MOVE":
                archive.rename(moved)
            case _:
                given = [first, *(names.get(word, word) for word in words)]
                result = CliRunner().invoke(cli, ["--db", db, *given])
                assert result.exception is None or isinstance(result.exception, SystemExit), command
                text = result.output.replace(db, "INDEX")
                for pattern, same in DIFFERS:
                    text = re.sub(pattern, same, text)
                yield command, result.exit_code, text


def restored(archive: Path, copy: Path) -> None:
    """Put an archive back as it was, with the times of its files."""
    for path in (archive, archive.parent / "moved"):
        if path.exists():
            path.rename(archive.parent / f"was{next(_numbers)}")
    copy.rename(archive)


_numbers = count()


def copied(archive: Path) -> Path:
    return Path(shutil.copytree(archive, archive.parent / f"copy{next(_numbers)}"))


def test_every_command_gives_the_same(photographs: Path, server: Server) -> None:
    copy = copied(photographs)
    on_sqlite = list(done(str(photographs.parent / "index.db"), photographs, COMMANDS))
    restored(photographs, copy)
    for expected, found in zip(
        on_sqlite, done(server.database(), photographs, COMMANDS), strict=True
    ):
        if "--where nothing" in found[0] or "DELETE" in found[0]:  # in other words
            assert expected[1] == found[1] == 1
            assert found[2].count("\n") == 1
        else:
            assert found == expected


def test_every_query_gives_the_same(photographs: Path, server: Server) -> None:
    answers: list[list[list[tuple[object, ...]]]] = []
    for db in (str(photographs.parent / "index.db"), server.database()):
        with Index(db) as index:
            index.update(photographs)
            index.select(3, save="some")
            answers.append([])
            for query in QUERIES:
                with index.sql(query) as answer:
                    answers[-1].append(list(answer.rows))
    assert answers[0] == answers[1]
    assert all(answers[0])


AFTERWARDS = (
    "status", "select -n 6", "select -n 6 --unit burst --balance label --format csv", "cameras",
    "samples show some", "labels list", "errors", "buckets", "index --workers 1 ARCHIVE",
    "select -n 6 --extend some", "select -n 5 --save new", "samples list", "duplicates",
)  # fmt: skip


def test_an_index_is_copied_there_and_back(photographs: Path, server: Server) -> None:
    first, back = (str(photographs.parent / name) for name in ("index.db", "back.db"))
    there = server.database()
    setting_up = ("index --workers 1 ARCHIVE", "labels import LABELS", "select -n 4 --save some")
    assert [status for _, status, _ in done(first, photographs, setting_up)] == [0, 0, 0]
    for source, target in ((first, there), (there, back)):
        assert CliRunner().invoke(cli, ["copy", source, target]).exit_code == 0
    (photographs / "cam0/IMG_3.JPG").unlink()
    make_image(photographs / "new/1.jpg", 123)
    copy = copied(photographs)
    expected = list(done(first, photographs, AFTERWARDS))
    for db in (there, back):
        restored(photographs, copy)
        copy = copied(photographs)
        assert list(done(db, photographs, AFTERWARDS)) == expected
    assert not any(status for _, status, _ in expected)


def test_shards_become_the_same(photographs: Path, server: Server) -> None:
    shards = [str(photographs.parent / f"shard-{number}.db") for number in (1, 2, 3)]
    read = [
        list(done(db, photographs, (f"index --workers 1 --shard {number}/3 ARCHIVE",)))
        for number, db in enumerate(shards, 1)
    ]
    assert [each[0][1] for each in read] == [0, 0, 0]
    merges = (f"merge {' '.join(shards)}",)
    afterwards = (*merges, "status", "select -n 6", "cameras", "buckets", *merges, "select -n 7")
    names = (str(photographs.parent / "all.db"), server.database())
    expected, found = (list(done(db, photographs, afterwards)) for db in names)
    assert found == expected
    assert not any(status for _, status, _ in expected)
    with Store(names[1]).reading() as session:
        assert is_current(session)


def test_a_copy_replaces_nothing_and_a_failed_one_leaves_nothing(
    photographs: Path, server: Server
) -> None:
    first, there = str(photographs.parent / "index.db"), server.database()
    with Index(first) as index, Index(there) as other:
        index.update(photographs)
        other.update(photographs / "cam1")
        with pytest.raises(IndexUnusableError, match="has archives already"):
            index.copy(there)
        assert len(other.select(99)) == 12
        with Store(first).writing() as session:  # which a server does not take
            session.execute(label.insert(), {"image_id": 1, "source": "a\0b", "label": "deer"})
            session.commit()
        empty = server.database()
        with pytest.raises(IndexUnusableError) as caught:
            index.copy(empty)
        assert "\n" not in str(caught.value)
        with pytest.raises(IndexMissingError):
            Index(empty).status()
