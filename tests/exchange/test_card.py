"""The card of a sample, and that the sample is drawn and split again by what stands on it."""

import json
import shlex
from pathlib import Path

import pytest

from sdindex import Index, SampleError
from tests.support.commands import run
from tests.support.indexes import write_index


@pytest.fixture
def training(db: Path, index: Index, tmp_path: Path) -> Index:
    paths = [f"s/c{camera}/{n}.jpg" for camera in range(6) for n in range(20)]
    write_index(db, {"/data/a|b": {path: at * 2654435761 << 24 for at, path in enumerate(paths)}})
    lines = [f"{path},fox" for path in paths[::2]]
    (tmp_path / "l.csv").write_text("\n".join(["path,label", *lines]))
    index.import_labels(tmp_path / "l.csv", source="hand")
    index.set_camera_pattern(r"s/(c\d+)/")
    index.select(60, save="training", balance=["camera", "label"], order="even")
    return index


def again(training: Index, db: Path, *, kept: str) -> None:
    """Forget the sample, and do what its card says."""
    card = training.card(kept)
    commands = json.loads(card.to_json())["commands"]
    before = training.sample(kept)
    training.drop_sample(kept)
    for command in commands:
        done = run(*shlex.split(command)[1:], db=db)
        assert done.exit_code == 0, done.output
    assert training.sample(kept) == before
    assert training.card(kept).paths_sha256 == card.paths_sha256


def test_a_sample_is_drawn_again_by_its_card(training: Index, db: Path) -> None:
    again(training, db, kept="training")


def test_a_split_is_made_again_by_the_card(training: Index, db: Path) -> None:
    training.split("training", {"train": 62.5, "val": 37.5}, by="event", within=3)
    assert {image.split for image in training.sample("training")} == {"train", "val"}
    again(training, db, kept="training")


def test_options_of_every_kind_are_drawn_again(training: Index, db: Path) -> None:
    training.select(
        9, save="it's", labels="fox", under="s", bits=3, order=[3, 9, 27], where="width > 1"
    )
    again(training, db, kept="it's")
    training.select(9, save="more", extend="it's", unit="burst", burst_seconds=5, sources="hand")
    again(training, db, kept="more")


def test_commands_are_quoted_for_the_system(
    training: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.select(9, save="a b", labels="fox")
    training.split("a b", {"train": 50, "val": 50})
    card = training.card("a b")
    with monkeypatch.context() as windows:
        windows.setattr("sys.platform", "win32")
        drawn, split = card.commands
    assert drawn == 'sdindex select -n 9 --label fox --save "a b"'
    assert split == 'sdindex samples split "a b" --into train=50,val=50 --by camera'


def test_a_card_is_markdown_and_json(training: Index, db: Path, tmp_path: Path) -> None:
    training.split("training", {"train": 50, "val": 50})
    done = run("samples", "card", "training", "-o", tmp_path / "card.md", db=db)
    assert (done.exit_code, done.output) == (0, "")
    text = (tmp_path / "card.md").read_text()
    assert text.startswith("# Sample: training\n\n60 images, 60 asked for, drawn from 120 on 20")
    lines = text.splitlines()
    for line in ("| /data/a\\|b | 60 |", "6 cameras; no times known.", "| hand | fox | 30 |"):
        assert line in lines
    assert {"| balance | camera, label |", "| train | 30 |"} <= {*lines}
    said = json.loads(run("samples", "card", "training", "--format", "json", db=db).stdout)
    assert said["split"]["parts"] == {"train": 30, "val": 30}
    assert said["labels"] == {"hand": {"fox": 30}}
    assert {each["measure"] for each in said["quality"]} >= {"cameras", "labels"}
    with pytest.raises(SampleError, match="there is no saved sample 'x'"):
        training.card("x")
