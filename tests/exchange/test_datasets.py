"""Samples as tasks, manifests and datasets, opened by the programs' own packages where small."""

import io
import json
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
from PIL import ImageOps

from sdindex import Index, OutputError, UsageError
from sdindex.exchange.folders import new_folder
from sdindex.exchange.formats.registry import FORMATS, Wishes
from sdindex.store.sampled import Box, SampledImage
from tests.conftest import make_image
from tests.support.commands import run
from tests.support.sampled import Image
from tests.support.turned import patch_shown, turned_image

BOXES = (Box("red fox", 0.25, 0.5, 0.5, 0.1), Box("hare", -0.1, 0.9, 0.3, 0.2))
SAMPLE = [
    Image('cam 1/a, "é".jpg', labels=("hare", "mammal", "red fox"), boxes=BOXES),
    Image("cam 1/b.JPG", labels=("empty",)),
    Image("top.webp", camera="", taken_at=None),
]


def written(images: Sequence[Image], form: str, **wishes: Any) -> str:
    output = io.BytesIO()
    FORMATS[form].write(images, output, Wishes(**wishes))
    return output.getvalue().decode("utf-8")


def test_cvat_is_given_the_sizes(tmp_path: Path) -> None:
    """As its utils/dataset_manifest reads them: two lines of version and type, then the images."""
    lines = [json.loads(line) for line in written(SAMPLE, "cvat").splitlines()]
    assert lines == [
        {"version": "1.1"},
        {"type": "images"},
        {"name": 'cam 1/a, "é"', "extension": ".jpg", "width": 640, "height": 480},
        {"name": "cam 1/b", "extension": ".JPG", "width": 640, "height": 480},
        {"name": "top", "extension": ".webp", "width": 640, "height": 480},
    ]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_sizes_and_boxes_are_those_of_the_picture_as_it_is_shown(
    tmp_path: Path, index: Index
) -> None:
    """CVAT, Label Studio, MegaDetector and the others turn what EXIF has them turn."""
    archive, shown = tmp_path / "turned", {}
    archive.mkdir()
    for orientation in range(1, 9):
        path = turned_image(archive / f"{orientation}.jpg", orientation)
        with PIL.Image.open(path) as image:
            shown[path.name] = ImageOps.exif_transpose(image).convert("L")
    results = {
        "detection_categories": {"1": "patch"},
        "images": [
            {"file": f"{number}.jpg", "detections": [{"category": "1", "conf": 1, "bbox": at}]}
            for number in range(1, 9)
            for at in [list(patch_shown(number)[1:])]
        ],
    }
    (tmp_path / "md.json").write_text(json.dumps(results))
    index.update(archive)
    index.import_labels(tmp_path / "md.json")
    sample = index.select(8)
    index.export(sample, tmp_path / "hf", "huggingface", how="copy")
    told = [json.loads(line) for line in _lines(tmp_path / "hf/train/metadata.jsonl")]
    boxes = {Path(each["original"]).name: each["objects"]["bbox"][0] for each in told}
    for form in ("coco", "cvat", "label-studio"):
        with (tmp_path / form).open("wb") as file:
            index.export(sample, file, form)
    coco = json.loads((tmp_path / "coco").read_text())
    manifest = [json.loads(line) for line in _lines(tmp_path / "cvat")][2:]
    tasks = json.loads((tmp_path / "label-studio").read_text())
    for image, found, line, task in zip(
        coco["images"], coco["annotations"], manifest, tasks, strict=True
    ):
        upright = shown[image["file_name"]]
        assert (image["width"], image["height"]) == upright.size
        assert (line["width"], line["height"]) == upright.size
        region = task["predictions"][0]["result"][0]
        assert (region["original_width"], region["original_height"]) == upright.size
        for x, y, width, height in (found["bbox"], boxes[image["file_name"]]):
            patch = upright.crop((round(x), round(y), round(x + width), round(y + height)))
            assert patch.size in ((80, 40), (40, 80))
            assert np.asarray(patch).min() > 200


def test_label_studio_is_given_tasks() -> None:
    fox, blank, bare = json.loads(written(SAMPLE, "label-studio"))
    assert fox["data"]["image"] == "/data/local-files/?d=cam%201/a%2C%20%22%C3%A9%22.jpg"
    by_source = {each["model_version"]: each for each in fox["predictions"]}
    assert by_source["md"]["score"] == 0.9
    first = by_source["md"]["result"][0]
    assert first["value"] == {
        "x": 25, "y": 50, "width": 50, "height": 10, "rotation": 0, "rectanglelabels": ["red fox"],
    }  # fmt: skip
    assert (first["type"], first["from_name"], first["to_name"]) == (
        "rectanglelabels", "label", "image",
    )  # fmt: skip
    assert by_source["hand"]["result"] == [
        {"id": "r0", "to_name": "image", "type": "choices", "from_name": "species",
         "value": {"choices": ["mammal"]}}
    ]  # fmt: skip
    assert [len(task.get("predictions", [])) for task in (fox, blank, bare)] == [2, 1, 0]
    (task,) = json.loads(written(SAMPLE[2:], "label-studio", url_prefix="https://x.org/a/"))
    assert task["data"] == {"image": "https://x.org/a/top.webp", "camera": "archive"}


def test_fiftyone_is_given_locations_and_boxes(tmp_path: Path) -> None:
    with new_folder(str(tmp_path / "fo"), ()) as folder:
        FORMATS["fiftyone"].write(SAMPLE, folder, Wishes())
    data, labels = (
        json.loads((tmp_path / "fo" / name).read_text()) for name in ("data.json", "labels.json")
    )
    assert list(data.values()) == [image.path for image in SAMPLE]
    assert [bool(said) for said in labels["labels"].values()] == [True, True, False]
    assert [
        (each["label"], each["bounding_box"], each.get("confidence"))
        for each in labels["labels"]["0"]
    ] == [
        ("red fox", [0.25, 0.5, 0.5, 0.1], 0.9),
        ("hare", [-0.1, 0.9, 0.3, 0.2], 0.9),
        ("mammal", [0, 0, 1, 1], None),
    ]


def test_timelapse_gets_labels_and_a_flag_into_columns_of_its_template() -> None:
    told = {"label_column": "Species", "flag_column": "ToLabel"}
    lines = written(SAMPLE[:2], "timelapse", **told).splitlines()
    assert lines[0] == "RootFolder,File,RelativePath,DateTime,Species,ToLabel"
    assert lines[1].endswith(',"hare, mammal, red fox",true')
    assert lines[2].endswith(",empty,true")


def test_timelapse_is_said_to_know_images_of_no_folder_by_their_names_alone() -> None:
    said: list[str] = []
    for sample in (SAMPLE[:2], SAMPLE[2:], SAMPLE):
        written(sample, "timelapse", say=said.append)
    assert [line.partition(";")[0] for line in said] == ["warning: 1 images lie in no folder"]


def test_parquet_has_all_columns(
    index: Index, archive: Path, tmp_path: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    (tmp_path / "l.csv").write_text("path,label,confidence\ncam0/IMG_1.JPG,fox,0.5\n")
    index.import_labels(tmp_path / "l.csv", source="md")
    sample = index.select(12, with_bursts=True)
    with open(tmp_path / "s.parquet", "wb") as file:
        index.export(sample, file, "parquet", relative=True)
    table = pq.read_table(tmp_path / "s.parquet").to_pylist()
    assert [row["path"] for row in table] == [image.relative_path for image in sample]
    assert [row["taken_at"] for row in table] == [image.taken_at for image in sample]
    assert [row["width"] for row in table] == [320] * 12
    (said,) = [row["said"] for row in table if row["said"]]
    assert said == [
        {"label": "fox", "confidence": 0.5, "source": "md", "is_human": False, "box": None}
    ]
    assert {len(row["dhash"]) for row in table} == {16}


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(OutputError, match=r"pip install 'sdindex\[parquet\]'"):
        written(SAMPLE, "parquet")


@pytest.fixture
def boxed(index: Index, archive: Path, tmp_path: Path, threads: Executor) -> list[SampledImage]:
    """Return a sample of images with odd names, two with boxes, and one that is empty."""
    make_image(archive / "cam0" / 'images/ä, "b".jpg', 40)
    make_image(archive / "cam0/IMG_1.png", 41)
    index.update(archive, executor=threads)
    results = {
        "info": {"format_version": "1.5"},
        "detection_categories": {"1": "fox", "2": "hare"},
        "images": [
            {
                "file": path,
                "detections": [
                    {"category": "1", "conf": 0.9, "bbox": [0.25, 0.5, 0.5, 0.1]},
                    {"category": "2", "conf": 0.8, "bbox": [0.9, 0, 0.2, 1]},
                ],
            }
            for path in ("cam0/IMG_1.JPG", 'cam0/images/ä, "b".jpg')
        ]
        + [{"file": "cam0/IMG_3.JPG", "detections": []}],
    }
    (tmp_path / "md.json").write_text(json.dumps(results))
    index.import_labels(tmp_path / "md.json")
    return index.select(14)


def test_yolo_finds_the_boxes_of_each_image(
    index: Index, boxed: list[SampledImage], tmp_path: Path
) -> None:
    said: list[str] = []
    put = index.export(boxed, tmp_path / "ds", "yolo", how="symlink", say=said.append)
    assert put is not None
    assert put.new == 14
    assert said == [
        "warning: 11 images have no boxes, and are not labelled empty: YOLO takes them for images "
        "of nothing"
    ]
    assert (tmp_path / "ds/data.yaml").read_text().splitlines() == [
        'train: "images/train"', 'val: "images/train"  # the sample is not split', "names:",
        '  0: "fox"', '  1: "hare"',
    ]  # fmt: skip
    found = {}
    for image in (tmp_path / "ds/images").rglob("*"):
        if image.suffix.lower() in (".jpg", ".png"):
            # As ultralytics has it: data/utils.py, img2label_paths.
            sa, sb = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"
            label = Path(sb.join(str(image).rsplit(sa, 1)).rsplit(".", 1)[0] + ".txt")
            if label.exists():
                found[image.name] = label.read_text().splitlines()
    lines = ["0 0.500000 0.550000 0.500000 0.100000", "1 0.950000 0.500000 0.100000 1.000000"]
    assert found == {"IMG_1.JPG": lines, 'ä, "b".jpg': lines, "IMG_3.JPG": []}
    again = index.export(boxed, tmp_path / "ds", "yolo", how="symlink")
    assert again is not None
    assert (again.new, again.kept) == (0, 14)


def test_a_dataset_wants_its_images_and_a_folder_of_its_own(
    index: Index, boxed: list[SampledImage], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="with --copy-to"):
        index.export(boxed, tmp_path / "ds", "yolo")
    with pytest.raises(UsageError, match="is a folder"), open(tmp_path / "f", "wb") as file:
        index.export(boxed, file, "fiftyone")
    with pytest.raises(UsageError, match="is a file"):
        index.export(boxed, tmp_path / "ds", "cvat")
    with pytest.raises(UsageError, match="url_prefix is for label-studio, not for yolo"):
        index.export(boxed, tmp_path / "ds", "yolo", how="copy", url_prefix="x")
    with pytest.raises(UsageError, match="give it with utc_offset"):
        index.export(boxed, tmp_path / "ds", "camtrap-dp")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/data.yaml").write_text("of worth")
    with pytest.raises(OutputError, match="has other files; name a new folder"):
        index.export(boxed, tmp_path / "mine", "yolo", how="copy")
    assert (tmp_path / "mine/data.yaml").read_text() == "of worth"


def test_hugging_face_opens_the_folder(
    index: Index, boxed: list[SampledImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    index.export(boxed, tmp_path / "ds", "huggingface", how="copy")
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "ds"), cache_dir=str(tmp_path / "cache")
    )
    assert list(loaded) == ["train"]
    rows = {row["original"]: row for row in loaded["train"]}
    assert rows.keys() == {image.path for image in boxed}
    for image in boxed:
        row = rows[image.path]
        assert row["image"].size == (image.width, image.height)
        assert row["labels"] == list(image.labels)
        assert row["objects"]["category"] == [box.label for box in image.boxes]
    (box, _) = rows[boxed[0].path]["objects"]["bbox"]
    assert box == pytest.approx([80, 120, 160, 24])


def test_the_command_line_writes_folders(
    db: Path, index: Index, boxed: list[SampledImage], tmp_path: Path
) -> None:
    asked = ("select", "-n", 14, "--format")
    for form, said in [
        ("yolo", "name its folder with --copy-to"),
        ("fiftyone", "name it with -o"),
        ("cvat --url-prefix x", "--url-prefix is for label-studio, not for cvat"),
        ("yolo --copy-to a -o b", "without -o"),
    ]:
        done = run(*asked, *form.split(), db=db)
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    done = run(*asked, "fiftyone", "-o", tmp_path / "fo", db=db)
    assert done.stderr == f"a sample of 14 images written as fiftyone in {tmp_path / 'fo'}\n"
    done = run(*asked, "fiftyone", "--link-to", tmp_path / "fo2", db=db)
    paths = json.loads((tmp_path / "fo2/data.json").read_text()).values()
    assert all((tmp_path / "fo2" / path).exists() for path in paths)
    done = run(*asked, "yolo", "--copy-to", tmp_path / "ds", db=db)
    assert done.exit_code == 0
    assert "14 images put in" in done.stderr
