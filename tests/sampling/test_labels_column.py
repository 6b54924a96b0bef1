"""The labels of a frame: packed in blocks, and read with who says them and how surely."""

import pytest

from sdindex.sampling.blocks import labels_column
from sdindex.sampling.frame import Labelled, labelled, main_labels

SAID = {
    7: [("fox", 1.0, "Ana"), ("fox", 0.9, "sn"), ("elk", 0.25, "sn")],
    9: [("elk", 0.5, "md")],
}


@pytest.fixture
def labels() -> Labelled:
    """Return the labels of two blocks, the second one without, and a third."""
    blocks = [labels_column([6, 7, 8], SAID), labels_column([1, 2], {}), labels_column([9], SAID)]
    return labelled([(start, data) for start, data in zip((0, 3, 5), blocks, strict=True)])


def rows(labels: Labelled) -> list[tuple[int, str, float, str]]:
    return [
        (int(position), labels.names[number], float(confidence), labels.source_names[source])
        for position, number, confidence, source in zip(
            labels.positions, labels.numbers, labels.confidences, labels.sources, strict=True
        )
    ]


def test_what_is_packed_is_read(labels: Labelled) -> None:
    assert rows(labels) == [
        (1, "fox", 1.0, "Ana"),
        (1, "fox", 0.9, "sn"),
        (1, "elk", 0.25, "sn"),
        (5, "elk", 0.5, "md"),
    ]
    assert main_labels(labels, 6).tolist() == [-1, 0, -1, -1, -1, 1]


def test_labels_of_some_sources_and_sure_enough(labels: Labelled) -> None:
    assert rows(labels.said_by(["sn"], 0)) == [(1, "fox", 0.9, "sn"), (1, "elk", 0.25, "sn")]
    assert rows(labels.said_by([], 0.5)) == [
        (1, "fox", 1.0, "Ana"),
        (1, "fox", 0.9, "sn"),
        (5, "elk", 0.5, "md"),
    ]
    assert rows(labels.said_by(["md", "Ana"], 0.6)) == [(1, "fox", 1.0, "Ana")]
    assert rows(labels.said_by(["nobody"], 0)) == []
