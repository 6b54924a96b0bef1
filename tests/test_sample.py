"""A sample as Python has it: still a list, and a table, a sheet of pictures, a file, a review."""

import copy
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from sdindex import Index, OutputError, Sample, SampledImage, SdindexError, UsageError
from tests.conftest import make_image
from tests.pages.test_report import HOSTILE_NAMES, SLASH, posix
from tests.support.commands import run

NOT_TEXT = "caf\udce9 not text.jpg"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, db_in: Callable[..., Path]) -> Path:
    """Make an index of two cameras, some of the images with labels and boxes."""
    folder = tmp_path_factory.mktemp("sample")
    for seed in range(30):
        make_image(folder / "archive" / f"cam{seed % 2}" / f"IMG_{seed + 1}.JPG", seed, (64, 48))
    (folder / "labels.json").write_text(
        '{"images": [{"file": "cam0/IMG_1.JPG", "detections":'
        ' [{"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}]}],'
        ' "detection_categories": {"1": "animal"}, "info": {"format_version": "1.3"}}'
    )
    db = db_in(folder)
    with Index(db) as index, ThreadPoolExecutor(2) as executor:
        index.update(folder / "archive", executor=executor)
        index.import_labels(folder / "labels.json", form="megadetector")
    return db


@pytest.fixture
def index(made: Path) -> Iterator[Index]:
    with Index(made) as index:
        yield index


def test_it_is_the_list_that_it_was(index: Index) -> None:
    sample = index.select(5)
    assert isinstance(sample, Sample)
    plain = [*sample]
    assert sample == plain
    assert type(sample[1:3]) is list
    assert sample[1:3] == plain[1:3]
    assert [*reversed(sample)] == plain[::-1]
    assert type(copy.copy(sample)) is list
    assert copy.copy(sample) == copy.deepcopy(sample) == plain
    assert index.select(5, save="five") == index.sample("five") == plain
    index.drop_sample("five")


def test_a_table_of_either_kind_has_all_that_is_known(index: Index) -> None:
    sample = index.select(30, with_bursts=True)
    pandas, polars = sample.to_pandas(), sample.to_polars()
    assert isinstance(pandas, pd.DataFrame)
    assert isinstance(polars, pl.DataFrame)
    assert [*pandas.columns] == polars.columns == [*SampledImage.__dataclass_fields__]
    assert [*pandas.path] == polars["path"].to_list() == [one.path for one in sample]
    assert [*pandas.bucket] == polars["bucket"].to_list() == [one.bucket for one in sample]
    (row,) = polars.filter(pl.col("labels").list.contains("animal")).to_dicts()
    assert row["boxes"] == [{"label": "animal", "x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4}]
    assert row["said"][0]["confidence"] == 0.9
    assert [*pandas[pandas.labels.map(len) > 0].boxes] == [row["boxes"]]
    assert [*pandas[pandas.labels.map(len) > 0].said] == [row["said"]]


def test_an_empty_table_has_its_columns(index: Index) -> None:
    none = index.select(3, where="width > 9999")
    assert none.to_polars().schema == index.select(3).to_polars().schema
    assert [*none.to_pandas().columns] == [*SampledImage.__dataclass_fields__]
    assert "0 images of 0 cameras" in none._repr_html_()


@posix
def test_a_name_that_is_no_text_is_in_a_table_too(db: Path, tmp_path: Path) -> None:
    make_image(tmp_path / "archive" / "a.jpg").rename(tmp_path / "archive" / NOT_TEXT)
    with Index(db) as index, ThreadPoolExecutor(1) as executor:
        index.update(tmp_path / "archive", executor=executor)
        sample = index.select(1)
        said = [r"caf\xe9 not text.jpg"]
        assert sample.to_polars()["relative_path"].to_list() == said
        assert [*sample.to_pandas().relative_path] == said


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_package_that_is_missing_is_named(
    index: Index, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SdindexError, match=f"needs {package}; install it with: pip install"):
        getattr(index.select(2), f"to_{package}")()


def test_a_notebook_shows_a_few_pictures(index: Index) -> None:
    html = index.select(30)._repr_html_()
    assert html.count("data:image/jpeg") == 24
    assert "30 images of 2 cameras; 24 of them, evenly chosen" in html
    assert len(html) < 2_000_000
    html = index.select(3)._repr_html_()
    assert html.count("data:image/jpeg") == 3
    assert "evenly chosen" not in html


@posix
def test_hostile_names_do_nothing_in_a_notebook(db: Path, tmp_path: Path) -> None:
    for seed, name in enumerate(HOSTILE_NAMES[:20]):
        image = make_image(tmp_path / "image.jpg", seed, (64, 48))
        target = tmp_path / "archive" / f"<i>camera{seed % 3}<" / name.replace("/", SLASH)
        target.parent.mkdir(parents=True, exist_ok=True)
        image.rename(target)
    with Index(db) as index, ThreadPoolExecutor(2) as executor:
        index.update(tmp_path / "archive", executor=executor)
        gone = index.select(20)[0]
        Path(gone.path).unlink()
        html = index.select(20)._repr_html_()
    assert {*re.findall(r"</?(\w+)", html)} == {"div", "p", "figure", "img", "span", "figcaption"}
    assert "no picture: the file is not there" in html


def test_it_is_written_in_a_format_as_the_command_writes_it(
    index: Index, made: Path, tmp_path: Path
) -> None:
    sample = index.select(6)
    for form in ("csv", "json"):
        target = tmp_path / f"sample.{form}"
        assert sample.export(form, target) is None
        said = run("select", "-n", 6, "--format", form, db=made).stdout
        assert target.read_text() == said
        with (tmp_path / "again").open("wb") as file:
            sample.export(form, file)
        assert (tmp_path / "again").read_bytes() == target.read_bytes()
    put = sample.export("yolo", tmp_path / "yolo", how="copy")
    assert put is not None
    assert put.new == 6


def test_what_cannot_be_written_says_so(index: Index, tmp_path: Path) -> None:
    sample = index.select(2)
    with pytest.raises(UsageError, match="form must be one of paths"):
        sample.export("xls", tmp_path / "a")
    with pytest.raises(UsageError, match="csv is a file"):
        sample.export("csv", tmp_path / "a", how="copy")


@pytest.mark.sqlite_file
def test_it_is_not_written_over_its_index(index: Index, made: Path) -> None:
    with pytest.raises(OutputError):
        index.select(2).export("csv", made)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Give the addresses that are opened in a browser, and a cache of its own to the page."""
    found: list[str] = []
    monkeypatch.setattr("webbrowser.open", found.append)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: str(tmp_path))
    return found


def answered(address: str) -> int:
    """Return with which status the page of an address answers."""
    with urllib.request.urlopen(address) as answer:  # noqa: S310  (it is this machine's)
        return int(answer.status)


def test_its_page_is_opened_beside_the_program(index: Index, opened: list[str]) -> None:
    before = threading.active_count(), signal.getsignal(signal.SIGINT), [*warnings.filters]
    environment, cwd, loggers = {**os.environ}, Path.cwd(), [*logging.getLogger().handlers]
    page = index.select(4, under="cam1").review(observer="ann")
    assert opened == [page.address]
    assert answered(page.address) == 200
    assert page.address in repr(page)
    assert f'href="{page.address}"' in page._repr_html_()
    assert page.review.observer == "ann"
    page.close()
    with pytest.raises(OSError, match="refused"):
        answered(page.address)
    page.close()
    now = threading.active_count(), signal.getsignal(signal.SIGINT), warnings.filters
    assert now == before
    assert ({**os.environ}, Path.cwd()) == (environment, cwd)
    assert logging.getLogger().handlers == loggers


def test_its_page_is_stopped_as_a_notebook_stops_a_cell(index: Index, opened: list[str]) -> None:
    with index.select(4).review(browser=False) as page:
        assert opened == []
        assert answered(page.address) == 200
        stop = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
        stop.start()
        with pytest.raises(KeyboardInterrupt):
            page.wait()
        assert answered(page.address) == 200  # the page itself goes on
    with pytest.raises(OSError, match="refused"):
        answered(page.address)


def test_a_program_that_ends_ends_its_page(made: Path, tmp_path: Path) -> None:
    lines = ["from sdindex import Index", f"sample = Index({str(made)!r}).select(2)",
             "print(sample.review(browser=False).address)"]  # fmt: skip
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True, text=True, timeout=60, check=True, env=environment,
    )  # fmt: skip
    assert done.stderr == ""
    with pytest.raises(OSError, match="refused"):
        answered(done.stdout.strip())


def test_its_page_needs_packages(
    index: Index, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdindex.web.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=re.escape("pip install 'sdindex[review]'")):
        index.select(2).review()
    assert opened == []


def test_a_review_begins_with_it(index: Index, opened: list[str]) -> None:
    sample = index.select(6, under="cam1", save="six")
    for begun in (index.select(4, under="cam1"), sample, index.sample("six")):
        with begun.review(observer="ann", browser=False) as page:
            review = page.review
            groups = review.draw(len(begun), review.options).groups
        ids = [row for _, _, some in groups for row in some]
        assert {one.path for one in review.images(ids).values()} == {one.path for one in begun}
    index.drop_sample("six")
    with pytest.raises(UsageError, match="observer must be a text"):
        sample.review(observer=3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="browser must be True or False"):
        sample.review(browser="no")  # type: ignore[arg-type]
