"""Which images a path means: the same for label files, lists and single files."""

import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdindex import Index
from sdindex.archive.names import to_text
from sdindex.archive.roots import LocalRoot
from sdindex.errors import ArchiveError, SampleError
from sdindex.exchange.matching import Leading, Matcher
from sdindex.store.database import Store
from tests.support.indexes import write_index

posix = pytest.mark.skipif(sys.platform == "win32", reason="paths of other systems")
pytestmark = posix


@contextmanager
def matcher(db: Path, folder: str | None = None) -> Iterator[Matcher]:
    with Store(db).reading() as session:
        yield Matcher(session, folder)


@pytest.fixture
def two(db: Path) -> Path:
    """Two archives, whose images are numbered from 1: three of /data/a, two of /data/b."""
    write_index(
        db,
        {
            "/data/a": {"cam1/1.JPG": 1, "cam2/1.JPG": 2, "b\\1.JPG": 3},
            "/data/b": {"cam1/1.JPG": 4, "\udcff.JPG": 5},
        },
    )
    return db


@pytest.mark.parametrize(
    ("path", "dropped", "ids"),
    [
        ("cam1/1.JPG", 0, [1, 4]),
        ("./cam1//x/../1.JPG", 0, [1, 4]),
        ("/data/a/cam1/1.JPG", 0, [1]),
        ("/data/ab/cam1/1.JPG", 0, []),
        ("/data/a", 0, []),
        ("", 0, []),
        ("../data/a/cam1/1.JPG", 0, []),
        ("C:/data/a/cam1/1.JPG", 0, []),
        ("C:/data/a/cam1/1.JPG", 3, [1, 4]),
        ("C:\\data\\a\\cam1\\1.JPG", 3, [1, 4]),
        ("cam2\\1.JPG", 0, [2]),
        ("b\\1.JPG", 0, [3]),
        ("/data/a/b\\1.JPG", 0, [3]),
        ("/cam2/1.JPG", 1, [2]),
        ("x/\udcff.JPG", 1, [5]),
        ("/data/b/\udcff.JPG", 0, [5]),
    ],
)
def test_what_a_path_may_mean(two: Path, path: str, dropped: int, ids: list[int]) -> None:
    with matcher(two) as found:
        assert found.ids([path], dropped) == [ids]


def test_a_folder_says_what_paths_are_relative_to(two: Path) -> None:
    with matcher(two, "/data/a/cam2") as found:
        assert found.ids(["1.JPG", "cam1/1.JPG", "/data/a/cam1/1.JPG"]) == [[2], [], [1]]
    said = r"/data/c lies in no archive of this index; its archives: /data/a, /data/b"
    with pytest.raises(ArchiveError, match=said), matcher(two, "/data/c"):
        pass


def test_the_working_folder_comes_before_the_archives(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, link = tmp_path / "archive/site", tmp_path / "link"
    inner.mkdir(parents=True)
    link.symlink_to(tmp_path / "archive")
    (tmp_path / "one.jpg").symlink_to(inner / "1.JPG")
    (inner / "1.JPG").touch()
    write_index(db, {str(tmp_path / "archive"): {"site/1.JPG": 1, "1.JPG": 2}})
    monkeypatch.chdir(inner)
    with matcher(db) as found:
        assert found.ids(["1.JPG", "../1.JPG", "site/1.JPG"]) == [[1], [2], [1]]
    monkeypatch.chdir(tmp_path)
    with matcher(db) as found:
        assert found.ids(["1.JPG", "archive/1.JPG", "link/site/1.JPG", "one.jpg"]) == [
            [2], [2], [1], [1],
        ]  # fmt: skip
        assert found.ids([str(link / "1.JPG"), str(tmp_path / "one.jpg")]) == [[2], [1]]


def test_paths_are_found_without_the_folders_that_all_begin_with(two: Path) -> None:
    with matcher(two) as found:
        assert found.folders_to_drop(["cam1/1.JPG", "x/cam2/1.JPG"]) == []
        for prefix in ("archive/", "/mnt/nas/archive/", "D:/archive/"):
            paths = [f"{prefix}cam{number}/1.JPG" for number in (1, 2, 3)]
            dropped = found.folders_to_drop(paths)
            assert "/".join(dropped) + "/" == prefix
            assert found.ids(paths, len(dropped)) == [[1, 4], [2], []]
        assert found.folders_to_drop(["x/cam9/1.JPG", "x/cam8/1.JPG"]) == []
        assert found.folders_to_drop([]) == []


@example(["a", "a/b"])
@given(st.lists(st.text("ab/", min_size=1), min_size=1))
def test_leading_folders_are_those_of_every_path(paths: list[str]) -> None:
    together = Leading()
    together.add(paths[:1])
    together.add(paths[1:])
    leading = together.folders
    parts = [os.path.normpath(path).split("/")[:-1] for path in paths]
    assert all(folders[: len(leading)] == leading for folders in parts)
    more = {tuple(folders[: len(leading) + 1]) for folders in parts}
    assert len(more) > 1 or parts[0] == leading


def test_each_path_is_matched_as_if_alone(db: Path) -> None:
    chance = random.Random(1)
    names = [f"{chance.choice('abc')}/{chance.choice('abc')}{number}" for number in range(400)]
    write_index(db, {"/r": dict.fromkeys(names[::2], 1), "/s": dict.fromkeys(names[::3], 1)})
    with matcher(db) as found:
        together = found.ids(names)
        assert together == [found.ids([name])[0] for name in names]
        assert [len(ids) for ids in together] == [
            (number % 2 == 0) + (number % 3 == 0) for number in range(400)
        ]


part = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(part.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3))
def test_any_name_is_found_by_each_of_its_paths(names: list[str]) -> None:
    path = "/".join(names)
    with pytest.MonkeyPatch.context() as patch:
        known = {(7, to_text(path)): 1}
        patch.setattr(
            "sdindex.exchange.matching.ids_at",
            lambda _, asked: {one: known[one] for one in asked if one in known},
        )
        found = Matcher.__new__(Matcher)
        found.__dict__.update(
            _session=None,
            _real_folder=lambda _: None,
            _roots=[(LocalRoot("/r"), 7)],
            _real_roots=[(LocalRoot("/r"), 7)],
            _below=[(7, "")],
            _working_folder="/elsewhere",
        )
        found.__dict__["_of_folder"] = found._folder_meanings
        assert found.ids([path, f"/r/{path}"]) == [[1], [1]]


def megadetector(folder: Path, paths: Sequence[str]) -> Path:
    """Write MegaDetector's results of those paths: an animal in each."""
    images = [
        {"file": path, "detections": [{"category": "1", "conf": 0.9, "bbox": [0, 0, 1, 1]}]}
        for path in paths
    ]
    file = folder / "md.json"
    file.write_text(json.dumps({"images": images, "detection_categories": {"1": "animal"}}))
    return file


@pytest.mark.parametrize(
    "before", ["", "./", "/data/archive/", "archive/", "/mnt/nas/archive/", "D:\\field\\archive\\"]
)
def test_the_same_results_file_is_taken_everywhere(
    db: Path, index: Index, tmp_path: Path, before: str
) -> None:
    names = [f"cam{number % 3}/IMG_{number}.JPG" for number in range(30)]
    write_index(db, {"/data/archive": {name: number << 58 for number, name in enumerate(names)}})
    chosen = sorted(names[4:14])
    slash = "\\" if "\\" in before else "/"
    file = megadetector(tmp_path, [before + name.replace("/", slash) for name in chosen])

    def paths(**options: object) -> list[str]:
        drawn = index.select(99, **options)  # type: ignore[arg-type]
        return sorted(image.relative_path for image in drawn)

    assert index.import_labels(file).images == 10
    assert paths(labels="animal") == paths(files=file) == chosen
    assert paths(exclude=str(file)) == sorted(set(names) - set(chosen))
    drawn = index.select(10, include=file)
    assert sorted(image.relative_path for image in drawn) == chosen


def test_files_of_this_machine_are_no_others_of_the_same_name(
    db: Path, index: Index, tmp_path: Path
) -> None:
    write_index(db, {"/data/archive": {"cam1/IMG_1.JPG": 5}})
    assert index.hashes(["/data/archive/cam1/IMG_1.JPG"]) == {"/data/archive/cam1/IMG_1.JPG": 5}
    assert index.hashes(["/other/archive/cam1/IMG_1.JPG"]) == {}
    with pytest.raises(SampleError, match="2 of 2 listed images are not in the index"):
        index.select(1, files=["/other/cam9/IMG_1.JPG", "/other/cam8/IMG_1.JPG"])
