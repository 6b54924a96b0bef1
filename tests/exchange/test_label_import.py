"""Labels of a file in the index: each once, counted as stored, in place of what was said before."""

import csv
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex import Index
from sdindex.errors import LabelFileError, SampleError
from sdindex.exchange import label_import
from sdindex.progress import counter
from sdindex.store import labels
from sdindex.store.database import Store
from sdindex.store.tables import image
from tests.support.examples import examples
from tests.support.indexes import image_row, write_index
from tests.support.straight import connected, with_marks

PATHS = [f"cam{number % 2}/{number}.jpg" for number in range(8)]
Row = tuple[str, str, str]  # path, label, confidence


@pytest.fixture
def indexed(db: Path) -> Path:
    write_index(db, {"/data/archive": dict.fromkeys(PATHS, 1)})
    return db


def written(file: Path, rows: Iterable[Row]) -> Path:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label", "confidence"), *rows])
    return file


def stored(db: Path, source: str) -> dict[tuple[str, str], float | None]:
    query = (
        "SELECT path, label, confidence FROM label JOIN image ON image.id = image_id "
        "WHERE source = ? ORDER BY label.id"
    )
    with connected(db) as connection:
        rows = connection.execute(with_marks(db, query), (source,)).fetchall()
    assert len({row[:2] for row in rows}) == len(rows)
    return {(path, name): confidence for path, name, confidence in rows}


def by_the_rule(rows: Iterable[Row]) -> dict[tuple[str, str], float | None]:
    """What should be stored of rows in a plain reading: each label once, the surest."""
    surest: dict[tuple[str, str], float | None] = {}
    for path, name, confidence in rows:
        if path in PATHS and name:
            number = float(confidence) if confidence else None
            known = surest.get((path, name), -1.0)
            better = known is not None and (number is None or number > known)
            surest[path, name] = number if better else known
    return surest


row = st.tuples(
    st.sampled_from([*PATHS, "cam9/1.jpg"]),
    st.sampled_from(["fox", "deer", ""]),
    st.sampled_from(["", "0", "0.5", "1"]),
)


@settings(max_examples=examples(12))
@given(st.lists(row, max_size=30), st.lists(row, min_size=1, max_size=30), st.integers(1, 7))
def test_what_is_counted_is_what_is_stored(
    tmp_path_factory: pytest.TempPathFactory, first: list[Row], second: list[Row], chunk: int
) -> None:
    folder = tmp_path_factory.mktemp("labels")
    db = folder / "sdindex.db"
    write_index(db, {"/data/archive": dict.fromkeys(PATHS, 1)})
    first, second = [(PATHS[0], "hare", "0.1"), *first], [(PATHS[1], "", ""), *second]
    with pytest.MonkeyPatch.context() as patch, Index(db) as index:
        patch.setattr(label_import, "PARAMETERS", chunk)
        patch.setattr(labels, "PARAMETERS", chunk)
        for rows in (first, second):
            index.import_labels(written(folder / "other.csv", rows), source="other")
        for rows in (first, second):
            done = index.import_labels(written(folder / "labels.csv", rows), source="ours")
            expected = by_the_rule(rows)
            assert done.labels == len(expected)
            assert done.images == len({path for path, _ in expected})
        named = {path for path, _, _ in second}
        kept = {key: said for key, said in by_the_rule(first).items() if key[0] not in named}
        assert stored(db, "ours") == stored(db, "other") == kept | by_the_rule(second)


def test_a_label_that_is_said_twice_is_one(index: Index, indexed: Path, tmp_path: Path) -> None:
    rows = [(PATHS[0], "fox", "0.2"), (PATHS[1], "fox", ""), (PATHS[0], "fox", "0.9")]
    done = index.import_labels(written(tmp_path / "labels.csv", rows))
    assert str(done) == "2 images labelled: 2 labels from labels.csv"
    assert stored(indexed, "labels.csv") == {(PATHS[0], "fox"): 0.9, (PATHS[1], "fox"): None}


def test_an_image_that_came_while_labels_were_read_is_labelled(indexed: Path) -> None:
    said = labels.Said(1000, "fox", 0.5)
    with Store(indexed).writing() as session:
        writer = labels.LabelWriter(session)
        session.execute(image.insert(), {**image_row(1, "new.jpg", 1, "scaled-1"), "id": 1000})
        writer.replace("ours", [1], [said._replace(image_id=1)])
        writer.replace("ours", [1000], [said])
        writer.replace("ours", [1000, 2], [said, said._replace(image_id=2)])
        assert writer.finish() == labels.Stored(images=3, labels=3, failures=0)
        session.commit()
    assert stored(indexed, "ours") == {(path, "fox"): 0.5 for path in (*PATHS[:2], "new.jpg")}


def test_paths_that_match_nothing_or_several_are_counted_once(
    index: Index, db: Path, tmp_path: Path
) -> None:
    write_index(db, {"/data/a": {"1.jpg": 1, "2.jpg": 1}, "/data/b": {"1.jpg": 1}})
    rows = [(path, name, "") for path in ("1.jpg", "2.jpg", "no.jpg") for name in ("fox", "deer")]
    done = index.import_labels(written(tmp_path / "labels.csv", rows))
    assert (done.images, done.labels, done.unmatched, done.ambiguous) == (1, 2, 1, 1)
    assert str(done).endswith("; 1 paths match no image of the index, 1 several (such as 1.jpg)")


@pytest.mark.parametrize("confidence", ["nan", "inf", "-inf", "1.001", "-0.001", "much"])
def test_a_confidence_that_is_none_stores_nothing(
    index: Index, indexed: Path, tmp_path: Path, confidence: str
) -> None:
    rows = [(path, "fox", "0.5") for path in PATHS] + [(PATHS[0], "deer", confidence)]
    with pytest.raises(LabelFileError, match=r"line 10: expected .* a number from 0 to 1; all in"):
        index.import_labels(written(tmp_path / "labels.csv", rows))
    assert stored(indexed, "labels.csv") == {}


def test_paths_are_no_labels(index: Index, indexed: Path, tmp_path: Path) -> None:
    rows = [(path, path, "") for path in PATHS]
    file = written(tmp_path / "labels.csv", rows)
    with pytest.raises(LabelFileError, match=r"line 2: cam0/0.jpg is the name of an image, no lab"):
        index.import_labels(file)
    with pytest.raises(LabelFileError, match="has paths in its column path, not labels; name ano"):
        index.import_labels(file, column="path")
    assert stored(indexed, "labels.csv") == {}


@pytest.mark.parametrize(
    "content", ['{"images": [], "detection_categories": {"1": "animal"}}', "path,label\n"]
)
def test_a_file_without_images_is_told(
    index: Index, indexed: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "labels").write_text(content)
    with pytest.raises(SampleError, match="labels has no image in it"):
        index.import_labels(tmp_path / "labels")


def test_a_file_of_other_images_stores_nothing(index: Index, indexed: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "labels.csv", [("x/9.jpg", "fox", ""), ("y/9.jpg", "fox", "")])
    with pytest.raises(SampleError, match=r"none of the paths in .*labels.csv is of .* x/9.jpg\)"):
        index.import_labels(file)


def test_what_was_said_of_pictures_is_counted(index: Index, indexed: Path, tmp_path: Path) -> None:
    index.import_labels(written(tmp_path / "labels.csv", [(PATHS[0], "fox", "")] * 2))
    index.import_labels(written(tmp_path / "more.csv", [(PATHS[0], "deer", "")]))
    index.select(8, save="all")
    index.select(3, save="few")
    with index._store.reading() as session:
        assert labels.with_labels_or_samples(session, range(1, 99)) == (1, 8)
        assert labels.with_labels_or_samples(session, []) == (0, 0)


def test_a_source_that_is_given_counts_for_whoever_the_file_names(
    index: Index, indexed: Path
) -> None:
    package = Path(__file__).parent / "results" / "observations.csv"
    done = index.import_labels(package, source="ours")
    assert done.source == "ours, ours (machine)"
    said = [one for image in index.select(8) for one in image.said]
    assert sorted((one.source, one.label, one.is_human) for one in said) == [
        ("ours", "Homo sapiens", True),
        ("ours", "Vulpes vulpes", True),
        ("ours", "empty", True),
        ("ours (machine)", "Vulpes vulpes", False),
    ]
    column = index.import_labels(package, source="ours", source_column="classifiedBy")
    assert column.source == "Ana, MegaDetector V5a, ours"


def test_a_long_import_counts_its_images(
    index: Index,
    db: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_index(db, {"/data/archive": dict.fromkeys(("a.jpg", "b.jpg"), 1)})
    table = tmp_path / "labels.csv"
    table.write_text("path,label\na.jpg,fox\nb.jpg,owl\n")
    at_once = partial(counter, "importing", "images", delay=0)
    monkeypatch.setattr(
        "sdindex.exchange.label_import.counter", lambda *_, show, **__: at_once(show=show)
    )
    index.import_labels(table)
    assert capsys.readouterr().err == ""
    index.import_labels(table, progress=True)
    assert "importing: 2 images" in capsys.readouterr().err
