"""Results of MegaDetector's form, as SpeciesNet, AddaxAI and Zamba write them, and Camtrap DP.

The files in `results` are written by these programs' documents.
"""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sdindex import Index
from sdindex.cli.main import cli
from sdindex.errors import LabelFileError, SampleError
from sdindex.exchange import label_import, matching
from sdindex.exchange.detections import joined
from sdindex.exchange.taxonomy import ranks_of, taxonomy
from tests.support.indexes import write_index
from tests.support.straight import connected

RESULTS = Path(__file__).parent / "results"
PATHS = [f"cam{number % 2}/{number}.jpg" for number in range(8)]
FORMS = ["speciesnet", "addaxai", "zamba"]


@pytest.fixture
def indexed(db: Path) -> Path:
    write_index(db, {"/data/archive": dict.fromkeys(PATHS, 1)})
    return db


def asked(db: Path, query: str) -> list[tuple[Any, ...]]:
    with connected(db) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return rows


def labels(db: Path) -> list[tuple[Any, ...]]:
    return asked(
        db,
        "SELECT path, coalesce(label, failure), confidence, bbox FROM label "
        "JOIN image ON image.id = image_id ORDER BY label.id",
    )


def test_speciesnet_gives_species_boxes_and_taxonomy(index: Index, indexed: Path) -> None:
    done = index.import_labels(RESULTS / "speciesnet.json")
    assert str(done) == "5 images labelled: 6 labels, 1 failures kept from speciesnet.json"
    assert labels(indexed) == [
        ("cam0/0.jpg", "red fox", 0.9013, "[0.0, 0.2762, 0.1539, 0.2825]"),
        ("cam0/2.jpg", "animal", 0.88, "[0.5, 0.5, 0.25, 0.25]"),
        ("cam0/2.jpg", "coyote", 0.8, "[0.1, 0.5, 0.2, 0.25]"),
        ("cam0/2.jpg", "coyote", 0.6, "[0.7, 0.5, 0.2, 0.25]"),
        ("cam0/4.jpg", "human", 0.95, "[0.1, 0.1, 0.3, 0.8]"),
        ("cam0/6.jpg", "empty", None, None),
        ("cam1/1.jpg", "moose", 0.97, "[0.2, 0.2, 0.1, 0.1]"),
        ("cam1/3.jpg", "Failure image access", None, None),
    ]
    family = "SELECT label, name FROM taxon WHERE rank = 'family' ORDER BY label"
    canidae = [(name, "canidae") for name in ("canine family", "coyote", "gray wolf", "red fox")]
    assert asked(indexed, family) == sorted([*canidae, ("moose", "cervidae")])
    species = asked(indexed, "SELECT name FROM taxon WHERE rank = 'species' AND label = 'coyote'")
    assert species == [("canis latrans",)]


def test_a_species_that_is_not_likely_enough_is_its_category(index: Index, indexed: Path) -> None:
    index.import_labels(RESULTS / "speciesnet.json", classification_threshold=0.95, source="sn")
    assert [row[1] for row in labels(indexed)][:4] == ["animal"] * 4
    index.import_labels(RESULTS / "speciesnet.json", classification_threshold=0, source="sn")
    assert [row[1] for row in labels(indexed)][:2] == ["red fox", "gray wolf"]


def test_addaxai_and_zamba(index: Index, indexed: Path) -> None:
    assert str(index.import_labels(RESULTS / "addaxai.json")).startswith("3 images labelled: 4 la")
    assert [row[:3] for row in labels(indexed)] == [
        ("cam0/0.jpg", "leopard", 0.9421),
        ("cam0/2.jpg", "empty", None),
        ("cam1/1.jpg", "animal", 0.66),
        ("cam1/1.jpg", "vehicle", 0.9),
        ("cam1/3.jpg", "Image could not be loaded", None),
    ]
    index.drop_labels("addaxai.json")
    assert asked(indexed, "SELECT * FROM taxon") == asked(indexed, "SELECT * FROM result") == []
    done = index.import_labels(RESULTS / "zamba.json")
    assert str(done) == (
        "2 images labelled: 3 labels from zamba.json; paths were matched without /home/zamba/data/"
    )
    assert [row[:3] for row in labels(indexed)] == [
        ("cam0/0.jpg", "elephant", 0.9713),
        ("cam0/0.jpg", "person", 0.4521),
        ("cam1/1.jpg", "animal", 0.3),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_results_are_kept_whole_and_once(index: Index, indexed: Path, form: str) -> None:
    for _ in range(2):
        index.import_labels(RESULTS / f"{form}.json")
    content = json.loads((RESULTS / f"{form}.json").read_text())
    kept = {
        path: json.loads(data)
        for path, data in asked(
            indexed, "SELECT path, data FROM result JOIN image ON image.id = image_id"
        )
    }
    assert kept == {
        "/".join(image.pop("file").replace("\\", "/").split("/")[-2:]): image
        for image in content.pop("images")
    }
    ((header,),) = asked(indexed, "SELECT header FROM result_file")
    assert json.loads(header) == content


def test_what_a_source_says_anew_replaces_its_results(
    index: Index, indexed: Path, tmp_path: Path
) -> None:
    index.import_labels(RESULTS / "speciesnet.json", source="ours")
    (tmp_path / "labels.csv").write_text("path,label\ncam0/0.jpg,dog\n")
    index.import_labels(tmp_path / "labels.csv", source="ours")
    assert ("cam0/0.jpg", "dog", None, None) in labels(indexed)
    kept = asked(indexed, "SELECT path FROM result JOIN image ON image.id = image_id")
    assert ("cam0/0.jpg",) not in kept
    assert len(kept) == 5


def test_two_files_of_one_source_number_their_categories_in_other_ways() -> None:
    known = {
        "detection_categories": {"1": "animal"},
        "classification_categories": {"0": "fox", "1": "elk"},
    }
    new = {
        "detection_categories": {"1": "animal", "2": "person"},
        "classification_categories": {"0": "elk", "1": "bear", "2": "wolf"},
    }
    both, renumbering = joined(known, new)
    assert both["detection_categories"] == {"1": "animal", "2": "person"}
    assert both["classification_categories"] == {"0": "fox", "1": "elk", "3": "bear", "2": "wolf"}
    seen = {"category": "2", "classifications": [["1", 0.5], ["0", 0.3], ["2", 0.1]]}
    assert renumbering.of({"detections": [seen]}) == {
        "detections": [{"category": "2", "classifications": [["3", 0.5], ["1", 0.3], ["2", 0.1]]}]
    }
    assert not joined(known, known)[1]
    assert not joined({}, new)[1]


def test_descriptions_give_ranks() -> None:
    assert ranks_of("id;mammalia;carnivora;canidae;vulpes;vulpes;red fox") == {
        "class": "mammalia", "order": "carnivora", "family": "canidae", "genus": "vulpes",
        "species": "vulpes vulpes", "common": "red fox",
    }  # fmt: skip
    assert ranks_of("animalia;chordata;mammalia;carnivora;canidae;vulpesvulpes") == {
        "kingdom": "animalia", "phylum": "chordata", "class": "mammalia", "order": "carnivora",
        "family": "canidae", "species": "vulpesvulpes",
    }  # fmt: skip
    assert ranks_of("id;aves;;;;;bird") == {"class": "aves", "common": "bird"}
    assert ranks_of("a red fox") == ranks_of("") == {}
    said = [("cat", "1;mammalia;carnivora;felidae;felis;catus;cat"), ("cat", "2;mammalia;;;;;cat")]
    assert taxonomy(said) == {"cat": {"class": "mammalia", "common": "cat"}}


def test_a_long_file_is_stored_in_parts(
    index: Index, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (label_import, matching):
        monkeypatch.setattr(module, "PARAMETERS", 2)
    monkeypatch.setattr(label_import, "_CHUNKS_OF_PART", 1)
    rows = "".join(f"{path},fox,0.5\n" for path in PATHS)
    (tmp_path / "labels.csv").write_text(f"path,label,conf\n{rows}{PATHS[0]},elk,2\n")
    with pytest.raises(LabelFileError, match="line 10"):
        index.import_labels(tmp_path / "labels.csv")
    assert len(labels(indexed)) == 8
    assert len(index.select(8, label="fox")) == 8
    (tmp_path / "labels.csv").write_text(f"path,label,conf\n{rows}")
    assert index.import_labels(tmp_path / "labels.csv").labels == 8


def test_observations_of_camtrap_dp_are_of_those_who_made_them(index: Index, indexed: Path) -> None:
    done = index.import_labels(RESULTS / "observations.csv")
    assert str(done) == (
        "3 images labelled: 4 labels from Ana, MegaDetector V5a, human; "
        "1 paths match no image of the index (such as e3)"
    )
    found = asked(indexed, "SELECT source, label, confidence, bbox FROM label ORDER BY id")
    assert found == [
        ("MegaDetector V5a", "Vulpes vulpes", 0.98, "[0.1, 0.2, 0.3, 0.4]"),
        ("Ana", "Vulpes vulpes", None, None),
        ("Ana", "empty", None, None),
        ("human", "Homo sapiens", None, None),
    ]


def test_observations_without_their_media_are_told(
    index: Index, indexed: Path, tmp_path: Path
) -> None:
    shutil.copy(RESULTS / "observations.csv", tmp_path)
    with pytest.raises(LabelFileError, match=r"no media.csv lies beside it, which names their fil"):
        index.import_labels(tmp_path / "observations.csv")
    (tmp_path / "media.csv").write_text("mediaID,name\nm1,a\n")
    with pytest.raises(LabelFileError, match=r"media.csv line 1: expected the columns mediaID and"):
        index.import_labels(tmp_path / "observations.csv")


def test_columns_by_their_names(index: Index, indexed: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("Path,Species,How sure,Observer\ncam0/0.jpg,fox,0.5,Ana\ncam1/1.jpg,elk,1,\n")
    with pytest.raises(LabelFileError, match="has no column Sure; its columns: Path, Species, How"):
        index.import_labels(file, column="species", confidence_column="Sure")
    done = index.import_labels(
        file, column="species", confidence_column="how sure", source_column="observer", source="us"
    )
    assert done.source == "Ana, us"
    found = asked(indexed, "SELECT source, label, confidence FROM label ORDER BY id")
    assert found == [("Ana", "fox", 0.5), ("us", "elk", 1.0)]


def test_timelapse_by_its_own_columns(index: Index, indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "timelapse.csv").write_text(
        "File,RelativePath,DateTime,DeleteFlag,Species\n"
        "0.jpg,cam0,2026-04-01 03:49:17,false,Fox\n1.jpg,cam1,2026-04-01 03:49:17,false,\n"
    )
    assert index.import_labels(tmp_path / "timelapse.csv").labels == 1
    assert labels(indexed) == [("cam0/0.jpg", "Fox", None, None)]


def exported(index: Index, *images: str, **options: Any) -> dict[str, Any]:
    """Return what is exported of images, all by default, with its images by their paths."""
    output = io.BytesIO()
    sample = [one for one in index.select(99) if one.relative_path in images] if images else None
    index.export_labels(output, sample, **options)
    content: dict[str, Any] = json.loads(output.getvalue())
    content["images"] = {image.pop("file"): image for image in content["images"]}
    return content


def as_indexed(form: str) -> dict[str, Any]:
    """Return a file of results with its images by their paths in the index."""
    content: dict[str, Any] = json.loads((RESULTS / f"{form}.json").read_text())
    content["images"] = {
        "/".join(image.pop("file").replace("\\", "/").split("/")[-2:]): image
        for image in content["images"]
    }
    return content


@pytest.mark.parametrize("form", FORMS)
def test_results_are_written_as_they_were(
    index: Index, indexed: Path, tmp_path: Path, form: str
) -> None:
    index.import_labels(RESULTS / f"{form}.json", source="first")
    assert exported(index) == as_indexed(form)
    with (tmp_path / "again.json").open("wb") as output:
        index.export_labels(output)
    said = labels(indexed)
    index.drop_labels("first")
    index.import_labels(tmp_path / "again.json", source="first")
    assert {*labels(indexed)} == {*said}
    assert exported(index) == as_indexed(form)


def test_results_survive_a_renamed_folder(index: Index, indexed: Path) -> None:
    index.import_labels(RESULTS / "speciesnet.json")
    with connected(indexed) as connection:
        connection.execute("UPDATE image SET path = 'north/' || path WHERE path LIKE 'cam1/%'")
    images = as_indexed("speciesnet")["images"]
    moved = {path if "cam0" in path else f"north/{path}": image for path, image in images.items()}
    assert exported(index)["images"] == moved


def test_a_sample_is_written_with_its_results_alone(index: Index, indexed: Path) -> None:
    index.import_labels(RESULTS / "speciesnet.json")
    some = exported(index, "cam0/0.jpg", "cam1/7.jpg")
    every = as_indexed("speciesnet")
    assert some == {**every, "images": {"cam0/0.jpg": every["images"]["cam0/0.jpg"]}}


def test_labels_of_people_are_categories_of_their_own(
    index: Index, indexed: Path, tmp_path: Path
) -> None:
    (tmp_path / "hand.csv").write_text(
        "path,label,confidence\ncam0/0.jpg,dog,\ncam0/2.jpg,empty,\ncam1/1.jpg,animal,0.5\n"
    )
    index.import_labels(tmp_path / "hand.csv")
    assert exported(index)["images"] == {
        "cam0/0.jpg": {"detections": [{"category": "2", "conf": 1.0, "bbox": [0, 0, 1, 1]}]},
        "cam0/2.jpg": {"detections": []},
        "cam1/1.jpg": {"detections": [{"category": "1", "conf": 0.5, "bbox": [0, 0, 1, 1]}]},
    }
    index.import_labels(RESULTS / "speciesnet.json")
    content = exported(index)
    assert content["detection_categories"] == {
        "1": "animal", "2": "human", "3": "vehicle", "4": "dog",
    }  # fmt: skip
    seen = content["images"]["cam0/0.jpg"]["detections"]
    assert [one["category"] for one in seen] == ["1", "1", "4"]
    assert exported(index, source="speciesnet.json") == as_indexed("speciesnet")
    with pytest.raises(SampleError, match=r"no labels are from 'sn'; there are those of: hand.csv"):
        exported(index, source=["hand.csv", "sn"])


def test_two_sources_with_other_numbers_are_written_as_one(index: Index, indexed: Path) -> None:
    for form in ("speciesnet", "addaxai"):
        index.import_labels(RESULTS / f"{form}.json")
    content = exported(index)
    seen = content["images"]["cam0/0.jpg"]["detections"]
    species = [
        content["classification_categories"][one["classifications"][0][0]]
        for one in seen
        if "classifications" in one
    ]
    assert sorted(species) == ["leopard", "red fox"]
    assert content["images"]["cam1/3.jpg"]["detections"] is None


def test_an_index_without_labels_says_so(index: Index, indexed: Path) -> None:
    with pytest.raises(SampleError, match="the index has no labels; read some with: sdin"):
        exported(index)


def test_images_of_several_archives_are_written_with_absolute_paths(
    index: Index, db: Path, tmp_path: Path
) -> None:
    write_index(db, {"/data/a": {"1.jpg": 1}, "/data/b": {"1.jpg": 1}})
    (tmp_path / "labels.csv").write_text("path,label\n/data/a/1.jpg,fox\n/data/b/1.jpg,elk\n")
    index.import_labels(tmp_path / "labels.csv")
    assert list(exported(index)["images"]) == ["/data/a/1.jpg", "/data/b/1.jpg"]
    assert list(exported(index, relative=True)["images"]) == ["a/1.jpg", "b/1.jpg"]


def test_labels_are_exported_by_the_command_line(
    indexed: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.import_labels(RESULTS / "speciesnet.json")
    runner = CliRunner()
    every = runner.invoke(cli, ["--db", str(indexed), "labels", "export"])
    assert every.exit_code == 0
    assert len(json.loads(every.stdout)["images"]) == 6
    assert every.stderr == "6 images written with what is said by speciesnet.json\n"
    select = ["--db", str(indexed), "select", "-n", "8", "--format", "megadetector-results"]
    some = runner.invoke(cli, select)
    assert json.loads(some.stdout)["images"] == json.loads(every.stdout)["images"]
    assert some.stderr.endswith("speciesnet.json; 2 have no labels, and are left out\n")


def test_samples_by_rank_source_and_confidence(index: Index, indexed: Path) -> None:
    index.import_labels(RESULTS / "speciesnet.json", source="sn")

    def drawn(**options: Any) -> list[str]:
        return [image.relative_path for image in index.select(9, **options)]

    assert drawn(label="family:canidae") == ["cam0/0.jpg", "cam0/2.jpg"]
    assert drawn(label="genus:Canis") == ["cam0/2.jpg"]
    assert drawn(label="family:canidae", min_confidence=0.9) == ["cam0/0.jpg"]
    assert len(drawn(not_label="class:mammalia")) == 5
    index.import_labels(RESULTS / "addaxai.json", source="addax")
    assert drawn(label="class:mammalia", source="addax") == ["cam0/0.jpg"]
    with pytest.raises(SampleError, match="no label is of the family 'x'; those of this index: ca"):
        drawn(label="family:x")
    with pytest.raises(SampleError, match="no labels are from 'x'; there are those of: addax, sn"):
        drawn(label="animal", source="x")
    with pytest.raises(SampleError, match="no label of this index has a phylum: import results"):
        drawn(label="phylum:x")


def test_a_sample_shows_the_labels_of_the_sources_asked_for(index: Index, indexed: Path) -> None:
    for form in ("speciesnet", "addaxai"):
        index.import_labels(RESULTS / f"{form}.json", source=form)

    def shown(**options: Any) -> dict[str, Any]:
        drawn = index.select(9, under="cam0", **options)
        return {image.relative_path: (image.labels, len(image.boxes)) for image in drawn}

    assert shown()["cam0/0.jpg"] == (("leopard", "red fox"), 2)
    assert shown(source="addaxai")["cam0/0.jpg"] == (("leopard",), 1)
    assert shown(source="addaxai")["cam0/4.jpg"] == ((), 0)
    assert shown(min_confidence=0.93)["cam0/0.jpg"] == (("leopard",), 1)
    assert shown(min_confidence=1)["cam0/6.jpg"] == (("empty",), 0)
    select = ["--db", str(indexed), "select", "-n", "9", "--source", "addaxai", "--format"]
    for name in ("csv", "json", "coco"):
        written = CliRunner().invoke(cli, [*select, name]).stdout
        assert "leopard" in written
        assert "red fox" not in written
