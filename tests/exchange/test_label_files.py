"""What label files say, and which images they mean."""

import csv
import json
import math
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdindex.errors import LabelFileError
from sdindex.exchange.detections import Label, Thresholds
from sdindex.exchange.label_files import LabelFile
from sdindex.exchange.label_tables import Columns
from tests.conftest import REAL_DATA

Write = Callable[[object], LabelFile]
CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}
SPECIES = {"0": "fox", "1": "elk"}
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


def seen(category: str, confidence: object, **more: object) -> dict[str, object]:
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
        Label("path/from/base/dir/image_with_animal.jpg", "bear", 0.901, bbox=str(BOX)),
        Label("path/from/base/dir/video_with_person.mp4", "person", 0.774, bbox=str(BOX)),
        Label("path/from/base/dir/video_with_person.mp4", "person", 0.871, bbox=str(BOX)),
        Label("path/from/base/dir/video_with_person.mp4", "animal", 0.3, bbox=str(BOX)),
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
        Label("a.jpg", "vehicle", 0.9, bbox=str(BOX)),
        Label("b.jpg", "empty"),
        Label("c.jpg", None, failure="Failure image access"),
        Label("d.jpg", "empty"),
        Label(r"e\DCIM\f.jpg", "empty"),
        Label("./g.jpg", None, failure="no detections are written"),
    ]


certainty = st.floats(0, 1, allow_subnormal=False)
species = st.lists(st.tuples(st.sampled_from(["0", "1", "2"]), certainty), max_size=3)
detection = st.one_of(
    st.builds(seen, st.sampled_from(["1", "2", "3", "7"]), certainty),
    st.builds(seen, st.sampled_from(["1", "2"]), certainty, classifications=species),
)
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
    content = results(
        *({"file": f"{place}.jpg", **one} for place, one in enumerate(images)),
        classification_categories=SPECIES,
    )
    if first:
        content = dict(reversed(content.items()))
    path = tmp_path_factory.mktemp("results") / "md.json"
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    expected = [
        (f"{place}.jpg", label, confidence)
        for place, one in enumerate(images)
        for label, confidence in plain(one, threshold)
    ]
    labels = list(LabelFile(str(path), thresholds=Thresholds(threshold, 0.6)))
    assert [(one.path, one.label, one.confidence) for one in labels] == expected


def plain(one: dict[str, Any], threshold: float) -> list[tuple[str | None, float | None]]:
    if one["detections"] is None or one.get("failure"):
        return [(None, None)]
    found: list[tuple[str | None, float | None]] = []
    for each in one["detections"]:
        if each["category"] in CATEGORIES and each["conf"] >= threshold:
            likely = max(each.get("classifications", []), key=lambda one: one[1], default=("", 0))
            is_species = likely[1] >= 0.6 and likely[0] in SPECIES
            label = (SPECIES[likely[0]], likely[1]) if is_species else None
            found.append(label or (CATEGORIES[each["category"]], each["conf"]))
    return found or [("empty", None)]


def test_a_byte_order_mark_is_no_content(write: Write) -> None:
    json_text = json.dumps(results({"file": "a.jpg", "detections": []}))
    assert list(write(b"\xef\xbb\xbf" + json_text.encode())) == [Label("a.jpg", "empty")]
    assert list(write(b"\xef\xbb\xbfpath,label\na.jpg,fox\n")) == [
        Label("a.jpg", "fox", human=True)
    ]


@pytest.mark.parametrize(
    "header",
    ["path,label,conf", "Label,FILE,Confidence", "file_path,x,label,confidence", "File Path,label"],
)
def test_csv_of_any_order_and_case(write: Write, header: str) -> None:
    names = [re.sub("[ _]", "", name).lower() for name in header.split(",")]
    values = {"x": "?", "label": "red fox", "conf": "0.5", "confidence": "0.5"}
    row = [values.get(name, r"a\b.jpg") for name in names]
    confidence = 0.5 if len(names) > 2 else None
    assert list(write([header.split(","), row])) == [
        Label(r"a\b.jpg", "red fox", confidence, human=True if confidence is None else None)
    ]


def test_csv_as_timelapse_writes_it_and_as_people_do(write: Write) -> None:
    timelapse = write(
        "RootFolder,File,RelativePath,DateTime,Species,DeleteFlag\r\n"
        "Field,IMG_1.JPG,site1\\cam2,2024-05-01 10:00:00,Fox,false\r\n"
        "Field,IMG_2.JPG,,2024-05-01 10:00:00,,false\r\n"
    )
    assert list(LabelFile(timelapse.path, columns=Columns("species"))) == [
        Label(r"site1\cam2/IMG_1.JPG", "Fox", human=True),
        Label("IMG_2.JPG", None, human=True),
    ]
    people = 'path;label\n"a;1.jpg";fox\na.jpg; hare \n\na.jpg;fox\n'
    assert list(write(people)) == [
        Label("a;1.jpg", "fox", human=True),
        Label("a.jpg", "hare", human=True),
        Label("a.jpg", "fox", human=True),
    ]
    assert list(write("path\tlabel\na,b.jpg\tfox\n")) == [Label("a,b.jpg", "fox", human=True)]
    raw = list(write(b"path,label\n\xff\xfe.jpg,fox\n"))
    assert os.fsencode(raw[0].path) == b"\xff\xfe.jpg"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1: expected the columns path (or RelativePath and File) and label"),
        ("name,label\nx,y\n", "not: name, label"),
        (
            "path,species\nx,y\n",
            "has no column label: name the one that has the labels with --column "
            "NAME; its columns: path, species",
        ),
        ("path;Species\nx;y\n", "its columns: path, Species"),
        ("path,label\nx,y\n\nz\n", "line 4: expected a path, a label"),
        ("path,label\n,y\n", "line 2: expected a path"),
        ("path,label,conf\nx,y,0.1\nx,y,high\n", "line 3: expected"),
        ("path,label,conf\nx,y,nan\n", "line 2: expected"),
        ('path,label\nx,"y\nz,y\n', "line 3: expected"),
        ('{"images": [', "is damaged: it ends too early"),
        ('{"images": [{"file": "a.jpg", "detections": [NaN]}]}', "is damaged: NaN is no number"),
        (b'{"images": [{"file": "\xff"}]}', "is damaged: it is no UTF-8"),
        (results({"file": "\ud800", "detections": []}), "at image 1: expected"),
        ("[" * 100_000, "is damaged: it is nested too deeply"),
        ('{"images": ' + "[" * 100_000, "is damaged: it is nested too deeply"),
        ('{"detection_categories": {"1": "\\ud800"}}', "a category is no valid Unicode"),
        ("[]", 'has no "detection_categories": expected MegaDetector results (JSON), pred'),
        ({"images": [{"file_name": "a.jpg"}], "annotations": []}, "of its images lacks what COCO"),
        (results({"file_name": "a.jpg"}), "at image 1: expected"),
        (results({"file": "a", "detections": []}, {"file": "b", "detections": [1]}), "at image 2:"),
        (
            results({"file": "a", "detections": [{"category": "1"}]}),
            'and a "conf" from 0 to 1 each',
        ),
        (results({"file": "", "detections": []}), "at image 1:"),
        (results({"file": 3, "detections": []}), "at image 1:"),
        (results({"file": "a\0", "detections": []}), "at image 1:"),
        *(
            (results({"file": "a", "detections": [seen("1", conf)]}), '"conf" from 0 to 1 each')
            for conf in (1.01, -0.01, True, "0.5", None, 1e999, 10**400)
            if conf != math.inf
        ),
        (
            '{"images": [{"file": "a", "detections": [{"category": "1", "conf": 1e999}]}],'
            ' "detection_categories": {}}',
            '"conf" from 0 to 1 each',
        ),
        ("path,label,conf\nx,y,1.5\n", "line 2: expected"),
        ("path,label,conf\nx,y,-0.1\n", "line 2: expected"),
        ("path,label,conf\nx,y,inf\n", "line 2: expected"),
        ("path,label\nx,y\nfox,a.JPG\n", "line 3: a.JPG is the name of an image, no label; name"),
        ("path,label\n" + "x" * 2_000_000, "line 2: expected"),
        ("x" * 2_000_000, "line 1: expected"),
        (results("a.jpg"), "at image 1:"),
        (
            {"images": [], "detection_categories": {"1": "cam0/a.JPG"}},
            "has a category cam0/a.JPG: that is the name of an image, no label",
        ),
    ],
)
def test_what_cannot_be_understood_is_one_line(write: Write, content: object, said: str) -> None:
    file = write(content)
    with pytest.raises(LabelFileError) as raised:
        list(file)
    assert str(raised.value).startswith(file.path)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("column", ["path", "File Path", "file", "RelativePath"])
def test_a_column_of_paths_is_none_of_labels(write: Write, column: str) -> None:
    file = write([[column, "species"], ["a.jpg", "fox"]])
    with pytest.raises(LabelFileError, match=r"has paths in its column .*; name another with --c"):
        list(LabelFile(file.path, columns=Columns(column)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_pipe_is_read_once_and_gone_through_often(tmp_path: Path, kind: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    images = [{"file": "a.jpg", "detections": []}]
    content = json.dumps(results(*images)) if kind == "json" else "path,label\na.jpg,empty\n"
    writer = threading.Thread(target=pipe.write_text, args=(content,))
    writer.start()
    file = LabelFile(str(pipe))
    assert (
        list(file) == list(file) == [Label("a.jpg", "empty", human=True if kind == "csv" else None)]
    )
    assert list(file.paths()) == ["a.jpg"]
    writer.join()


MEMORY = """
import resource, sys
from sdindex.errors import LabelFileError
from sdindex.exchange.label_files import LabelFile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    list(LabelFile(sys.argv[1]))
except LabelFileError as problem:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told in other units there")
@pytest.mark.parametrize(
    "content",
    [
        "[" * 200_000,
        '{"images": ' + "[" * 200_000,
        '{"images": [{"file": "a", "detections": ' + '[{"a":' * 100_000,
        '{"images": [' + "[" * 60_000 + "]" * 60_000 + "]}",
        '{"images": ["' + "x" * 30_000_000,
        "x" * 30_000_000,
    ],
    ids=["list", "in images", "in detections", "closed", "string", "line"],
)
def test_a_hostile_file_takes_little_memory(tmp_path: Path, content: str) -> None:
    (tmp_path / "hostile").write_text(content)
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "hostile")]
    kilobytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(kilobytes) < 100_000


def test_a_file_that_ends_too_early_is_named_where_it_does(write: Write) -> None:
    content = '{"detection_categories": {}, "images": [{"file": "a", "detections": []},'
    with pytest.raises(LabelFileError, match="is damaged after image 1: it ends too early"):
        list(write(content))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match="cannot be read: No such file"):
        list(LabelFile(str(tmp_path / "no.json")))
    with pytest.raises(LabelFileError, match="cannot be read: "):
        list(LabelFile(str(tmp_path)))


def test_the_labels_of_the_real_archive(real_archive: Path) -> None:
    labels = list(LabelFile(str(REAL_DATA / "labels.csv")))
    with (REAL_DATA / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(one.path, one.label or "") for one in labels] == [
        (row["path"], row["label"]) for row in rows
    ]
