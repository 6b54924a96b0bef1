"""What label files say, and which images they mean."""

import csv
import json
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdindex.archive.names import to_text
from sdindex.errors import LabelFileError, UsageError
from sdindex.exchange.label_files import (
    Label,
    LabelFile,
    Place,
    candidates,
    folders_to_drop,
    leading_folders,
    match,
)
from tests.conftest import REAL_DATA

Write = Callable[[object], LabelFile]
CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}
BOX = [0.0, 0.2762, 0.1539, 0.2825]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write what is given as a file: an object as JSON, rows as CSV, text and bytes as they are."""

    def written(content: object) -> LabelFile:
        file = tmp_path / "labels.txt"
        match content:
            case dict():
                file.write_text(json.dumps(content, indent=1))
            case list():
                with file.open("w", newline="", errors="surrogateescape") as stream:
                    csv.writer(stream).writerows(content)
            case bytes():
                file.write_bytes(content)
            case _:
                file.write_text(str(content))
        return LabelFile(str(file))

    return written


def results(*images: object, version: str = "1.4", **more: object) -> dict[str, object]:
    return {
        "images": list(images),
        "detection_categories": CATEGORIES,
        "info": {"format_version": version, "detector": "md_v5a.0.0.pt"},
        **more,
    }


def seen(category: str, confidence: float, **more: object) -> dict[str, object]:
    return {"category": category, "conf": confidence, "bbox": BOX, **more}


def test_the_results_that_megadetectors_documentation_shows(write: Write) -> None:
    file = write(
        {
            "info": {"format_version": "1.6", "detector_metadata": {"image_size": 1280}},
            "detection_categories": CATEGORIES,
            "classification_categories": {"0": "fox", "1": "elk", "3": "bear", "4": "moose"},
            "images": [
                {
                    "file": "path/from/base/dir/image_with_animal.jpg",
                    "detections": [
                        seen("1", 0.926, classifications=[["3", 0.901], ["1", 0.071]]),
                        seen("1", 0.061),
                    ],
                },
                {
                    "file": "path/from/base/dir/video_with_person.mp4",
                    "frame_rate": 20,
                    "frames_processed": [0, 20, 40, 60],
                    "detections": [
                        seen("2", 0.774, frame_number=20),
                        seen("2", 0.871, frame_number=0),
                        seen("1", 0.3, frame_number=60),
                    ],
                },
                {"file": "/path/from/base/dir/empty_image.jpg", "detections": []},
                {"file": "/path/another_image.jpg", "detections": [], "failure": None},
                {
                    "file": "/path/from/base/dir2/corrupted_image_0.jpg",
                    "failure": "Failure image access",
                    "detections": None,
                },
            ],
        }
    )
    assert list(file) == [
        Label("path/from/base/dir/image_with_animal.jpg", "animal", 0.926),
        Label("path/from/base/dir/video_with_person.mp4", "person", 0.871),
        Label("path/from/base/dir/video_with_person.mp4", "animal", 0.3),
        Label("/path/from/base/dir/empty_image.jpg", "empty"),
        Label("/path/another_image.jpg", "empty"),
        Label("/path/from/base/dir2/corrupted_image_0.jpg", None, failure="Failure image access"),
    ]
    assert list(file) == list(file)


def test_older_results(write: Write) -> None:
    file = write(
        results(
            {"file": "a.jpg", "max_detection_conf": 0.9, "detections": [seen("3", 0.9)]},
            {"file": "b.jpg", "meta": "", "max_detection_conf": 0.0, "detections": []},
            {"file": "c.jpg", "failure": "Failure image access"},
            {"file": "d.jpg", "max_detection_conf": 0.1, "detections": [seen("1", 0.1)]},
            {"file": r"e\DCIM\f.jpg", "detections": [seen("9", 0.99)], "failure": ""},
            {"file": "./g.jpg", "detections": None},
            version="1.0",
        )
    )
    assert list(file) == [
        Label("a.jpg", "vehicle", 0.9),
        Label("b.jpg", "empty"),
        Label("c.jpg", None, failure="Failure image access"),
        Label("d.jpg", "empty"),
        Label("e/DCIM/f.jpg", "empty"),
        Label("g.jpg", None, failure="no detections are written"),
    ]


detection = st.tuples(
    st.sampled_from(["1", "2", "3", "7"]), st.floats(0, 1, allow_subnormal=False)
).map(lambda pair: seen(*pair))
image = st.fixed_dictionaries(
    {"detections": st.none() | st.lists(detection)}, optional={"failure": st.none() | st.text("no")}
)


@given(st.lists(image, max_size=20), st.floats(0, 1), st.booleans())
def test_it_agrees_with_a_plain_reading(
    tmp_path_factory: pytest.TempPathFactory,
    images: list[dict[str, Any]],
    threshold: float,
    first: bool,
) -> None:
    content = results(*({"file": f"{place}.jpg", **one} for place, one in enumerate(images)))
    if first:
        content = dict(reversed(content.items()))
    path = tmp_path_factory.mktemp("results") / "md.json"
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    expected = {
        (f"{place}.jpg", label, confidence)
        for place, one in enumerate(images)
        for label, confidence in plain(one, threshold).items()
    }
    labels = list(LabelFile(str(path), threshold=threshold))
    assert {(one.path, one.label, one.confidence) for one in labels} == expected
    assert len(labels) == len(expected)


def plain(one: dict[str, Any], threshold: float) -> dict[str | None, float | None]:
    if one["detections"] is None or one.get("failure"):
        return {None: None}
    best: dict[str | None, float | None] = {}
    for number, name in CATEGORIES.items():
        confidences = [each["conf"] for each in one["detections"] if each["category"] == number]
        if confidences and max(confidences) >= threshold:
            best[name] = max(confidences)
    return best or {"empty": None}


def test_a_byte_order_mark_is_no_content(write: Write) -> None:
    json_text = json.dumps(results({"file": "a.jpg", "detections": []}))
    assert list(write(b"\xef\xbb\xbf" + json_text.encode())) == [Label("a.jpg", "empty")]
    assert list(write(b"\xef\xbb\xbfpath,label\na.jpg,fox\n")) == [Label("a.jpg", "fox")]


@pytest.mark.parametrize(
    "header",
    ["path,label,conf", "Label,FILE,Confidence", "file_path,x,label,confidence", "File Path,label"],
)
def test_csv_of_any_order_and_case(write: Write, header: str) -> None:
    names = [re.sub("[ _]", "", name).lower() for name in header.split(",")]
    values = {"x": "?", "label": "red fox", "conf": "0.5", "confidence": "0.5"}
    row = [values.get(name, r"a\b.jpg") for name in names]
    confidence = 0.5 if len(names) > 2 else None
    assert list(write([header.split(","), row])) == [Label("a/b.jpg", "red fox", confidence)]


def test_csv_as_timelapse_writes_it_and_as_people_do(write: Write) -> None:
    timelapse = write(
        "RootFolder,File,RelativePath,DateTime,Species,DeleteFlag\r\n"
        "Field,IMG_1.JPG,site1\\cam2,2024-05-01 10:00:00,Fox,false\r\n"
        "Field,IMG_2.JPG,,2024-05-01 10:00:00,,false\r\n"
    )
    assert list(LabelFile(timelapse.path, column="species")) == [
        Label("site1/cam2/IMG_1.JPG", "Fox"),
        Label("IMG_2.JPG", None),
    ]
    people = 'path;label\n"a;1.jpg";fox\na.jpg; hare \n\na.jpg;fox\n'
    assert list(write(people)) == [
        Label("a;1.jpg", "fox"),
        Label("a.jpg", "hare"),
        Label("a.jpg", "fox"),
    ]
    assert list(write("path\tlabel\na,b.jpg\tfox\n")) == [Label("a,b.jpg", "fox")]
    raw = list(write(b"path,label\n\xff\xfe.jpg,fox\n"))
    assert os.fsencode(raw[0].path) == b"\xff\xfe.jpg"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1: expected the columns path (or RelativePath and File) and label"),
        ("name,label\nx,y\n", "not: name, label"),
        ("path,species\nx,y\n", "not: path, species"),
        ("path,label\nx,y\n\nz\n", "line 4: expected a path, a label"),
        ("path,label\n,y\n", "line 2: expected a path"),
        ("path,label,conf\nx,y,0.1\nx,y,high\n", "line 3: expected"),
        ("path,label,conf\nx,y,nan\n", "line 2: expected"),
        ('path,label\nx,"y\nz,y\n', "line 3: expected"),
        ('{"images": [', "is damaged: parse error: premature EOF"),
        ('{"images": [{"file": "a.jpg", "detections": [NaN]}]}', "is damaged: lexical error"),
        (b'{"images": [{"file": "\xff"}]}', "is damaged: lexical error: invalid bytes in UTF8"),
        ('{"images": [{"file": "\\udcff"}]}', "is damaged: a name is no valid Unicode"),
        ("[]", 'has no "detection_categories": expected MegaDetector results (JSON), or CSV'),
        ({"images": [{"file_name": "a.jpg"}], "annotations": []}, 'has no "detection_categories"'),
        (results({"file_name": "a.jpg"}), "at image 1: expected"),
        (results({"file": "a", "detections": []}, {"file": "b", "detections": [1]}), "at image 2:"),
        (results({"file": "a", "detections": [{"category": "1"}]}), 'and a "conf" each'),
        (results({"file": "", "detections": []}), "at image 1:"),
        (results({"file": 3, "detections": []}), "at image 1:"),
        (results("a.jpg"), "at image 1:"),
    ],
)
def test_what_cannot_be_understood_is_one_line(write: Write, content: object, said: str) -> None:
    file = write(content)
    with pytest.raises(LabelFileError) as raised:
        list(file)
    assert str(raised.value).startswith(file.path)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_ends_too_early_is_named_where_it_does(write: Write) -> None:
    content = '{"detection_categories": {}, "images": [{"file": "a", "detections": []},'
    with pytest.raises(LabelFileError, match="is damaged after image 1: parse error: premature"):
        list(write(content))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match="cannot be read: No such file"):
        list(LabelFile(str(tmp_path / "no.json")))
    with pytest.raises(LabelFileError, match="cannot be read: "):
        list(LabelFile(str(tmp_path)))
    with pytest.raises(UsageError, match="from 0 to 1, not 20"):
        LabelFile("md.json", threshold=20)


@pytest.mark.parametrize(
    ("path", "dropped", "places"),
    [
        ("cam1/1.JPG", 0, [("/data/a", "cam1/1.JPG"), ("/data/b", "cam1/1.JPG")]),
        ("/data/a/cam1/1.JPG", 0, [("/data/a", "cam1/1.JPG")]),
        ("/data/ab/cam1/1.JPG", 0, []),
        ("/data/a", 0, []),
        ("C:/data/a/cam1/1.JPG", 0, []),
        ("C:/data/a/cam1/1.JPG", 3, [("/data/a", "cam1/1.JPG"), ("/data/b", "cam1/1.JPG")]),
        ("/a/1.JPG", 1, [("/data/a", "a/1.JPG"), ("/data/b", "a/1.JPG")]),
        ("a/\udcff.JPG", 1, [("/data/a", r"\xff.JPG"), ("/data/b", r"\xff.JPG")]),
    ],
)
def test_the_places_that_a_path_may_mean(
    path: str, dropped: int, places: list[tuple[str, str]]
) -> None:
    if os.sep == "/":
        assert candidates(path, ["/data/a", "/data/b"], dropped) == places


def held_in(places: set[Place]) -> Callable[[Collection[Place]], Collection[Place]]:
    return places.intersection


def of_paths(*paths: str) -> list[Label]:
    return [Label(path, "fox") for path in paths]


def test_paths_are_found_without_the_folders_that_all_begin_with() -> None:
    held = held_in(
        {Place("/a", "cam1/1.JPG"), Place("/a", "cam2/1.JPG"), Place("/b", "cam1/1.JPG")}
    )
    assert folders_to_drop(of_paths("cam1/1.JPG", "x/cam2/1.JPG"), ["/a"], held) == []
    for prefix in ("archive/", "/mnt/nas/archive/", "D:/archive/"):
        labels = of_paths(f"{prefix}cam1/1.JPG", f"{prefix}cam2/1.JPG", f"{prefix}cam3/1.JPG")
        dropped = folders_to_drop(labels, ["/a", "/b"], held)
        assert "/".join(dropped) + "/" == prefix
        found = list(match(labels, ["/a", "/b"], held, len(dropped)))
        assert found == [
            (labels[0], [Place("/a", "cam1/1.JPG"), Place("/b", "cam1/1.JPG")]),
            (labels[1], [Place("/a", "cam2/1.JPG")]),
            (labels[2], []),
        ]
    assert folders_to_drop(of_paths("x/cam9/1.JPG", "x/cam8/1.JPG"), ["/a"], held) == []
    assert folders_to_drop([], ["/a"], held) == []


@example(["a", "a/b"])
@given(st.lists(st.text("ab/", min_size=1), min_size=1))
def test_leading_folders_are_those_of_every_path(paths: list[str]) -> None:
    leading = leading_folders(of_paths(*paths))
    parts = [path.split("/")[:-1] for path in paths]
    assert all(of_one[: len(leading)] == leading for of_one in parts)
    more = {tuple(of_one[: len(leading) + 1]) for of_one in parts}
    assert len(more) > 1 or parts[0] == leading


@given(st.lists(st.text("ab/", min_size=1).map(lambda path: f"x{path}"), unique=True, max_size=30))
def test_each_label_is_matched_as_if_alone(paths: list[str]) -> None:
    known = {Place("/r", path) for path in paths[::2]}
    matched = list(match(of_paths(*paths), ["/r", "/s"], held_in(known)))
    assert [label.path for label, _ in matched] == paths
    assert [bool(places) for _, places in matched] == [i % 2 == 0 for i in range(len(paths))]


def test_the_labels_of_the_real_archive(real_archive: Path) -> None:
    labels = list(LabelFile(str(REAL_DATA / "labels.csv")))
    with (REAL_DATA / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(one.path, one.label or "") for one in labels] == [
        (row["path"], row["label"]) for row in rows
    ]
    root = str(real_archive)
    present = {
        Place(root, to_text(path.relative_to(real_archive).as_posix()))
        for path in real_archive.rglob("*")
    }
    matched = list(match(labels, [root], held_in(present)))
    assert [places for _, places in matched] == [[Place(root, one.path)] for one in labels]
