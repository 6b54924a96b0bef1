"""What a program wrote into results beside what the format knows comes back as it was."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from sdindex import Index
from sdindex.exchange import label_files
from tests.support.indexes import write_index

PATHS = ["cam0/0.jpg", "cam0/1.jpg"]
CATEGORIES = {"1": "animal"}
EXTRA = {'a "name"': [1, {"ö": None}], "run": {"host": "x", "images": [2.5]}, "empty": "", "n": 0}


@pytest.fixture
def indexed(db: Path) -> Path:
    write_index(db, {"/data/archive": dict.fromkeys(PATHS, 1)})
    return db


def results(file: Path, before: dict[str, Any], after: dict[str, Any], at: int = 0) -> Path:
    image = {"file": PATHS[at], "detections": [{"category": "1", "conf": 0.9}]}
    content = {**before, "detection_categories": CATEGORIES, "images": [image], **after}
    file.write_text(json.dumps(content))
    return file


def exported(index: Index, source: str) -> dict[str, Any]:
    output = io.BytesIO()
    index.export_labels(output, source=source)
    content: dict[str, Any] = json.loads(output.getvalue())
    del content["images"], content["detection_categories"]
    return content


def test_it_comes_back_wherever_it_stood(index: Index, indexed: Path, tmp_path: Path) -> None:
    (first, one), *others = EXTRA.items()
    info = {"info": {"detector": "md"}}
    file = results(tmp_path / "md.json", {first: one, **info}, dict(others))
    index.import_labels(file, source="md")
    assert exported(index, "md") == {**info, **EXTRA}
    again = results(tmp_path / "md.json", {"run": "anew"}, {"more": True}, at=1)
    index.import_labels(again, source="md")
    assert exported(index, "md") == {**info, **EXTRA, "run": "anew", "more": True}


def test_what_is_long_is_left_out_with_a_word(
    index: Index,
    indexed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(label_files, "_MOST", 100)
    long = {"log": ["x" * 40] * 3, "map": {str(number): number for number in range(40)}}
    index.import_labels(results(tmp_path / "md.json", {**long, "a": 1}, {"b": 2}), source="md")
    assert exported(index, "md") == {"info": {}, "a": 1, "b": 2}
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.endswith("a million characters are: log, map")
