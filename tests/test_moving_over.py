"""What programs written for smartdownsample 1.9.2 and 2.0.6 ask for."""

import inspect
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from PIL import Image

import sdindex
from sdindex import SampleError, UsageError
from tests.conftest import make_image

# Of the function that both have, as their wheels define it.
LATER: dict[str, Any] = {
    "image_paths": inspect.Parameter.empty,
    "target_count": inspect.Parameter.empty,
    "n_workers": None,
    "show_progress": True,
    "show_summary": True,
    "save_distribution": None,
    "save_thumbnails": None,
    "image_loading_errors": "raise",
    "return_indices": False,
}
VERSIONS: dict[str, dict[str, Any]] = {
    "1.9.2": {"hash_size": 8},
    "2.0.6": {"distance_threshold": 0.5},
}
# How many images the examples of their READMEs ask for: of a list that is longer here in none.
READMES = {"1.1.1": (100, 23000), "1.9.2": (50000,), "2.0.6": (50000,)}
# Why a version is not in the tests' own environment, which has one of them.
ELSEWHERE = {
    "1.1.1": "another smartdownsample is installed here",
    "1.9.2": "another smartdownsample is installed here; 1.9.2 takes the place of 1.1.1",
    "2.0.6": "2.0.6 wants torch (6 GB of disk), and loads its network, DINOv2, from the web",
}


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    return [str(make_image(tmp_path / f"cam{n % 3}" / f"IMG_{n}.jpg", n)) for n in range(40)]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_keyword_is_taken(version: str, images: list[str], tmp_path: Path) -> None:
    given = {**LATER, **VERSIONS[version], "image_paths": images, "target_count": 12}
    given |= {"save_distribution": tmp_path / "a/d.png", "save_thumbnails": tmp_path / "a/t.png"}
    assert given.keys() <= inspect.signature(sdindex.sample_diverse).parameters.keys()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        selected = sdindex.sample_diverse(**given)
    assert len(selected) == 12
    told = [str(each.message) for each in said]
    assert len(told) == (version == "2.0.6")
    assert all("distance_threshold has no meaning here" in each for each in told)
    assert {each.filename for each in said} <= {__file__}, "it is the caller's"


@pytest.mark.parametrize("version", READMES)
def test_the_readmes_example(version: str, images: list[str]) -> None:
    for target_count in READMES[version]:
        selected = sdindex.sample_diverse(image_paths=images, target_count=target_count)
        assert sorted(selected) == sorted(images)


@pytest.mark.parametrize("version", READMES)
def test_the_readmes_example_beside_the_real_one(version: str, images: list[str]) -> None:
    peer = pytest.importorskip("smartdownsample")
    if metadata.version("smartdownsample") != version:
        pytest.skip(ELSEWHERE[version])
    for target_count in READMES[version]:
        asked: dict[str, Any] = {"image_paths": images, "target_count": target_count}
        ours, theirs = sdindex.sample_diverse(**asked), peer.sample_diverse(**asked)
        assert sorted(ours) == sorted(map(str, theirs))
        assert all(isinstance(path, str) for path in theirs)


def test_by_position_too(images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    usual = sdindex.sample_diverse(images, 12, show_progress=False)
    assert sdindex.sample_diverse(images, 12, 8, None, False, False) == usual  # 1.9.2
    assert capsys.readouterr().out == ""
    later: list[Any] = [0.5, 4, False, True]  # 2.0.6
    with pytest.warns(UserWarning, match="distance_threshold"):
        assert sdindex.sample_diverse(images, 12, *later) == usual
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["Total images: 40", "Selected: 12 (30.0%)"]
    assert sum(int(line.split()[2]) for line in said[4:]) == 12


def test_indices_are_positions_in_the_list_that_was_given(images: list[str]) -> None:
    shuffled = [images[3], *images[::-1], images[3]]
    paths = sdindex.sample_diverse(shuffled, 12, show_progress=False)
    positions = sdindex.sample_diverse(shuffled, 12, show_progress=False, return_indices=True)
    assert [shuffled[at] for at in positions] == paths
    assert max(positions) <= len(images), "the first of two"


def test_what_cannot_be_read_is_skipped_or_raised(images: list[str], tmp_path: Path) -> None:
    given = [*images, str(tmp_path / "absent.jpg")]
    for index in (None, tmp_path / "x.db"):
        options: dict[str, Any] = {"show_progress": False, "index": index}
        with pytest.warns(UserWarning, match="1 of 41 images could not be read"):
            assert (
                len(sdindex.sample_diverse(given, 99, image_loading_errors="skip", **options)) == 40
            )
        with pytest.raises(SampleError, match=r"absent\.jpg'; image_loading_errors='skip'"):
            sdindex.sample_diverse(given, 99, image_loading_errors="raise", **options)
    with pytest.raises(UsageError, match="image_loading_errors must be one of skip, raise"):
        sdindex.sample_diverse(given, 9, image_loading_errors="ignore")


def test_the_chart_and_the_pictures(images: list[str], tmp_path: Path) -> None:
    asked: dict[str, Any] = {"save_thumbnails": tmp_path / "thumbs/t.png"}
    asked |= {"save_distribution": tmp_path / "d.PNG"}
    sdindex.sample_diverse(images, 12, show_progress=False, **asked)
    with Image.open(tmp_path / "thumbs/t.png") as page:
        assert page.width % 510 == 0
        assert page.height % 530 == 0
        assert len(page.getcolors(1 << 24) or ()) > 100
    assert (tmp_path / "d.PNG").read_bytes().startswith(b"\x89PNG")
    for name in ("save_thumbnails", "save_distribution"):
        with pytest.raises(UsageError, match=rf"{name} must be a path that ends in \.png"):
            sdindex.sample_diverse(images, 12, **dict[str, Any]({name: tmp_path / "a.jpg"}))
        with pytest.raises(UsageError, match=f"{name} must be a path"):
            sdindex.sample_diverse(images, 12, **dict[str, Any]({name: True}))


def test_nothing_is_left_to_the_browser(images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go.Figure, "show", lambda _: pytest.fail("a browser was opened"))
    sdindex.sample_diverse(images, 12, show_progress=False, show_summary=True)
