"""Packages of Camtrap DP, judged by frictionless and the rules of the standard."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sdindex.arguments import utc_offset
from sdindex.errors import OutputError, UsageError
from sdindex.exchange.folders import new_folder
from sdindex.exchange.formats.registry import FORMATS, Wishes
from sdindex.exchange.label_files import LabelFile
from sdindex.store.sampled import Box, SaidLabel
from tests.support.camtrap_dp import refusals
from tests.support.sampled import Image

NIGHT = datetime(2024, 5, 1, 23, 59, 58)  # noqa: DTZ001
SAMPLE = [
    Image(
        "cam1/DCIM/100RECNX/IMG_2.JPG",
        labels=("fox", "Red deer"),
        boxes=(Box("fox", 0.25, 0.5, 0.5, 0.1), Box("fox", 0.9, 0.9, 0.2, 0)),
        event="cam1/DCIM/100RECNX/IMG_2.JPG",
    ),
    Image(
        "cam1/DCIM/100RECNX/IMG_10.jpeg",
        labels=("empty",),
        event="cam1/DCIM/100RECNX/IMG_2.JPG",
        taken_at=NIGHT + timedelta(minutes=2),
    ),
    Image('top, "é".webp', camera="", labels=("person",), boxes=(Box("person", 0, 0, 1, 1),)),
]
TWO_ARCHIVES = [SAMPLE[0], replace(SAMPLE[0], archive="/mnt/other/archive")]
WISHES = Wishes(utc_offset=timezone(timedelta(hours=-5, minutes=-30)))
PLACED = "camera,latitude,Longitude,start\ncam1,52.5,13.25,2024-04-01\narchive,-1,30.5,\n"


def package(images: Sequence[Image], folder: Path, wishes: Wishes = WISHES) -> list[str]:
    said: list[str] = []
    with new_folder(str(folder), ()) as new:
        FORMATS["camtrap-dp"].write(images, new, wishes._replace(say=said.append))
    return said


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    with open(folder / f"{table}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def placed(tmp_path: Path) -> Wishes:
    (tmp_path / "cameras.csv").write_text(PLACED)
    return WISHES._replace(deployments=str(tmp_path / "cameras.csv"))


def ranks(labels: Any) -> dict[str, dict[str, str]]:
    assert {"fox", "Red deer"} <= labels
    return {"fox": {"class": "mammalia", "genus": "vulpes", "species": "vulpes vulpes"}}


def test_a_package_keeps_to_the_standard(placed: Wishes, tmp_path: Path) -> None:
    said = package(SAMPLE, tmp_path / "dp", placed._replace(ranks=ranks, name="spring"))
    assert refusals(tmp_path / "dp") == []
    assert [line.partition(":")[0] for line in said] == [
        "datapackage.json names no contributor, and takes the sampling for opportunistic, by "
        "motion, of animals that are not told apart"
    ]
    media, seen = rows(tmp_path / "dp", "media"), rows(tmp_path / "dp", "observations")
    assert media[0]["timestamp"] == "2024-05-01T23:59:58-05:30"
    told = ("observationType", "scientificName", "count", "classifiedBy", "observationTags")
    assert [tuple(row[name] for name in told) for row in seen] == [
        ("animal", "vulpes vulpes", "1", "md", "label:fox"),
        ("animal", "vulpes vulpes", "1", "md", "label:fox"),
        ("animal", "Red deer", "", "hand", "label:Red deer"),
        ("blank", "", "", "hand", "label:empty"),
        ("human", "", "1", "md", "label:person"),
    ]
    assert [seen[0][f"bbox{side}"] for side in ("X", "Y", "Width", "Height")] == [
        "0.25", "0.5", "0.5", "0.1",
    ]  # fmt: skip
    assert [row["bboxX"] for row in seen[1:3]] == ["", ""], "no side is 0"
    assert {row["eventEnd"] for row in seen[:4]} == {"2024-05-02T00:01:58-05:30"}
    assert {row["eventStart"] for row in seen} == {"2024-05-01T23:59:58-05:30"}
    deployed = rows(tmp_path / "dp", "deployments")
    assert [(row["deploymentID"], row["latitude"], row["deploymentStart"]) for row in deployed] == [
        ("cam1", "52.5", "2024-04-01T00:00:00-05:30"),
        ("archive", "-1", "2024-05-01T23:59:58-05:30"),
    ]
    described = json.loads((tmp_path / "dp/datapackage.json").read_text())
    assert described["title"] == "spring"
    assert described["temporal"] == {"start": "2024-04-01", "end": "2024-05-02"}
    assert described["spatial"]["coordinates"][0][0] == [13.25, -1.0]
    assert {"scientificName": "vulpes vulpes", "class": "mammalia", "genus": "vulpes",
            "taxonRank": "species"} in described["taxonomic"]  # fmt: skip


def test_the_rules_are_no_sieve(placed: Wishes, tmp_path: Path) -> None:
    package(SAMPLE, tmp_path / "dp", placed)
    for table, good, bad in [
        ("media", "T23", " 23"),
        ("media", ",cam1,", ",cam9,"),
        ("observations", "animal", "bird"),
        ("observations", ",0.25,", ",1.25,"),
        ("deployments", "52.5", ""),
    ]:
        file = tmp_path / f"dp/{table}.csv"
        text = file.read_text(encoding="utf-8")
        assert good in text
        file.write_text(text.replace(good, bad), encoding="utf-8")
        assert refusals(tmp_path / "dp"), (table, good)
        file.write_text(text, encoding="utf-8")
    file = tmp_path / "dp/datapackage.json"
    file.write_text(file.read_text().replace("opportunistic", "by hand"))
    assert refusals(tmp_path / "dp")


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    said = package(TWO_ARCHIVES, tmp_path / "dp")
    assert said[0].startswith("warning: 2 of 2 deployments (such as archive/cam1) have no latitude")
    assert {row[1] for row in refusals(tmp_path / "dp")} == {"latitude", "longitude"}
    media = rows(tmp_path / "dp", "media")
    assert [row["deploymentID"] for row in media] == ["archive/cam1", "archive-2/cam1"]
    assert media[1]["filePath"] == "archive-2/cam1/DCIM/100RECNX/IMG_2.JPG"
    (tmp_path / "cameras.csv").write_text("deploymentID,latitude\nother,1\n")
    said = package(
        SAMPLE[:1], tmp_path / "x", WISHES._replace(deployments=str(tmp_path / "cameras.csv"))
    )
    assert any("1 cameras are not in" in line and "(such as cam1)" in line for line in said)


def test_a_camera_has_a_deployment_for_each_of_its_periods(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(
        "camera;deploymentID;start;end\n".replace(";", ",")
        + "cam1,may,2024-05-01,2024-05-31T00:00:00-05:30\n"
        + "cam1,june,2024-06-01T00:00:00Z,2024-06-30\n"
        + "cam1,july,2024-07-01,2024-07-30\n"
    )
    late = replace(SAMPLE[0], relative_path="cam1/late.jpg", taken_at=NIGHT + timedelta(days=62))
    june = replace(SAMPLE[0], relative_path="cam1/june.jpg", taken_at=NIGHT + timedelta(days=40))
    wishes = WISHES._replace(deployments=str(tmp_path / "d.csv"))
    gap = NIGHT + timedelta(days=29, hours=12)
    between = replace(june, relative_path="cam1/gap.jpg", taken_at=gap)
    said = package([SAMPLE[0], june, late, between], tmp_path / "dp", wishes)
    media = rows(tmp_path / "dp", "media")
    assert [row["deploymentID"] for row in media] == ["may", "june", "july", "june"]
    assert "warning: 1 images were taken outside their camera's periods" in said


@pytest.mark.parametrize("cameras", [None, "camera,latitude,longitude,cameraTilt\n", "x"])
def test_a_camera_may_be_called_as_no_value_is(cameras: str | None, tmp_path: Path) -> None:
    """As the standard's tables have it, "NA" is none; and another deployment may be called so."""
    names = ("NA", "nan", "NaN", "camera NA", "cam1")
    images = [replace(SAMPLE[0], relative_path=f"{name}/1.jpg", camera=name) for name in names]
    rows_of = "".join(f"{name},1,2,NA\n" for name in names)
    if cameras == "x":  # a deployment is called as another camera is
        cameras, rows_of = "camera,deploymentID,latitude,longitude\n", "NA,cam1,1,2\n"
    (tmp_path / "d.csv").write_text(f"{cameras}{rows_of}")
    told = WISHES._replace(deployments=cameras and str(tmp_path / "d.csv"))
    package(images, tmp_path / "dp", told)
    assert {row[1] for row in refusals(tmp_path / "dp")} <= {"latitude", "longitude"}
    media, deployed = rows(tmp_path / "dp", "media"), rows(tmp_path / "dp", "deployments")
    assert len({row["deploymentID"] for row in media}) == len(deployed) == len(names)


def test_all_that_is_known_of_a_deployment_is_kept(tmp_path: Path) -> None:
    known = {"latitude": "1", "longitude": "-2.5", "coordinateUncertainty": "30",
             "cameraTilt": "-9", "baitUse": "TRUE", "featureType": "burrow",
             "habitat": "NA"}  # fmt: skip
    lines = ",".join(["camera", *known]), ",".join(["cam1", *known.values()])
    (tmp_path / "d.csv").write_text("\n".join(lines))
    package(SAMPLE[:1], tmp_path / "dp", WISHES._replace(deployments=str(tmp_path / "d.csv")))
    assert refusals(tmp_path / "dp") == []
    (row,) = rows(tmp_path / "dp", "deployments")
    assert {name: row[name] for name in known} == {**known, "habitat": ""}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,latitude\na,1\n", "has no column camera or deploymentID"),
        ("camera,latitude\na,91\n", "line 2: latitude 91 is not from -90 to 90"),
        ("camera,latitude\na,north\n", "line 2: could not convert"),
        ("camera,latitude\na\n", "line 2: 1 values, and 2 columns"),
        ("camera,cameraHeight\na,-1\n", "line 2: cameraHeight -1 is not 0 or more"),
        ("camera,cameraHeight\na,inf\n", "line 2: cameraHeight inf is not 0 or more"),
        ("camera,cameraDelay\na,1.5\n", "line 2: cameraDelay 1.5 is no whole number"),
        ("camera,bait use\na,yes\n", "line 2: baitUse yes is none of true, True"),
        ("camera,featureType\na,pond\n", "line 2: featureType pond is none of roadPaved"),
        ("camera,start\na,May\n", "line 2: Invalid isoformat"),
        ("camera,deploymentID\na,x\nb,x\n", "line 3: a second deployment x"),
        ("camera,latitude\n,1\n", "line 2: no camera is named"),
        (None, "cannot read"),
    ],
)
def test_deployments_that_cannot_be_read_are_one_line(
    text: str | None, said: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "d.csv").write_text(text)
    with pytest.raises(OutputError) as raised:
        package(SAMPLE, tmp_path / "dp", WISHES._replace(deployments=str(tmp_path / "d.csv")))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "dp").exists()


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([replace(SAMPLE[0], taken_at=None), *SAMPLE[1:]], "1 has no EXIF time (/data/archive/cam"),
        ([replace(one, taken_at=None) for one in SAMPLE], "3 have no EXIF time (the first: /data"),
        ([Image("a..b/1.jpg")], "1 has such a path (a..b/1.jpg)"),
        ([Image(".hidden/1.jpg")], "1 has such a path"),
        ([Image("~/1.jpg")], "1 has such a path"),
        ([Image("a\nb.jpg")], r"1 has such a path (a\nb.jpg)"),
        ([Image("\udcff.jpg")], r"1 has such a path (\xff.jpg)"),
    ],
)
def test_what_camtrap_dp_does_not_allow_is_one_line(
    images: list[Image], said: str, tmp_path: Path
) -> None:
    with pytest.raises(OutputError) as raised:
        package(images, tmp_path / "dp")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_images_without_a_time_are_skipped_where_that_is_asked_for(tmp_path: Path) -> None:
    images = [replace(SAMPLE[0], taken_at=None), *SAMPLE[1:]]
    said = package(images, tmp_path / "dp", WISHES._replace(without_time="skip"))
    assert said[0] == "warning: 1 images have no EXIF time, and are left out"
    assert len(rows(tmp_path / "dp", "media")) == 2
    assert all(row["mediaID"] != images[0].relative_path for row in rows(tmp_path / "dp", "media"))


def test_what_other_programs_write_for_no_value_is_none(tmp_path: Path) -> None:
    """R writes NA, as the standard allows since 1.0.2."""
    (tmp_path / "media.csv").write_text("mediaID,deploymentID,filePath\nm1,d,a/1.jpg\n")
    (tmp_path / "observations.csv").write_text(
        "observationID,mediaID,observationType,scientificName,bboxX,bboxY,bboxWidth,bboxHeight,"
        "classificationMethod,classifiedBy,classificationProbability,observationTags\n"
        "o1,m1,animal,Vulpes vulpes,0.1,0.2,0.3,0.4,machine,md,0.9,NA\n"
        "o2,m1,animal,NA,NA,NA,NA,NA,human,NA,NA,NA\n"
        "o3,m1,blank,nan,NaN,NaN,NaN,NaN,NA,NA,NaN,NA\n"
    )
    fox, animal, blank = LabelFile(str(tmp_path / "observations.csv"))
    assert (fox.label, fox.bbox, fox.confidence) == ("Vulpes vulpes", "[0.1, 0.2, 0.3, 0.4]", 0.9)
    assert (animal.label, animal.bbox, animal.confidence, animal.human) == (
        "animal", None, None, True,
    )  # fmt: skip
    assert (animal.source, blank.label, blank.source) == ("human", "empty", None)


def test_who_says_so_is_a_person_or_a_machine(tmp_path: Path) -> None:
    more = (SaidLabel("fox", None, "csv", False, None),)
    image = replace(SAMPLE[0], more_said=more)
    package([image], tmp_path / "dp")
    assert [row["classificationMethod"] for row in rows(tmp_path / "dp", "observations")] == [
        "machine", "machine", "human", "",
    ]  # fmt: skip


def test_camtrap_dp_is_not_told_a_zone_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="with utc_offset, such as"):
        package(SAMPLE, tmp_path / "dp", Wishes())


@pytest.mark.parametrize(
    ("text", "minutes"), [("+02:00", 120), ("-0530", -330), ("Z", 0), ("+00:00", 0)]
)
def test_an_offset(text: str, minutes: int) -> None:
    assert utc_offset("utc_offset", text) == timezone(timedelta(minutes=minutes))


@pytest.mark.parametrize("text", ["", "2", "+25:00", "Europe/Berlin", "+01:00:30", "+02:00 "])
def test_no_offset(text: str) -> None:
    with pytest.raises(UsageError, match="must be an offset of whole minutes"):
        utc_offset("utc_offset", text)


def test_a_package_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "dp").mkdir()
    package(SAMPLE, tmp_path / "dp")
    with pytest.raises(OutputError, match="is there already; name a new folder"):
        package(SAMPLE, tmp_path / "dp")
    (tmp_path / "data").mkdir()
    with (
        pytest.raises(OutputError, match="lies in the archive"),
        new_folder(str(tmp_path / "data/x"), [str(tmp_path / "data")]),
    ):
        pass
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data", "dp"]
