"""similar and duplicates, as commands and in the library."""

import csv
import io
import json
from pathlib import Path

import pytest

from sdindex import Index, SampleError
from tests.conftest import make_image
from tests.support.commands import run
from tests.support.indexes import write_index

HASHES = {
    "a/1.jpg": 0, "a/2.jpg": 1, "a/3.jpg": 2**40 - 1, "b/1.jpg": 3, "b/2.jpg": 0, "c/1.jpg": -1,
    "c/2.jpg": 2**40 - 2,
}  # fmt: skip


@pytest.fixture
def alike(db: Path) -> Path:
    write_index(db, {"/data": HASHES})
    return db


def test_the_most_like_an_image_of_the_index(alike: Path) -> None:
    with Index(alike) as index:
        every = index.similar("/data/a/1.jpg", every=True)
        by_path = {one.image.relative_path: one.bits for one in every}
        assert by_path == {
            path: (dhash % 2**64).bit_count() for path, dhash in HASHES.items() if path != "a/1.jpg"
        }
        assert [one.bits for one in every] == sorted(by_path.values())
        one_each = index.similar("/data/a/1.jpg")
        names = [one.image.relative_path for one in one_each]
        assert names == ["b/2.jpg", "c/2.jpg", "a/3.jpg", "c/1.jpg"]
        assert not {"a/2.jpg", "b/1.jpg"} & set(names), "one of each burst, and none of its own"
        assert [one.image.relative_path for one in index.similar("/data/a/1.jpg", within=3)] == [
            "b/2.jpg"
        ]
        assert len(index.similar("/data/a/1.jpg", 2)) == 2


def test_an_image_that_the_index_does_not_have_is_read(
    db: Path, archive: Path, tmp_path: Path
) -> None:
    other = make_image(tmp_path / "elsewhere" / "copy.JPG", 3)
    with Index(db) as index:
        index.update(archive, workers=1)
        nearest = index.similar(other)[0]
    assert (nearest.bits, nearest.image.relative_path) == (0, "cam1/IMG_4.JPG")
    result = run("similar", other, "-n", "1", "--format", "csv", db=db)
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert row["path"] == nearest.image.path
    broken = tmp_path / "elsewhere" / "broken.JPG"
    broken.write_bytes(b"no image")
    for file, why in ((broken, "not an image"), (tmp_path / "none.jpg", "No such file")):
        result = run("similar", file, db=db)
        assert result.exit_code == 1
        assert why in result.stderr
        assert result.stderr.count("\n") == 1


def test_groups_of_duplicates(alike: Path) -> None:
    with Index(alike) as index:
        found = index.duplicates()
        assert (len(found), found.images, found.within) == (2, 6, 2)
        assert [(one.images, one.path) for one in found] == [
            (4, "/data/a/1.jpg"),
            (2, "/data/a/3.jpg"),
        ]
        members = list(found.members())
        assert [one.path for one in members if one.leads] == ["/data/a/1.jpg", "/data/a/3.jpg"]
        others = list(found.others())
        assert others == [one.path for one in members if not one.leads]
        assert sorted(others) == [
            "/data/a/2.jpg",
            "/data/b/1.jpg",
            "/data/b/2.jpg",
            "/data/c/2.jpg",
        ]
        assert [(one.images, one.path) for one in index.duplicates(0)] == [(2, "/data/a/1.jpg")]


def test_a_sample_without_duplicates(alike: Path, tmp_path: Path) -> None:
    result = run("duplicates", "--format", "paths", db=alike)
    assert result.exit_code == 0
    assert result.stderr == "6 images in 2 groups\n"
    listed = tmp_path / "duplicates.txt"
    listed.write_text(result.stdout)
    sample = run("select", "-n", "100", "--exclude", listed, "--relative", db=alike)
    assert sample.stdout.split() == ["a/1.jpg", "a/3.jpg", "c/1.jpg"]
    table = run("duplicates", db=alike).stdout.splitlines()
    assert [line.split() for line in table] == [
        ["images", "path"], ["4", "/data/a/1.jpg"], ["2", "/data/a/3.jpg"],
    ]  # fmt: skip
    told = json.loads(run("duplicates", "--format", "json", db=alike).stdout)
    assert told[0] == {"group": 1, "images": 4, "leads": True, "path": "/data/a/1.jpg"}
    rows = run("duplicates", "--format", "csv", db=alike).stdout.splitlines()
    assert rows[:3] == [
        "group,images,leads,path", "1,4,true,/data/a/1.jpg", "1,4,false,/data/a/2.jpg",
    ]  # fmt: skip
    assert run("duplicates", "--within", "0", db=alike).stderr == "2 images in 1 group\n"


def test_what_duplicates_finds_can_be_excluded_as_it_is(alike: Path) -> None:
    with Index(alike) as index:
        kept = ["a/1.jpg", "a/3.jpg", "c/1.jpg"]
        others = index.duplicates().others()
        assert [*index.paths(100, relative=True, exclude=others)] == kept
        saved = index.select(1, save="one", exclude="a/1.jpg")
        assert [*index.paths(100, relative=True, exclude=["one", "a/2.jpg"])] == [
            path for path in HASHES if path not in ("a/2.jpg", saved[0].relative_path)
        ]
        assert index.report(name="one", thumbnails=0)
        with pytest.raises(SampleError, match="listed images are not in the index"):
            index.select(2, exclude="a/9.jpg")
    result = run("select", "-n", 9, "--exclude", "a/1.jpg", "--relative", db=alike)
    assert result.stdout.split() == [*HASHES][1:]


@pytest.mark.parametrize("share", ["10%", "1"])
def test_a_sample_of_nothing_is_warned_of(alike: Path, share: str) -> None:
    result = run("select", "-n", share, "--where", "width > 9999", db=alike)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("images were asked for, and there are 0 to draw\n")
    result = run("quality", "-n", share, "--where", "width > 9999", db=alike)
    assert result.exit_code == 1
    assert "there is no image to measure: none that could be read passes" in result.stderr


def test_what_is_no_file_of_an_image_is_told_in_a_line(alike: Path, tmp_path: Path) -> None:
    result = run("similar", tmp_path, db=alike)
    assert result.stderr == f"Error: {tmp_path} is a folder; name an image file in it\n"
    result = run("similar", "a.jpg", "-n", "10%", db=alike)
    assert "'10%' is no number of images from 1 on" in result.stderr
    result = run("--db", "", "status")
    assert result.stderr == "Error: the index has no name; name a file, or a URL, with --db\n"


def test_what_cannot_be_compared_is_one_line(db: Path, tmp_path: Path) -> None:
    write_index(db, {"/data/a": {}})
    with Index(db) as index:
        assert len(index.duplicates()) == 0
        with pytest.raises(SampleError, match="no image to compare"):
            index.similar(make_image(tmp_path / "one.jpg", 1))


@pytest.mark.parametrize(("share", "images"), [("10%", 1), ("50%", 4), ("100%", 7), ("0.1%", 1)])
def test_a_share_of_the_images(alike: Path, share: str, images: int) -> None:
    result = run("select", "-n", share, db=alike)
    assert result.exit_code == 0
    assert not result.stderr
    assert len(result.stdout.splitlines()) == images
    with Index(alike) as index:
        assert len(index.select(share)) == len(index.select(share, bits=5)) == images
        assert len(index.select("100%", under="a")) == 3, "of those that pass the filters"
        index.select(share, save="kept")
        assert index.samples()[0].asked == images


@pytest.mark.parametrize("share", ["0%", "101%", "x%", "%", "-5%", "nan%"])
def test_what_is_no_share(alike: Path, share: str) -> None:
    result = run("select", "-n", share, db=alike)
    assert result.exit_code == 2
    assert "no share such as 10%" in result.stderr
    with Index(alike) as index, pytest.raises(SampleError, match="more than 0% and at most 100%"):
        index.select(share)
