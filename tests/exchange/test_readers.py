"""What other programs' exports say of images, and that it comes back as it went out."""

import json
import os
import threading
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex import Index, LabelFileError, SampleError
from sdindex.exchange.detections import Label
from sdindex.exchange.label_files import LabelFile
from tests.conftest import make_image
from tests.support.commands import run
from tests.support.examples import examples
from tests.support.indexes import write_index
from tests.support.straight import connected

PATHS = ["cam 1/a.jpg", 'cam 1/b, "ü".JPG', "c;d.png", "back\\slash.jpg", "top/images/e.jpg"]
BOX = "[0.25, 0.5, 0.5, 0.1]"


@pytest.fixture
def indexed(db: Path) -> Path:
    write_index(db, {"/data/archive": dict(zip(PATHS, range(len(PATHS)), strict=True))})
    return db


def said(file: Path, **more: Any) -> list[tuple[object, ...]]:
    labels = LabelFile(str(file), **more)
    return [(each.path, each.label, each.confidence, each.bbox, each.human) for each in labels]


def coco(tmp_path: Path, **more: object) -> Path:
    content = {
        "images": [
            {"id": 7, "file_name": PATHS[0], "width": 640, "height": 480},
            {"id": "x", "file_name": PATHS[1], "width": 100, "height": 100},
            {"id": 9, "file_name": PATHS[2]},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [160, 240, 320, 48]},
            {"id": 2, "image_id": 7, "category_id": 1, "bbox": [], "score": 0.5},
            {"id": 3, "image_id": 9, "category_id": 0},
        ],
        "categories": [
            {"id": 0, "name": "empty"}, {"id": 1, "name": "fox"}, {"id": 3, "name": "hare"}
        ],
    }  # fmt: skip
    (tmp_path / "x.json").write_text(json.dumps({**content, **more}))
    return tmp_path / "x.json"


def test_coco(tmp_path: Path) -> None:
    assert said(coco(tmp_path)) == [
        (PATHS[0], "hare", None, BOX, True),
        (PATHS[0], "fox", 0.5, None, False),
        (PATHS[2], "empty", None, None, True),
    ]
    assert list(LabelFile(str(coco(tmp_path))).paths()) == [PATHS[0], PATHS[2], PATHS[1]]


def test_label_studio(tmp_path: Path) -> None:
    rectangle = {
        "type": "rectanglelabels",
        "value": {"x": 25, "y": 50, "width": 50, "height": 10, "rectanglelabels": ["fox"]},
    }
    choice = {"type": "choices", "value": {"choices": ["hare", "fox"]}, "score": 0.5}
    tasks = [
        {
            "data": {"image": "/data/local-files/?d=cam%201/a.jpg"},
            "annotations": [
                {"result": [rectangle], "completed_by": 1},
                {"result": [choice], "was_cancelled": True},
            ],
            "predictions": [{"result": [choice, rectangle], "model_version": "yolo"}],
        },
        {
            "data": {"picture": "https://x.org/cam%201/b%2C%20%22%C3%BC%22.JPG", "n": 1},
            "annotations": [{"result": [], "completed_by": {"email": "ada@x.org"}}],
            "predictions": [3],
        },
        {"data": {"image": "s3://bucket/c%3Bd.png"}},
    ]
    (tmp_path / "x.json").write_text(json.dumps(tasks))
    labels = list(LabelFile(str(tmp_path / "x.json")))
    assert labels == [
        Label(PATHS[0], "fox", bbox=BOX, human=True),
        Label(PATHS[0], "hare", 0.5, source="yolo", human=False),
        Label(PATHS[0], "fox", 0.5, source="yolo", human=False),
        Label(PATHS[0], "fox", bbox=BOX, source="yolo", human=False),
        Label(PATHS[1], "empty", source="ada@x.org", human=True),
    ]
    assert list(LabelFile(str(tmp_path / "x.json")).paths()) == PATHS[:3]


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels><label><name>fox</name></label></labels>
</task></meta>
<image id="0" name="cam 1/a.jpg" width="640" height="480">
  <box label="fox" source="manual" occluded="0" xtl="160" ytl="240" xbr="480" ybr="288">
    <attribute name="age">old</attribute></box>
  <tag label="hare" source="auto"/>
  <polygon label="hare" source="semi-auto" points="1,2;3,4"/>
</image>
<image id="1" name="cam 1/b, &quot;ü&quot;.JPG" width="640" height="480"/>
</annotations>"""


def test_cvat(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(CVAT, encoding="utf-8")
    assert said(tmp_path / "annotations.xml") == [
        (PATHS[0], "fox", None, BOX, True),
        (PATHS[0], "hare", None, None, False),
        (PATHS[0], "hare", None, None, True),
    ]
    assert list(LabelFile(str(tmp_path / "annotations.xml")).paths()) == PATHS[:2]


def test_yolo(tmp_path: Path) -> None:
    make_image(tmp_path / "images/train/cam 1/a.jpg")
    make_image(tmp_path / "images/train/c;d.png")
    make_image(tmp_path / "images/val/e.jpg")
    (tmp_path / "labels/train/cam 1").mkdir(parents=True)
    (tmp_path / "labels/train/cam 1/a.txt").write_text("1 0.5 0.55 0.5 0.1\n0 0.5 0.5 1 1 0.75\n")
    (tmp_path / "labels/train/c;d.txt").write_text("\n")
    (tmp_path / "list.txt").write_text("./images/val/e.jpg\n")
    data = "train: images/train\nval:\n - list.txt\nnames: [fox, hare]\n"
    (tmp_path / "data.yaml").write_text(data)
    for named in (tmp_path, tmp_path / "data.yaml"):
        assert said(named) == [
            ("c;d.png", "empty", None, None, None),
            (PATHS[0], "hare", None, "[0.25, 0.5, 0.5, 0.1]", None),
            (PATHS[0], "fox", 0.75, "[0.0, 0.0, 1.0, 1.0]", False),
        ]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.json", '{"images": [], "annotations": [], "categories": []}', "of COCO"),
        ("a.json", '[{"data": {"image": "/a.jpg"}, "annotations": [{}]}]', "task 1 is not as"),
        ("a.json", '[{"data": {"n": 1}}]', "task 1 is not as"),
        ("a.json", '[{"data": {"image": "/a.jpg"}}', "is damaged: it ends too early"),
        ("a.xml", "<annotations><image", "is no whole XML"),
        ("a.xml", "<html></html>", "expected the XML of CVAT for images"),
        ("a.xml", '<annotations><image name="a.jpg" width="x"/>', "line 1 is not as CVAT"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "declares entities"),
        ("data.yaml", "train: a\nnames: [fox]\n", "names a, which is not there"),
        ("data.yaml", "train: a\nnames: [fox\n", "is no YAML"),
        ("data.yaml", "train: []\nnames: {x: fox}\n", "names its classes otherwise"),
        ("a.zip", "PK\x03\x04", "is a ZIP; unpack it"),
    ],
)
def test_what_is_wrong_is_one_line(name: str, content: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(LabelFileError) as raised:
        list(LabelFile(str(tmp_path / name)))
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_kind_can_be_forced(tmp_path: Path, index: Index, indexed: Path) -> None:
    file = coco(tmp_path)
    with pytest.raises(LabelFileError, match=r"expected the data\.yaml"):
        index.import_labels(file, form="yolo")
    assert run("labels", "import", file, "--format", "coco", db=indexed).exit_code == 0
    with pytest.raises(LabelFileError, match="detection_categories"):
        index.import_labels(file, form="megadetector")


def test_people_and_machines_are_sources_of_their_own(
    tmp_path: Path, index: Index, indexed: Path
) -> None:
    index.import_labels(coco(tmp_path))
    told = {(each.source, each.label) for each in index.labels()}
    assert told == {("x.json", "hare"), ("x.json", "empty"), ("x.json (machine)", "fox")}
    humans = {said.source: said.is_human for image in index.select(5) for said in image.said}
    assert humans == {"x.json": True, "x.json (machine)": False}


def test_balance_by_label_prefers_what_people_say(
    tmp_path: Path, index: Index, indexed: Path
) -> None:
    """Also where a machine is as sure as can be, or says that there is nothing."""
    md = {
        "detection_categories": {"1": "badger"},
        "images": [
            {"file": PATHS[0], "detections": []},
            {"file": PATHS[1], "detections": [{"category": "1", "conf": 1, "bbox": [0, 0, 1, 1]}]},
        ],
    }
    (tmp_path / "md.json").write_text(json.dumps(md))
    index.import_labels(tmp_path / "md.json")
    (tmp_path / "h.csv").write_text("path,label\n" + f"{PATHS[0]},fox\n" + "c;d.png,hare\n")
    index.import_labels(tmp_path / "h.csv")
    drawn = index.select(1, share="label:fox=100%")
    assert [image.relative_path for image in drawn] == [PATHS[0]]
    with pytest.raises(SampleError, match="has the label 'empty'"):
        index.select(1, share="label:empty=50%")


EXPORTS: dict[str, Callable[[Path], Path]] = {
    "camtrap-dp": lambda folder: folder / "out",
    "coco": lambda folder: folder / "out",
    "label-studio": lambda folder: folder / "out",
}


def exported(index: Index, form: str, target: Path) -> None:
    sample = index.select(99, with_bursts=True)
    if form == "camtrap-dp":
        index.export(sample, target, form, utc_offset=UTC)
        return
    with open(target, "wb") as file:
        index.export(sample, file, form)


def stored(db: Path, form: str) -> set[tuple[object, ...]]:
    """Return what an index has of labels, as far as a format can say it."""
    columns = "path, label, confidence, bbox, source"
    if form == "coco":  # it knows no source, and boxes to the hundredth of a pixel
        columns = "path, label, confidence, bbox IS NULL"
    with connected(db) as connection:
        found = connection.execute(
            f"SELECT {columns} FROM label JOIN image ON image.id = image_id"
        ).fetchall()
    return set(found)


remark = st.tuples(
    st.sampled_from(PATHS),
    st.sampled_from(["fox", "red deer", "Ünlü|b", "person", "empty", "animal", 'bird, "x"']),
    st.sampled_from([None, 0.25, 0.5]),
    st.sampled_from([None, (0.25, 0.5, 0.5, 0.125), (0.0, 0.0, 1.0, 1.0)]),
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, db_in: Callable[..., Path]) -> tuple[Path, Path]:
    """Return the names of two indexes of the same images."""
    folder = tmp_path_factory.mktemp("both")
    names = db_in(folder, "a.db"), db_in(folder, "b.db")
    for db in names:
        write_index(db, {"/data/archive": dict(zip(PATHS, range(len(PATHS)), strict=True))})
        with connected(db) as connection:
            connection.execute("UPDATE image SET taken_at = '2026-04-01 03:49:17'")
    return names


@pytest.mark.parametrize("form", sorted(EXPORTS))
@settings(max_examples=examples(12))
@given(remarks=st.lists(remark, min_size=1, max_size=6, unique_by=lambda each: each[:2]))
def test_labels_that_went_out_come_back(
    form: str, remarks: list[Any], both: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    tasks = [
        {
            "data": {"image": f"/data/local-files/?d={quote(path)}"},
            "predictions": [
                {
                    "model_version": "m",
                    "result": [
                        {"type": "choices", "value": {"choices": [name]}, "score": sure}
                        if box is None
                        else {
                            "type": "rectanglelabels",
                            "score": sure,
                            "value": dict(
                                zip(
                                    ("x", "y", "width", "height", "rectanglelabels"),
                                    (*(100 * side for side in box), [name]),
                                    strict=True,
                                )
                            ),
                        }
                    ],
                }
            ],
        }
        for path, name, sure, box in remarks
        if "|" not in name or form != "camtrap-dp"
    ]
    if not tasks:
        return
    (folder / "tasks.json").write_text(json.dumps(tasks))
    with Index(both[0]) as first, Index(both[1]) as second:
        for index in (first, second):
            for source in {each.source for each in index.labels()}:
                index.drop_labels(source)
        first.import_labels(folder / "tasks.json")
        exported(first, form, folder / "out")
        second.import_labels(folder / "out")
    assert stored(both[1], form) == stored(both[0], form)


def test_yolo_boxes_come_back_from_a_dataset(index: Index, archive: Path, tmp_path: Path) -> None:
    make_image(archive / "cam0" / 'images/ä, "b".jpg', 40)
    index.update(archive)
    (tmp_path / "md.json").write_text(
        json.dumps(
            {
                "detection_categories": {"1": "fox"},
                "images": [
                    {
                        "file": path,
                        "detections": [
                            {"category": "1", "conf": 0.5, "bbox": [0.25, 0.5, 0.5, 0.1]}
                        ],
                    }
                    for path in ("cam0/IMG_1.JPG", 'cam0/images/ä, "b".jpg')
                ]
                + [{"file": "cam1/IMG_2.JPG", "detections": []}],
            }
        )
    )
    index.import_labels(tmp_path / "md.json")
    index.export(index.select(13), tmp_path / "ds", "yolo", how="copy")
    index.import_labels(tmp_path / "ds")
    said = {
        (image.relative_path, each.label, each.box and (*(round(x, 5) for x in each.box[1:]),))
        for image in index.select(13)
        for each in image.said
        if each.source == "ds"
    }
    assert said == {
        ("cam0/IMG_1.JPG", "fox", (0.25, 0.5, 0.5, 0.1)),
        ('cam0/images/ä, "b".jpg', "fox", (0.25, 0.5, 0.5, 0.1)),
        ("cam1/IMG_2.JPG", "empty", None),
    }


def lists(folder: Path) -> list[Path]:
    """Return files that each name the first image alone, as programs export them."""
    first = PATHS[0]
    quoted = first.replace(" ", "%20")
    files = {
        "coco.json": json.dumps(
            {"images": [{"id": 1, "file_name": first}], "annotations": [],
             "categories": [{"id": 1, "name": "x"}]}
        ),
        "images.json": json.dumps(  # of which nothing is said
            {"images": [{"id": 1, "file_name": first}], "annotations": [], "categories": []}
        ),
        "ls.json": json.dumps([{"data": {"image": f"/data/local-files/?d={quoted}"}}]),
        "cvat.xml": f'<annotations><image name="{first}" width="1" height="1"/></annotations>',
        "manifest.jsonl": '{"version":"1.1"}\n{"type":"images"}\n'
        + json.dumps({"name": first[:-4], "extension": ".jpg", "width": 1, "height": 1}),
        "timelapse.csv": "RootFolder,File,RelativePath\r\nx,a.jpg,cam 1\r\n",
        "hand.csv": f"label;path\nfox;{first}\nhare;{first}\n",
        "media.csv": f"mediaID,deploymentID,filePath\nm1,d,{first}\n",
        "observations.csv": "observationID,mediaID,observationType,scientificName\n"
        "o,m1,animal,fox\n",
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(content)
    return [folder / name for name in files]


def test_lists_are_read_from_what_programs_export(
    tmp_path: Path, index: Index, indexed: Path
) -> None:
    for file in lists(tmp_path):
        drawn = [image.relative_path for image in index.select(99, files=file)]
        assert drawn == [PATHS[0]], file.name
        rest = index.select(99, exclude=file)
        assert len(rest) == len(PATHS) - 1
    assert len(index.select(2, include=tmp_path / "ls.json")) == 2
    sample = index.select(99)
    for form in ("csv", "json", "coco", "label-studio", "cvat", "timelapse", "paths"):
        with open(tmp_path / "out", "wb") as output:
            index.export(sample, output, form)
        assert index.select(99, files=tmp_path / "out") == sample, form
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(SampleError, match="unpack it"):
        index.select(9, files=tmp_path / "x.zip")


def test_a_list_through_a_pipe(tmp_path: Path, index: Index, indexed: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    content = coco(tmp_path).read_bytes()
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[content])
    writer.start()
    assert len(index.select(9, files=tmp_path / "pipe")) == 3
    writer.join()
