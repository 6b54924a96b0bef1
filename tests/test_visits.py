"""On archives made for it: each visit is a burst of its own, and a sample shows its animal."""

import csv
from concurrent.futures import Executor
from pathlib import Path

import pytest

from sdindex import Index
from tests.test_scripts import make

SMALL = ("--empty", "0", "--broken", "0", "--width", "112", "--height", "84")
KINDS = {
    # Still scenes for weeks, a picture each hour, and one visit a day.
    "timer": ("--timer", "--days", "14", "--bursts", "1", "--cameras", "2"),
    # From the later images of each burst the animal has gone.
    "trigger": ("--trigger", "--burst-size", "6", "--days", "2", "--cameras", "3"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_as_many_as_there_are_visits_shows_nine_of_ten(
    tmp_path: Path, threads: Executor, kind: str
) -> None:
    archive = make(tmp_path / kind, *SMALL, *KINDS[kind])
    with (archive / "labels.csv").open(encoding="utf-8") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    visits = {row["sequence"] for row in rows.values() if row["label"] != "empty"}
    with Index(tmp_path / "sdindex.db") as index:
        index.update(archive, executor=threads)
        bursts: dict[str | None, set[str]] = {}
        for one in index.select(len(rows), with_bursts=True):
            bursts.setdefault(one.burst, set()).add(rows[one.relative_path]["sequence"])
        assert max(map(len, bursts.values())) == 1, "no burst is of two visits"
        shown = {
            row["sequence"]
            for one in index.select(len(visits), purpose="labelling")
            if (row := rows[one.relative_path])["label"] != "empty"
        }
    assert len(shown) >= 0.9 * len(visits)
    assert len(visits) == {"timer": 28, "trigger": 48}[kind]
