"""A report of a saved sample, its head, its pictures, and what it says where there are none."""

import json
import re
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import sdindex
from sdindex import Index, SampleError, UsageError
from sdindex.cli.main import cli
from sdindex.pages.report import stray_days
from sdindex.pages.told import is_plain, sentences
from sdindex.sampling.options import SampleArguments, sample_options
from tests.conftest import make_image
from tests.support.commands import run


def test_a_saved_sample_is_reported_as_it_was_saved(
    show: Callable[..., Any], index: Index, archive: Path, threads: Executor, db: Path
) -> None:
    index.update(archive, executor=threads)
    kept = index.select(4, save="four", under="cam1", balance="camera")
    for seed in range(12, 20):
        make_image(archive / "cam1" / f"IMG_0{seed}.JPG", seed)
    index.update(archive, executor=threads)
    page = show(index.report(name="four"))
    shown = [element.get_attribute("title") for element in page.query_selector_all(".shot")]
    assert sorted(shown) == sorted(one.relative_path for one in kept)
    assert page.title() == "four: a sample of 4 images"
    assert page.locator(".figure").first.inner_text().split() == ["4", "of", "14", "images"]
    head = page.locator(".origin").inner_text()
    assert str(archive) in head
    assert head.count("UTC") == 1
    assert f"sdindex {sdindex.__version__}" in head
    said = page.locator("#command").inner_text()
    assert said.endswith("select -n 4 --balance camera --under cam1 --save four")
    told = page.locator("main > p").first.inner_text()
    assert "shared out evenly by camera" in told
    assert "kept whole" not in told
    assert "It was drawn when the index had 12 images that could be sampled" in told
    assert "kept whole" in show(index.report(3)).locator("main > p").first.inner_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Small groups were kept whole; only the largest were trimmed"),
        ({"bits": 0}, "Images were taken by an even stride along the archive."),
        ({"unit": "event", "show": "last"}, "One image of each event was drawn: its last image."),
        (
            {"balance": ["camera", "day"], "at_most": 2},
            "by camera, within each of these by day",
        ),
        ({"prefer": "motion"}, "the most moved was taken."),
        ({"order": "centre"}, "the first 4 bits of their hashes, from the centre on."),
        ({"review": "r"}, "It is what the review r made of it."),
        ({"extend": "other"}, "All images of the sample other are in it."),
    ],
)
def test_the_head_says_what_was_done(options: SampleArguments, said: str) -> None:
    chosen = sample_options(**options)
    text = " ".join(sentences(chosen))
    assert said in text
    assert ("kept whole" in text) == is_plain(chosen)


def first_figure(html: str) -> list[str]:
    found = re.search(r'class="figure"><b>([\d,]+)</b><span>of ([\d,]+) images<', html)
    assert found is not None
    return [*found.groups()]


def problems_of(html: str) -> list[str]:
    return [unescape(line) for line in re.findall(r'<p class="problem">(.*?)</p>', html)]


def test_a_saved_sample_stands_beside_what_its_lists_left_to_it(
    index: Index, archive: Path, threads: Executor, tmp_path: Path
) -> None:
    index.update(archive, executor=threads)
    paths = [one.relative_path for one in index.select(12)]
    listed, done = tmp_path / "listed.txt", tmp_path / "done.txt"
    listed.write_text("\n".join(paths[:9]))
    done.write_text("\n".join(paths[:2]))
    index.select(3, save="three")
    kept = index.select(4, save="four", files=listed, exclude=[done, "three"])
    out = {*paths[:2], *(one.relative_path for one in index.sample("three"))}
    html = index.report(name="four", thumbnails=0)
    assert first_figure(html) == ["4", str(len({*paths[:9]} - out))]
    assert "pass its filters now (--from and --exclude: as these lists are now)." in html
    assert "buckets whole" not in html
    assert problems_of(html) == []
    # What was drawn is noted as done: that takes nothing from the report.
    done.write_text("\n".join([*paths[:2], *(one.relative_path for one in kept)]))
    assert index.report(name="four", thumbnails=0).count('class="figure"') > 1
    review = index.review("four")
    three = {one.relative_path for one in index.sample("three")}
    assert review.draw(review.count, review.options).images == len({*paths[:9]} - three)


def test_what_a_filter_meant_and_no_longer_means_is_said(
    index: Index, archive: Path, threads: Executor, tmp_path: Path, db: Path
) -> None:
    index.update(archive, executor=threads)
    paths = [one.relative_path for one in index.select(12)]
    listed = tmp_path / "listed.txt"
    listed.write_text("\n".join(paths[3:]))
    index.select(8, save="eight", under="cam1")
    index.select(3, save="three")
    index.select(2, save="two", within="eight", files=listed, exclude="three", under="cam1")
    index.drop_sample("eight")
    index.drop_sample("three")
    listed.unlink()
    lines = [
        "images that --within eight left out stand beside it, too: there is no such saved sample "
        "any more",
        "images that --exclude three left out stand beside it, too: cannot read three: No such "
        "file or directory",
        f"images that --from {listed} left out stand beside it, too: cannot read {listed}: No such "
        "file or directory",
    ]
    result = run("report", "two", "-o", tmp_path / "page.html", db=db)
    assert result.stderr.splitlines()[:-1] == [f"warning: {line}" for line in lines]
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert problems_of(html) == lines
    assert first_figure(html) == ["2", "6"]
    review = index.review("two")
    assert review.draw(review.count, review.options).images == 6
    words = ["--db", str(db), "select", "-n", "2", "--from", "-", "--save", "piped"]
    assert CliRunner().invoke(cli, words, input="\n".join(paths[:5])).exit_code == 0
    (line,) = problems_of(index.report(name="piped", thumbnails=0))
    assert line == "images that --from - left out stand beside it, too: it was read from stdin"


def test_a_report_is_of_one_thing(index: Index, archive: Path, threads: Executor) -> None:
    index.update(archive, executor=threads)
    index.select(2, save="two")
    for given in ({}, {"count": 2, "name": "two"}, {"name": "two", "under": "cam1"}):
        with pytest.raises(UsageError, match="a report is of"):
            index.report(**given)
    with pytest.raises(SampleError, match="no"):
        index.report(name="three")
    for image in index.sample("two"):
        Path(image.path).unlink()
    index.update(archive, executor=threads)
    with pytest.raises(SampleError, match="none of the images of two is there"):
        index.report(name="two")


def test_pictures_are_whole_and_as_large_as_asked_for(
    show: Callable[..., Any], index: Index, tmp_path: Path, threads: Executor
) -> None:
    for seed, size in enumerate([(1280, 720), (720, 1280), (1280, 960)]):
        make_image(tmp_path / "archive" / f"{seed}.jpg", seed, size)
    boxes = {"images": [{"file": "0.jpg", "detections": [
        {"category": "1", "conf": 0.9, "bbox": [0.5, 0.25, 0.5, 0.5]}]}],
        "detection_categories": {"1": "fox"}, "info": {"format_version": "1.3"}}  # fmt: skip
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    index.update(tmp_path / "archive", executor=threads)
    index.import_labels(tmp_path / "boxes.json")
    page = show(index.report(3, pixels=500))
    for number, (width, height) in enumerate([(500, 281), (281, 500), (500, 375)]):
        image = page.locator(".shot").nth(number).locator("img")
        assert image.evaluate("i => [i.naturalWidth, i.naturalHeight]") == [width, height]
        there, frame = image.bounding_box(), page.locator(".frame").nth(number).bounding_box()
        assert there["width"] / there["height"] == pytest.approx(width / height, rel=0.02)
        assert there["width"] <= frame["width"] + 1
        assert there["height"] <= frame["height"] + 1
    box, image = (page.locator(f".shot >> nth=0 >> {it}").bounding_box() for it in (".box", "img"))
    assert box["x"] - image["x"] == pytest.approx(image["width"] / 2, abs=2)
    assert box["height"] == pytest.approx(image["height"] / 2, abs=4)
    assert page.locator(".caption").first.inner_text().split("\n")[-1] == "fox"


def test_a_disk_that_is_away_is_named_on_the_page_and_on_the_terminal(
    index: Index, archive: Path, threads: Executor, db: Path, tmp_path: Path
) -> None:
    index.update(archive, executor=threads)
    archive.rename(tmp_path / "away")
    result = run("report", "-n", 5, "-o", tmp_path / "page.html", db=db)
    warning, where = result.stderr.splitlines()
    assert warning == f"warning: {archive} is not there: 5 images of it have no picture"
    assert where == f"the report is in {tmp_path / 'page.html'}"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f'<p class="problem">{warning.removeprefix("warning: ")}</p>' in page
    (tmp_path / "away").rename(archive)
    gone = index.select(5)[0]
    Path(gone.path).unlink()
    said: list[str] = []
    index.report(5, say=said.append)
    assert said == [
        f"warning: 1 image has no picture, such as {gone.relative_path}: the file is not there"
    ]


def test_a_stray_year_does_not_squeeze_the_chart() -> None:
    main = {("a", date(2026, 5, day)): 40 for day in range(1, 29)}
    assert stray_days(main | {("a", date(1970, 1, 1)): 3, ("b", date(2038, 1, 1)): 2}) == {
        date(1970, 1, 1),
        date(2038, 1, 1),
    }
    assert not stray_days(main | {("a", date(2019, 5, day)): 30 for day in range(1, 9)})
    assert not stray_days({("a", date(1970, 1, 1)): 1})
    assert not stray_days({})
