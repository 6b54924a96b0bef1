"""Samples in other programs' formats, read by those programs' own readers where they install."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from sdindex.exchange.detections import Label
from sdindex.exchange.folders import new_folder
from sdindex.exchange.formats.registry import FORMATS, Wishes
from sdindex.exchange.label_files import LabelFile
from sdindex.exchange.matching import slashed
from sdindex.exchange.naming import Naming, archive_names
from sdindex.store.sampled import Box
from tests.support.sampled import Image

SAMPLE = [
    Image(
        "cam1/DCIM/100RECNX/IMG_2.JPG",
        labels=("fox", "Red deer"),
        burst="cam1/DCIM/100RECNX/IMG_2.JPG",
        number_in_burst=1,
        burst_size=3,
    ),
    Image(
        "cam1/DCIM/100RECNX/IMG_10.jpeg",
        labels=("empty",),
        burst="8.JPG",
        number_in_burst=2,
        burst_size=2,
    ),
    Image('top, "é".webp', camera="", labels=("fox",)),
]
TWO_ARCHIVES = [SAMPLE[0], replace(SAMPLE[0], archive="/mnt/other/archive")]


def written(
    images: Sequence[Image],
    form: str,
    *,
    relative: bool = False,
    **wishes: Any,
) -> bytes:
    output = io.BytesIO()
    FORMATS[form].write(images, output, Wishes(relative, **wishes))
    return output.getvalue()


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


class Streamed(Collection[Image]):
    """A sample that can be gone through, and is counted in how many of it are there at once."""

    def __init__(self, images: Sequence[Image]) -> None:
        self.images = images
        self.there: WeakSet[Image] = WeakSet()
        self.most = 0

    def __len__(self) -> int:
        return len(self.images)

    def __contains__(self, image: object) -> bool:
        return image in self.images

    def __iter__(self) -> Iterator[Image]:
        for image in self.images:
            fresh = replace(image)
            self.there.add(fresh)
            self.most = max(self.most, len(self.there))
            yield fresh
            del fresh


@pytest.mark.parametrize("form", sorted({*FORMATS} - {"megadetector-results"}))  # of an index alone
def test_every_format_is_written_as_the_images_come(form: str, tmp_path: Path) -> None:
    numbered = [Image(f"cam/{number}.jpg", labels=("fox",)) for number in range(500)]
    sample = Streamed(numbered)
    wishes = Wishes(utc_offset=UTC if "utc_offset" in FORMATS[form].needs else None)
    if FORMATS[form].is_folder:
        with new_folder(str(tmp_path / "folder"), ()) as folder:
            FORMATS[form].write(sample, folder, wishes)
    else:
        written = io.BytesIO()
        FORMATS[form].write(sample, written, wishes)
        assert b"499" in written.getvalue()
    assert sample.most < 5


def test_megadetector_is_given_a_list_of_paths() -> None:
    images = [*SAMPLE, Image("\udcff.jpg")]
    assert json.loads(written(images, "megadetector")) == [image.path for image in images]
    assert json.loads(written(images, "megadetector", relative=True)) == [
        image.relative_path for image in images
    ]
    assert json.loads(written([], "megadetector")) == []


def test_what_megadetector_makes_of_the_list_is_understood(tmp_path: Path) -> None:
    results = {
        "images": [
            {"file": path, "detections": [{"category": "1", "conf": 0.9, "bbox": [0, 0, 1, 1]}]}
            for path in json.loads(written(SAMPLE, "megadetector"))
        ],
        "detection_categories": {"1": "animal"},
        "info": {"format_version": "1.6"},
    }
    (tmp_path / "md.json").write_text(json.dumps(results))
    assert list(LabelFile(str(tmp_path / "md.json"))) == [
        Label(image.path, "animal", 0.9, bbox="[0, 0, 1, 1]") for image in SAMPLE
    ]


def test_timelapse_is_given_the_columns_of_every_template() -> None:
    """As its CsvReaderWriter.cs reads them: no others, times to the second, paths of Windows."""
    assert rows(written(SAMPLE, "timelapse")) == [
        {"RootFolder": "archive", "File": file, "RelativePath": folder, "DateTime": time}
        for file, folder, time in [
            ("IMG_2.JPG", "cam1\\DCIM\\100RECNX", "2024-05-01 23:59:58"),
            ("IMG_10.jpeg", "cam1\\DCIM\\100RECNX", "2024-05-01 23:59:58"),
            ('top, "é".webp', "", "2024-05-01 23:59:58"),
        ]
    ]
    undated = rows(written([*SAMPLE, Image("a.jpg", taken_at=None)], "timelapse"))
    assert {tuple(row) for row in undated} == {("RootFolder", "File", "RelativePath")}
    two = rows(written(TWO_ARCHIVES, "timelapse"))
    assert [row["RelativePath"] for row in two] == [
        "archive\\cam1\\DCIM\\100RECNX",
        "archive-2\\cam1\\DCIM\\100RECNX",
    ]


def test_timelapse_and_the_label_files_agree(tmp_path: Path) -> None:
    content = written(SAMPLE, "timelapse").decode()
    lines = [
        f"{line},{word}"
        for line, word in zip(content.split("\r\n"), ["label", 1, 2, 3], strict=False)
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    assert list(map(slashed, LabelFile(str(tmp_path / "t.csv")).paths())) == list(
        map(Naming.of(SAMPLE).path, SAMPLE)
    )


def opened(images: Sequence[Image], folder: Path) -> COCO:
    (folder / "coco.json").write_bytes(written(images, "coco"))
    return COCO(str(folder / "coco.json"))


def test_coco_is_opened_by_pycocotools(tmp_path: Path) -> None:
    database = opened(SAMPLE, tmp_path)
    assert {one["id"]: one["name"] for one in database.loadCats(database.getCatIds())} == {
        0: "empty",
        1: "Red deer",
        2: "fox",
    }
    foxes = database.getImgIds(catIds=database.getCatIds(catNms=["fox"]))
    assert sorted(foxes) == [SAMPLE[0].relative_path, SAMPLE[2].relative_path]
    assert database.loadImgs([SAMPLE[0].relative_path]) == [
        {
            "id": SAMPLE[0].relative_path,
            "file_name": SAMPLE[0].relative_path,
            "width": 640,
            "height": 480,
            "location": "cam1",
            "datetime": "2024-05-01 23:59:58",
            "seq_id": "cam1/DCIM/100RECNX/IMG_2.JPG",
            "seq_num_frames": 3,
            "frame_num": 1,
        }
    ]
    assert "seq_id" not in database.imgs[SAMPLE[2].relative_path]
    undated = opened([Image("\udcff.jpg", taken_at=None)], tmp_path)
    assert "datetime" not in undated.imgs["\udcff.jpg"]
    assert opened([], tmp_path).getImgIds() == []


def test_coco_has_the_boxes_in_pixels(tmp_path: Path) -> None:
    boxes = (Box("fox", 0.25, 0.5, 0.5, 0.1), Box("fox", 0, 0, 1, 1))
    database = opened([Image("a.jpg", labels=("fox", "hare"), boxes=boxes)], tmp_path)
    found = database.loadAnns(database.getAnnIds(catIds=database.getCatIds(catNms=["fox"])))
    assert [one["bbox"] for one in found] == [[160, 240, 320, 48], [0, 0, 640, 480]]
    assert [one["area"] for one in found] == [320 * 48, 640 * 480]
    (hare,) = database.loadAnns(database.getAnnIds(catIds=database.getCatIds(catNms=["hare"])))
    assert "bbox" not in hare
    assert len(database.anns) == 3


part = st.text(st.characters(exclude_characters="/\\\0"), min_size=1)
root = st.lists(st.sampled_from(["a", "A", "b", "a-2", "é", "É"]), max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)


@given(st.sets(root, max_size=8))
def test_archives_have_names_of_their_own(roots: set[str]) -> None:
    names = archive_names(roots)
    assert set(names) == roots
    assert len({name.casefold() for name in names.values()}) == len(roots)
    assert not any("/" in name or not name for name in names.values())
    assert archive_names(sorted(roots, reverse=True)) == names


@given(st.sets(st.tuples(root, part, st.sampled_from(["", "cam"])), min_size=1, max_size=8))
def test_no_two_images_have_one_place_and_no_two_cameras_one_name(
    given: set[tuple[str, str, str]],
) -> None:
    images = [
        Image(f"{camera}/{name}".lstrip("/"), archive=archive, camera=camera)
        for archive, name, camera in given
    ]
    naming = Naming.of(images)
    assert len(set(map(naming.path, images))) == len({image.path for image in images})
    named = {(image.archive, image.camera): naming.camera(image) for image in images}
    assert all(named.values())
    if len({one.archive for one in images}) > 1:
        assert len(set(named.values())) == len(named)


@given(st.lists(st.tuples(part, st.lists(part, max_size=3, unique=True)), max_size=5))
def test_coco_keeps_every_label(given: list[tuple[str, list[str]]]) -> None:
    images = [
        Image(f"{number}/{name}", labels=tuple(labels))
        for number, (name, labels) in enumerate(given)
    ]
    database = json.loads(written(images, "coco"))
    names = {one["id"]: one["name"] for one in database["categories"]}
    assert names[0] == "empty"
    assert len(set(names.values())) == len(names)
    for image in images:
        said = [
            names[one["category_id"]]
            for one in database["annotations"]
            if one["image_id"] == image.relative_path
        ]
        assert said == list(image.labels)
    ids = [one["id"] for one in database["annotations"]]
    assert len(set(ids)) == len(ids)
