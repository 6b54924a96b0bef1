"""Paths that any file system may have come out of every format as they went in."""

import csv
import io
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import UTC
from pathlib import Path
from shutil import copy
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sdindex import Index, OutputError
from sdindex.archive.names import from_text
from sdindex.exchange.folders import new_folder
from sdindex.exchange.formats import huggingface, yolo
from sdindex.exchange.formats.registry import FORMATS, Wishes
from sdindex.exchange.tables import from_cell
from sdindex.store.sampled import SampledImage
from tests.conftest import make_image
from tests.support.indexes import write_index
from tests.support.sampled import Image

letters = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
ODD = ["a b", 'q"u,o', "it's", "ü", "u\u0308", "鹿🦌", "back\\slash", "\udcff", "images", "labels",
       "a;b", "='x", "-n", "100%20", "a#b?c=d&e", "<i>", "~", "..x", "new\r\nline", "\x1b[31m",
       "NA", "\ufeffx", " "]  # fmt: skip
name = st.text(letters, min_size=1).filter(lambda part: part not in (".", ".."))
name |= st.sampled_from(ODD)
path = st.lists(name, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".jpg")
ALL = [f"{part}/{part}.jpg" for part in ODD]
UNICODE = [each for each in ALL if "\udcff" not in each]
ROOT = "/data/archive/"
BOX = [0.25, 0.5, 0.5, 0.25]


def lines_of(content: bytes, end: bytes) -> list[str]:
    *paths, last = content.split(end)
    assert last == b""
    return [os.fsdecode(each).removeprefix(ROOT) for each in paths]


def table(content: bytes) -> list[dict[str, str]]:
    text = content.decode("utf-8", "surrogateescape")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def of_timelapse(content: bytes) -> list[str]:
    rows = table(content)
    assert not any("/" in row["RelativePath"] for row in rows)
    return ["\\".join(filter(None, [row["RelativePath"], row["File"]])) for row in rows]


def of_tasks(content: bytes) -> list[str]:
    queries = [urlsplit(task["data"]["image"]).query for task in json.loads(content)]
    for query in queries:  # as a web server reads it
        assert "%FF" in query or [parse_qs(query)["d"][0]] == [unquote(query)]
    return [unquote(query) for query in queries]


def unquote(query: str) -> str:
    return os.fsdecode(unquote_to_bytes(query.removeprefix("d=")))


def of_manifest(content: bytes) -> list[str]:
    found = [json.loads(line) for line in content.splitlines()[2:]]
    return [image["name"] + image["extension"] for image in found]


def of_coco(content: bytes) -> list[str]:
    found = json.loads(content)
    paths = [image["file_name"] for image in found["images"]]
    assert [each["image_id"] for each in found["annotations"]] == paths
    return paths


def of_media(folder: Path) -> list[str]:
    media, observed = (table((folder / f"{each}.csv").read_bytes()) for each in
                       ("media", "observations"))  # fmt: skip
    assert [row["mediaID"] for row in observed] == [row["mediaID"] for row in media]
    return [row["filePath"] for row in media]


def of_fiftyone(folder: Path) -> list[str]:
    found = json.loads((folder / "data.json").read_bytes())
    return [each.removeprefix(ROOT) for each in found.values()]


# The paths in what a format has written, as its program's reader finds them.
PATHS: dict[str, Callable[[Any], list[str]]] = {
    "paths": lambda content: lines_of(content, b"\n"),
    "null": lambda content: lines_of(content, b"\0"),
    "csv": lambda content: [from_cell(row["relative_path"]) for row in table(content)],
    "json": lambda content: [row["relative_path"] for row in json.loads(content)],
    "parquet": lambda content: [
        from_text(each) for each in pq.read_table(io.BytesIO(content))["relative_path"].to_pylist()
    ],
    "megadetector": lambda content: [each.removeprefix(ROOT) for each in json.loads(content)],
    "timelapse": of_timelapse,
    "coco": of_coco,
    "label-studio": of_tasks,
    "cvat": of_manifest,
    "camtrap-dp": of_media,
    "fiftyone": of_fiftyone,
}
PUT = ("yolo", "huggingface")  # their images get names of their own: see below
OF_AN_INDEX = ("megadetector-results",)


def test_no_format_is_forgotten() -> None:
    assert {*PATHS, *PUT, *OF_AN_INDEX} == {*FORMATS}


@pytest.mark.parametrize("form", PATHS)
@settings(max_examples=40)
@example(UNICODE)
@example(ALL)
@given(paths=st.lists(path, unique=True, max_size=6))
def test_every_path_comes_out_as_it_went_in(form: str, paths: list[str]) -> None:
    images = [Image(each, labels=("fox",)) for each in paths]
    if form == "paths":  # "null" is for those with a line break
        images = [image for image in images if "\n" not in image.relative_path]
    elif form == "camtrap-dp":
        if any(map(is_refused, paths)):
            with pytest.raises(OutputError, match="Camtrap DP allows no path that"):
                write(images, form)
        images = [image for image in images if not is_refused(image.relative_path)]
    elif form == "timelapse":  # Windows knows no name with a backslash
        images = [image for image in images if "\\" not in image.relative_path]
    expected = [image.relative_path for image in images]
    found = write(images, form)
    if form == "timelapse":
        found = [each.replace("\\", "/") for each in found]
    assert found == expected


def is_refused(path: str) -> bool:
    """Say whether Camtrap DP has no word for a path."""
    return "\udcff" in path or ".." in path or "\n" in path or path[0] in "./~"


def write(images: Sequence[Image], form: str) -> list[str]:
    if not FORMATS[form].is_folder:
        output = io.BytesIO()
        FORMATS[form].write(images, output, Wishes())
        return PATHS[form](output.getvalue())
    with tempfile.TemporaryDirectory() as parent:
        with new_folder(f"{parent}/out", ()) as folder:
            FORMATS[form].write(images, folder, Wishes(utc_offset=UTC))
        return PATHS[form](Path(parent) / "out")


@example(ALL)
@example(UNICODE)
@given(st.lists(path, unique=True, max_size=6))
def test_no_two_images_are_put_in_one_place(paths: list[str]) -> None:
    images = [Image(each) for each in paths]
    targets = yolo.targets(images)
    assert len({*map(yolo.boxes_path, targets)}) == len(paths)
    if all("\udcff" not in each for each in paths):
        assert len({*huggingface.targets(images)}) == len(paths)
    else:
        with pytest.raises(OutputError, match="no Unicode"):
            huggingface.targets(images)


def exported(index: Index, form: str, target: Path) -> list[SampledImage]:
    """Write all images of an index that a format has words for, and return them."""
    paths = [image.relative_path for image in index.select(len(ALL))]
    if form == "camtrap-dp":
        paths = [each for each in paths if not is_refused(each)]
    elif form in ("paths", "timelapse"):
        paths = [each for each in paths if not {"\n", "\\"} & {*each}]
    sample = index.select(len(ALL), files=paths, with_bursts=True)
    if FORMATS[form].is_folder:
        index.export(sample, target, form, utc_offset=UTC)
    else:
        column: Any = {"label_column": "Species"} if form == "timelapse" else {}
        with open(target, "wb") as file:
            index.export(sample, file, form, **column)
    return sample


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an index in which each image has a label of its own."""
    db = tmp_path_factory.mktemp("labelled") / "a.db"
    write_index(db, {ROOT.rstrip("/"): dict(zip(ALL, range(len(ALL)), strict=True))})
    with sqlite3.connect(db) as connection:
        connection.execute("UPDATE image SET taken_at = '2026-04-01 03:49:17'")
    with (db.parent / "l.csv").open("w", newline="", errors="surrogateescape") as file:
        csv.writer(file).writerows([("path", "label"), *zip(ALL, map(label_of, ALL), strict=True)])
    with Index(db) as index:
        index.import_labels(db.parent / "l.csv")
    return db


def label_of(path: str) -> str:
    return f"species {ALL.index(path)}"


READ = sorted({*FORMATS} - {*PUT, "parquet", "fiftyone"})  # no list, nor labels, to any program
NO_LABELS = ("paths", "null", "megadetector", "cvat", "csv", "json")


@pytest.mark.parametrize("form", READ)
def test_what_was_written_is_read_again(form: str, labelled: Path, tmp_path: Path) -> None:
    copy(labelled, tmp_path / "b.db")
    with Index(labelled) as index, Index(tmp_path / "b.db") as second:
        sample = exported(index, form, tmp_path / "out")
        assert len(sample) >= len(ALL) - 5
        listed = tmp_path / "out"
        listed = listed / "observations.csv" if form == "camtrap-dp" else listed
        assert [each.path for each in index.select(99, files=listed)] == [
            each.path for each in sample
        ]
        if form not in NO_LABELS:
            second.drop_labels("l.csv")
            second.import_labels(tmp_path / "out")
            found = {each.relative_path: each.labels for each in second.select(99) if each.labels}
            assert found == {each.relative_path: each.labels for each in sample}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="no such names there")
def test_a_dataset_of_yolo_is_read_again(index: Index, tmp_path: Path, threads: Executor) -> None:
    """Each image with a box of a label of its own, from files of these names."""
    for number, each in enumerate(ALL):
        make_image(tmp_path / "archive" / each, number, (64, 48))
    index.update(tmp_path / "archive", executor=threads)
    results = {
        "detection_categories": {str(number): label_of(each) for number, each in enumerate(ALL)},
        "images": [
            {"file": each, "detections": [{"category": str(number), "conf": 0.5, "bbox": BOX}]}
            for number, each in enumerate(ALL)
        ],
    }
    (tmp_path / "md.json").write_text(json.dumps(results))
    index.import_labels(tmp_path / "md.json")
    index.export(index.select(len(ALL)), tmp_path / "ds", "yolo", how="link")
    index.drop_labels("md.json")
    index.import_labels(tmp_path / "ds")
    found = {each.relative_path: each.labels for each in index.select(len(ALL))}
    assert found == {each: (label_of(each),) for each in ALL}
