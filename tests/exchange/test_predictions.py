"""SpeciesNet's own predictions, written by its documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from sdindex import Index
from sdindex.errors import LabelFileError
from tests.exchange.test_results import PATHS, labels
from tests.support.indexes import write_index

FOX = "5c7ce479-8a45-40b3-ae21-7c97dfae22f5;mammalia;carnivora;canidae;vulpes;vulpes;red fox"
DOGS = "3184697f-51ad-4608-9a28-9edb5500159c;mammalia;carnivora;canidae;;;canine family"
HUMAN = "990ae9dd-7a59-4344-afcb-1b7b21368000;mammalia;primates;hominidae;homo;sapiens;human"
BLANK = "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank"
UNKNOWN = "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb" + 6 * ";no cv result"


@pytest.fixture
def indexed(db: Path) -> Path:
    write_index(db, {"/data/archive": dict.fromkeys(PATHS, 1)})
    return db


def seen(category: str, conf: float, left: float = 0.25) -> dict[str, Any]:
    label = {"1": "animal", "2": "human"}[category]
    return {"category": category, "label": label, "conf": conf, "bbox": [left, 0.25, 0.5, 0.5]}


def predicted(said: str, score: float, *detections: dict[str, Any]) -> dict[str, Any]:
    scores = {"prediction": said, "prediction_score": score, "prediction_source": "classifier"}
    return {"detections": list(detections), **scores, "model_version": "4.0.1a"}


PREDICTED = [
    predicted(FOX, 0.9, seen("1", 0.8), seen("2", 0.7, 0.1), seen("1", 0.1)),
    predicted(DOGS, 0.6, seen("1", 0.05)),  # which the detector hardly saw
    predicted(BLANK, 0.99, seen("1", 0.3)),
    predicted(HUMAN, 0.4, seen("2", 0.9)),  # not sure enough: its category
    predicted(UNKNOWN, 0.1, seen("1", 0.25)),
    {"classifications": {"classes": [FOX, BLANK], "scores": [0.7, 0.2]}},  # without a detector
    {"failures": ["DETECTOR", "CLASSIFIER"]},
    predicted(UNKNOWN, 0.1),
]


def test_the_predictions_of_speciesnet(index: Index, indexed: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.json"
    predictions = [
        {"filepath": f"/there/{path}", **said} for path, said in zip(PATHS, PREDICTED, strict=True)
    ]
    file.write_text(json.dumps({"predictions": predictions}))
    done = index.import_labels(file)
    assert str(done) == (
        "7 images labelled: 8 labels, 1 failures kept from predictions.json; paths were matched "
        "without /there/"
    )
    box = "[0.25, 0.25, 0.5, 0.5]"
    assert sorted(labels(indexed)) == [
        ("cam0/0.jpg", "human", 0.7, "[0.1, 0.25, 0.5, 0.5]"),
        ("cam0/0.jpg", "red fox", 0.9, box),
        ("cam0/2.jpg", "empty", None, None),
        ("cam0/4.jpg", "animal", 0.25, box),
        ("cam0/6.jpg", "DETECTOR, CLASSIFIER", None, None),
        ("cam1/1.jpg", "canine family", 0.6, None),
        ("cam1/3.jpg", "human", 0.9, box),
        ("cam1/5.jpg", "red fox", 0.7, None),
        ("cam1/7.jpg", "empty", None, None),
    ]
    drawn = index.select(9, label="family:canidae")
    assert [image.relative_path for image in drawn] == ["cam0/0.jpg", "cam1/1.jpg", "cam1/5.jpg"]
    with (tmp_path / "again.json").open("wb") as output:
        index.export_labels(output)
    before = sorted(labels(indexed))
    index.import_labels(tmp_path / "again.json", source="predictions.json")
    assert sorted(labels(indexed)) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"filepath": 3},
        {"filepath": "cam0/0.jpg", "prediction": FOX},
        {"filepath": "cam0/0.jpg", "prediction": FOX, "prediction_score": 2},
        {"filepath": "cam0/0.jpg", "prediction": FOX, "prediction_score": 1, "detections": [3]},
        3,
    ],
)
def test_predictions_that_are_none_are_one_line(
    index: Index, indexed: Path, tmp_path: Path, wrong: object
) -> None:
    file = tmp_path / "predictions.json"
    good = {"filepath": "cam0/0.jpg", **PREDICTED[0]}
    file.write_text(json.dumps({"predictions": [good, wrong]}))
    with pytest.raises(LabelFileError, match="not as SpeciesNet writes its predictions at image 2"):
        index.import_labels(file)
    file.write_text(json.dumps({"predictions": []}))
    with pytest.raises(LabelFileError, match="predictions of SpeciesNet, or CSV"):
        index.import_labels(file)
