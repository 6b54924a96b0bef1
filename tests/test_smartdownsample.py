"""Beside the real smartdownsample 1.1.1."""

import inspect
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

import sdindex
from sdindex import SampleError, UsageError
from tests.conftest import make_image

peer = pytest.importorskip("smartdownsample")
FUNCTIONS = [
    "sample_diverse",
    "sample_diverse_with_stats",
    "plot_bucket_distribution",
    "plot_hash_similarity_scatter",
]


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    return [str(make_image(tmp_path / f"cam{n % 3}" / f"IMG_{n}.jpg", n)) for n in range(60)]


@pytest.fixture(autouse=True)
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go.Figure, "show", lambda _: None)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_parameters_and_defaults_are_the_same(name: str) -> None:
    theirs = inspect.signature(getattr(peer, name)).parameters
    ours = inspect.signature(getattr(sdindex, name)).parameters
    by_position = [p for p in ours.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert [(p.name, p.default, p.kind) for p in by_position] == [
        (p.name, p.default, p.kind) for p in theirs.values()
    ]


@pytest.mark.parametrize("hash_size", [2, 8, 16])
def test_what_is_returned_has_the_same_shape(images: list[str], hash_size: int) -> None:
    options: dict[str, Any] = {"hash_size": hash_size, "show_progress": False}
    theirs, their_data = peer.sample_diverse_with_stats(images, 20, **options)
    ours, our_data = sdindex.sample_diverse_with_stats(images, 20, **options)
    assert len(theirs) == len(ours) == 20
    assert list(our_data) == list(their_data)
    for key, value in their_data.items():
        assert type(our_data[key]) is type(value), key
        assert len(our_data[key]) == len(value), key
    sizes = [one["original_size"] for one in their_data["bucket_stats"]]
    assert [one["original_size"] for one in our_data["bucket_stats"]] == sizes
    assert [list(one) for one in our_data["bucket_stats"]] == [
        list(one) for one in their_data["bucket_stats"]
    ]
    by_path = dict(zip(their_data["all_paths"], their_data["hash_arrays"], strict=True))
    for path, bits in zip(our_data["all_paths"], our_data["hash_arrays"], strict=True):
        np.testing.assert_array_equal(bits, by_path[path])


def test_the_parts_agree_with_each_other(images: list[str]) -> None:
    selected, data = sdindex.sample_diverse_with_stats(images, 20, show_progress=False)
    assert selected == [data["all_paths"][place] for place in data["selected_indices"]]
    for rank, one in enumerate(data["bucket_stats"]):
        places = [p for p, bucket in enumerate(data["bucket_assignments"]) if bucket == rank]
        assert len(places) == one["original_size"] == one["kept"] + one["excluded"]
        assert len(set(places) & set(data["selected_indices"])) == one["kept"]


def test_the_rule_is_the_documented_one(images: list[str]) -> None:
    kept = [
        one["kept"]
        for one in sdindex.sample_diverse_with_stats(images, 20, show_progress=False)[1][
            "bucket_stats"
        ]
    ]
    theirs = [
        one["kept"]
        for one in peer.sample_diverse_with_stats(images, 20, show_progress=False)[1][
            "bucket_stats"
        ]
    ]
    assert min(kept) > 0
    assert min(theirs) == 0, "1.1.1 drops the small ones"


@pytest.mark.parametrize("count", [-1, 0, 1, 59, 60, 61])
def test_every_count(images: list[str], count: int) -> None:
    sample = sdindex.sample_diverse(images, count, show_progress=False)
    assert len(sample) == max(0, min(count, 60))
    assert set(sample) <= set(images)


def test_broken_images_are_left_out_and_said(images: list[str], tmp_path: Path, db: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    given = [*images, str(broken), str(tmp_path / "absent.jpg"), images[0]]
    assert str(broken) in peer.sample_diverse(given, 100, show_progress=False)
    for index in (None, db):
        with pytest.warns(UserWarning, match="2 of 62 images could not be read") as warned:
            sample = sdindex.sample_diverse(given, 100, show_progress=False, index=index)
        assert [one.filename for one in warned] == [__file__], "it is the caller's"
        assert sorted(sample) == sorted(images)


def test_with_an_index_the_second_call_reads_nothing(
    images: list[str], db: Path, tmp_path: Path, opened: list[str]
) -> None:
    opened.clear()
    without = sdindex.sample_diverse(images, 20, show_progress=False)
    assert sorted(opened) == sorted(images)
    opened.clear()
    options: dict[str, Any] = {"index": db, "show_progress": False}
    first = sdindex.sample_diverse(images, 20, **options)
    assert sorted(opened) == sorted(images)
    opened.clear()
    assert sdindex.sample_diverse(images, 20, **options) == first == without
    assert len(sdindex.sample_diverse(images, 30, **options)) == 30
    assert opened == []
    more = [*images, str(make_image(tmp_path / "elsewhere/new.jpg", 500))]
    opened.clear()
    assert len(sdindex.sample_diverse(more, 61, **options)) == 61
    assert opened == more[-1:]


def test_an_index_made_by_the_command_line_serves(
    images: list[str], db: Path, tmp_path: Path, opened: list[str]
) -> None:
    with sdindex.Index(db) as index:
        index.update(tmp_path)
    opened.clear()
    sample = sdindex.sample_diverse(images, 20, show_progress=False, index=db)
    assert len(sample) == 20
    assert opened == []


def test_an_index_holds_hashes_of_one_size(images: list[str], db: Path) -> None:
    with pytest.raises(SampleError, match="hash_size 8"):
        sdindex.sample_diverse(images, 5, hash_size=16, index=db)


def test_progress_is_on_stderr_and_can_be_switched_off(
    images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    sdindex.sample_diverse(images, 20)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "60/60" in shown.err
    sdindex.sample_diverse(images, 20, show_progress=False)
    assert capsys.readouterr().err == ""


def test_a_plot_is_written_as_html(images: list[str], tmp_path: Path) -> None:
    _, data = sdindex.sample_diverse_with_stats(images, 20, show_progress=False)
    bars, scatter = tmp_path / "buckets.html", tmp_path / "scatter.html"
    sdindex.plot_bucket_distribution(data["bucket_stats"], save_path=bars)
    figure = sdindex.plot_hash_similarity_scatter(data, title="<b>", save_path=scatter)
    assert sum(len(trace.x) for trace in figure.data) == 60
    assert figure.layout.title.text == "&lt;b&gt;"
    for file in (bars, scatter):
        assert "Plotly.newPlot" in file.read_text(encoding="utf-8")
    sdindex.plot_bucket_distribution([])


def test_a_plot_is_not_written_through_a_link(images: list[str], tmp_path: Path) -> None:
    _, data = sdindex.sample_diverse_with_stats(images, 20, show_progress=False)
    (tmp_path / "of worth").write_bytes(b"of worth")
    (tmp_path / "plot.html").symlink_to(tmp_path / "of worth")
    with pytest.raises(
        sdindex.OutputError, match=r"plot.html is a link to .*; name the file itself"
    ):
        sdindex.plot_bucket_distribution(data["bucket_stats"], save_path=tmp_path / "plot.html")
    assert (tmp_path / "of worth").read_bytes() == b"of worth"


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_a_picture_needs_no_browser(
    images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    _, data = sdindex.sample_diverse_with_stats(images, 20, show_progress=False)
    for name in ("kaleido", "matplotlib.pyplot"):  # what would need one, or choose a window
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("PATH", "")
    bars, scatter = tmp_path / f"new/b{ending}", tmp_path / f"s{ending}"
    sdindex.plot_bucket_distribution(data["bucket_stats"], "$a_b$ <x>", save_path=str(bars))
    sdindex.plot_hash_similarity_scatter(data, save_path=scatter, show_browser=False)
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    for file in (bars, scatter):
        assert file.read_bytes().startswith(starts[ending])
    if ending == ".png":
        with Image.open(bars) as picture:
            assert picture.size == (1200, 600)
    with pytest.raises(UsageError, match=r"save_path must end in \.html, \.png"):
        sdindex.plot_bucket_distribution(data["bucket_stats"], save_path=tmp_path / "b.doc")


def test_nothing_can_be_plotted() -> None:
    for given, count in (([], 5), (["a.jpg"], 0)):
        _, data = sdindex.sample_diverse_with_stats(given, count, show_progress=False)
        figure = sdindex.plot_hash_similarity_scatter(data, show_browser=False)
        assert isinstance(figure, go.Figure)


def test_no_browser_is_a_warning(images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: object) -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(go.Figure, "show", nowhere)
    _, data = sdindex.sample_diverse_with_stats(images, 20, show_progress=False)
    with pytest.warns(UserWarning, match="no browser"):
        sdindex.plot_hash_similarity_scatter(data)


# The examples of smartdownsample's README, with the import changed, and an index where it helps.
EXAMPLES = """
from sdindex import sample_diverse
my_24k_images = images
selected = sample_diverse(
    image_paths=my_24k_images,
    target_count=100{index}
)
selected = sample_diverse(
    image_paths=my_24k_images,
    target_count=23000{index}
)
print(f"Sampled {{len(selected)}} diverse images")

from sdindex import sample_diverse_with_stats
from sdindex import plot_bucket_distribution, plot_hash_similarity_scatter
my_images = images
selected, viz_data = sample_diverse_with_stats(my_images, target_count=1000{index})
plot_bucket_distribution(viz_data['bucket_stats'], save_path="buckets.html")
plot_hash_similarity_scatter(viz_data, save_path="scatter.html")
"""


@pytest.mark.parametrize("index", ["", ", index={name!r}"])
def test_the_readmes_examples_run_with_the_import_changed(
    images: list[str], db: Path, tmp_path: Path, index: str
) -> None:
    opens = (
        "import sys\nread = []\nsys.addaudithook(lambda event, given: event == 'open' and given[1] "
        "and str(given[0]).endswith('.jpg') and read.append(given[0]))\n"
        "import plotly.graph_objects as go\ngo.Figure.show = lambda self: None\n"
    )
    script = tmp_path / "example.py"
    examples = EXAMPLES.format(index=index.format(name=str(db)))
    script.write_text(f"{opens}images = {images!r}\n{examples}\nprint(len(read), 'read')\n")
    shown = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        shown.append(done.stdout.splitlines())
    assert shown[0][0] == shown[1][0] == "Sampled 60 diverse images"
    assert (tmp_path / "scatter.html").exists()
    if index:
        assert [lines[-1] for lines in shown] == ["60 read", "0 read"]
