"""Saved samples that are split, kept in the index, and written a part at a time."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sdindex import Index, SampleError
from sdindex.sampling.likeness import leaders
from sdindex.sampling.options import Clock
from tests.support.commands import run
from tests.support.indexes import write_index

CAMERAS, EACH = 10, 12


@pytest.fixture
def spring(db: Path, index: Index, tmp_path: Path) -> Index:
    """A saved sample of ten cameras, half of the images labelled, some near-duplicates."""
    paths = [f"s{camera % 2}/c{camera}/{n}.jpg" for camera in range(CAMERAS) for n in range(EACH)]
    write_index(
        db, {"/data/archive": {path: (at * 2654435761) << 24 for at, path in enumerate(paths)}}
    )
    lines = [f"{path},{'fox' if at % 3 else 'rare'}" for at, path in enumerate(paths) if at % 2]
    (tmp_path / "l.csv").write_text("\n".join(["path,label", *lines]))
    index.import_labels(tmp_path / "l.csv")
    index.set_camera_pattern(r"s./(c\d+)/")
    index.select(CAMERAS * EACH, save="spring")
    return index


def parts(index: Index) -> dict[str, str | None]:
    return {image.relative_path: image.split for image in index.sample("spring")}


def test_a_camera_is_on_one_side(spring: Index) -> None:
    assert [saved.split for saved in spring.samples()] == [{}]
    told = spring.split("spring", {"train": 80, "val": 10, "test": 10})
    assert [saved.split for saved in spring.samples()] == [{"train": 80, "val": 10, "test": 10}]
    assert [(part.part, part.images, part.groups, part.share) for part in told] == [
        ("train", 96, 8, 80.0), ("val", 12, 1, 10.0), ("test", 12, 1, 10.0),
    ]  # fmt: skip
    found = parts(spring)
    for camera in range(CAMERAS):
        assert len({part for path, part in found.items() if f"/c{camera}/" in path}) == 1
    assert {part.label for part in told} <= {"fox", "rare"}
    spring.split("spring", {"train": 80, "val": 10, "test": 10})
    assert parts(spring) == found
    train = spring.sample("spring", split="train")
    assert len(train) == 96
    assert {image.split for image in train} == {"train"}


def test_by_folder_and_by_nothing(spring: Index) -> None:
    told = spring.split("spring", {"a": 50, "b": 50}, by="folder:1")
    assert [(part.images, part.groups) for part in told] == [(60, 1), (60, 1)]
    assert all((path[1] == "0") == (part == "a") for path, part in parts(spring).items())
    told = spring.split("spring", {"a": 75, "b": 25}, by="none")
    assert [(part.images, part.label_share) for part in told] == [(90, 75.0), (30, 25.0)]
    with pytest.raises(SampleError, match="spring cannot be split by folder:1 into 3 parts: 2 gr"):
        spring.split("spring", {"a": 50, "b": 25, "c": 25}, by="folder:1")


def test_near_duplicates_are_on_one_side(spring: Index) -> None:
    sample = spring.sample("spring")
    groups = leaders(np.array([int(image.dhash, 16) for image in sample], np.uint64), 12)
    assert len({*groups.tolist()}) < len(sample)
    spring.split("spring", {"a": 50, "b": 50}, by="none", within=12)
    parted = spring.sample("spring")
    sides = {(group, image.split) for group, image in zip(groups, parted, strict=True)}
    assert len(sides) == len({group for group, _ in sides})
    told = spring.split("spring", {"a": 50, "b": 50}, by="none")
    assert sum(part.groups for part in told) == len(sample)


def test_an_event_is_on_one_side(spring: Index) -> None:
    assert Clock().minutes == 30
    told = spring.split("spring", {"a": 50, "b": 50}, by="event")
    assert sum(part.images for part in told) == CAMERAS * EACH


@pytest.mark.parametrize(
    ("into", "by", "said"),
    [
        ({"a": 50, "b": 40}, "camera", "add up to 100, such as train=80,val=20, not a=50, b=40"),
        ({"a": 100}, "camera", "two parts or more"),
        ({"a/b": 50, "b": 50}, "camera", "'a/b' is no name for a part"),
        ({"..": 50, "b": 50}, "camera", "is no name for a part"),
        ({"a": 50, "b": 50}, "month", "split by camera, folder:K, event or none, not 'month'"),
    ],
)
def test_what_cannot_be_is_one_line(
    spring: Index, into: dict[str, float], by: str, said: str
) -> None:
    with pytest.raises(SampleError) as raised:
        spring.split("spring", into, by=by)
    assert said in str(raised.value)
    with pytest.raises(SampleError, match="its parts: none, split it with"):
        spring.sample("spring", split="train")


def test_each_export_takes_a_part(spring: Index, db: Path, tmp_path: Path) -> None:
    done = run("samples", "split", "spring", "--into", "train=80,val=20", db=db)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split()[:5] == ["train", "80.0", "80.0", "96", "8"]
    show = ("samples", "show", "spring", "--split", "val", "--format")
    rows = csv.DictReader(run(*show, "csv", db=db).stdout.splitlines())
    assert {row["split"] for row in rows} == {"val"}
    assert len(json.loads(run(*show, "coco", db=db).stdout)["images"]) == 24
    assert len(run(*show, "paths", db=db).stdout.splitlines()) == 24
    wrong = run(*show[:-2], "test", "--format", "csv", db=db)
    assert "has no part 'test'; its parts: train, val" in wrong.stderr
    run("samples", "show", "spring", "--format", "fiftyone", "-o", tmp_path / "fo", db=db)
    labels = json.loads((tmp_path / "fo/labels.json").read_text())["labels"]
    said = [each["attributes"]["split"] for found in labels.values() for each in found or ()]
    assert {*said} == {"train", "val"}
    for into in ("train=80", "train=80,train=20", "train=x,val=2", "a=0,b=100"):
        assert run("samples", "split", "spring", "--into", into, db=db).exit_code in (1, 2)
