"""A report of a saved sample, its head, its pictures, and what it says where there are none."""

import json
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

import sdindex
from sdindex import Index, SampledImage, SampleError, UsageError
from sdindex.cli.main import cli
from sdindex.pages.charts import time_bubbles
from sdindex.pages.report import gaps_between, stray_days
from sdindex.pages.sentences import is_plain, sentences
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
    told = page.locator("#said").inner_text()
    assert "shared out evenly by camera" in told
    assert "kept whole" not in told
    assert "It was drawn when the index had 12 images that could be sampled" in told
    assert "kept whole" in show(index.report(3)).locator("#said").inner_text()


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
        with pytest.raises(UsageError, match="a report needs a number of images"):
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
        there, view = image.bounding_box(), page.locator(".view").nth(number).bounding_box()
        assert there["width"] / there["height"] == pytest.approx(width / height, rel=0.02)
        assert there["width"] <= view["width"] + 1
        assert there["height"] <= view["height"] + 1
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


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, db_in: Callable[..., Path]) -> Path:
    """Make an index of two cameras, with times in bursts of three and a stray year, and labels."""
    folder = tmp_path_factory.mktemp("labelled")
    names = {f"{seed:02d}.jpg": f"2026:04:{1 + seed // 6:02d} 10:00:{seed % 3:02d}"
             for seed in range(59)} | {"59.jpg": "1970:01:01 00:00:00"}  # fmt: skip
    rows = []
    for seed, (name, time) in enumerate(names.items()):
        exif = Image.Exif()
        exif[0x010F] = "RECONYX"
        exif.get_ifd(0x8769)[0x9003] = time
        path = folder / "archive" / f"cam{seed // 3 % 2}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(make_image(folder / "image.jpg", seed // 3, (320, 180))) as image:
            image.save(path, exif=exif)
        rows.append(f"cam{seed // 3 % 2}/{name},{('fox', 'deer', 'owl')[seed // 3 % 3]}")
    (folder / "labels.csv").write_text("\n".join(["path,label", *rows[:48]]))
    db = db_in(folder)
    with Index(db) as made, ThreadPoolExecutor(2) as executor:
        made.update(folder / "archive", executor=executor)
        made.import_labels(folder / "labels.csv")
        made.select(20, save="twenty")
    return db


@pytest.fixture(scope="module")
def reported(labelled: Path) -> str:
    with Index(labelled) as made:
        return made.report(name="twenty")


def titles(page: Any) -> list[str]:
    return [str(one.get_attribute("title")) for one in page.query_selector_all("#sheet .shot")]


def test_the_sheet_is_grouped_as_one_likes(
    show: Callable[..., Any], labelled: Path, reported: str
) -> None:
    page = show(reported)
    with Index(labelled) as made:
        sample = made.sample("twenty")
        every = made.select(60)
    groups: dict[str, Callable[[SampledImage], str]] = {
        "label": lambda image: image.labels[0] if image.labels else "no label",
        "day": lambda image: f"{image.taken_at:%Y-%m-%d}",
        "bucket": lambda image: f"{image.bucket:04b}",
        "camera": lambda image: image.camera,
    }
    for by, group_of in groups.items():
        page.locator("#by").select_option(by)
        there, sampled = Counter(map(group_of, every)), Counter(map(group_of, sample))
        heads = page.locator(".group h3").all_inner_texts()
        assert sorted(heads) == sorted(
            f"{name} {sampled[name]} of {there[name]}" for name in sampled
        )
        assert sorted(titles(page)) == sorted(one.relative_path for one in sample)


def test_enlarged_has_the_sampled_images_of_its_burst(
    show: Callable[..., Any], labelled: Path, reported: str
) -> None:
    page = show(reported)
    with Index(labelled) as made:
        sample = made.sample("twenty", with_bursts=True)
    bursts = Counter(one.burst for one in sample)
    several = next(one for one in sample if bursts[one.burst] > 1)
    burst = [one.relative_path for one in sample if one.burst == several.burst]
    alone = next(one for one in sample if bursts[one.burst] == 1)
    words, strip = page.locator("#large .words"), page.locator("#burst .shot")
    page.locator(f'.shot[title="{alone.relative_path}"]').click()
    assert not page.locator("#burst").is_visible()
    assert "sampled: 1 of the 3 images of its burst" in words.inner_text()
    page.keyboard.press("Escape")
    page.locator(f'.shot[title="{burst[0]}"]').focus()
    page.keyboard.press("Enter")
    assert strip.count() == len(burst)
    assert "Next" in page.evaluate("document.activeElement.textContent")
    for key, at in (("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", 0)):
        page.keyboard.press(key)
        assert words.inner_text().endswith(burst[at])
        assert strip.nth(at).get_attribute("aria-current") == "true"
    strip.nth(1).click()
    assert words.inner_text().endswith(burst[1])
    place = titles(page).index(burst[1])
    for step, key in ((-1, "ArrowLeft"), (0, "ArrowRight")):
        page.keyboard.press(key)
        assert words.inner_text().endswith(titles(page)[place + step])
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.title") == burst[1]
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.title") == titles(page)[place - 1]


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "light"), (1366, "dark"), (2560, "light"), (2560, "dark")]
)
def test_it_uses_the_width_and_axe_finds_nothing_serious(
    show: Callable[..., Any], reported: str, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = show(reported, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    top = page.locator("#sheet").bounding_box()["y"]
    assert page.locator("#figures").bounding_box()["y"] < top  # also on a phone
    boxes = [one.bounding_box() for one in page.query_selector_all("#sheet .tile")]
    first = [box for box in boxes if abs(box["y"] - boxes[0]["y"]) < 2]
    assert max(box["x"] + box["width"] for box in first) > 0.95 * width
    assert len({round(box["width"] / 3) for box in first}) == 1
    for opened in (False, True):
        if opened:
            page.locator(".shot").first.click()
            box = page.locator("dialog[open]").bounding_box()
            assert box["y"] + box["height"] <= 900
        found = axe.run(page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], one["nodes"][0]["html"]) for one in serious] == []


def test_the_charts_of_species_and_of_a_stray_year(
    show: Callable[..., Any], labelled: Path, reported: str
) -> None:
    page = show(reported)
    curve = page.locator("#chart-labels")
    assert "drawn so" in curve.inner_text()
    assert "images drawn" in curve.inner_text()
    (ours, random), time = (json.loads(page.locator("#data-charts").text_content())[name]["data"]
                            for name in ("labels", "time"))  # fmt: skip
    assert dict(zip(ours["x"], ours["y"], strict=True))[20] == 3
    assert random["y"] == sorted(random["y"])
    assert curve.locator(".points path").count() == 2 * len(ours["x"])
    assert {day[:4] for trace in time for day in trace["x"]} == {"2026"}
    assert "1 image is a year or more from all others (1970)" in page.content()
    first, last = page.evaluate("document.getElementById('chart-time').layout.xaxis.range")
    assert first[:4] == last[:4] == "2026"


def test_empty_years_take_no_room_on_the_axis_of_times() -> None:
    old = {("a", date(2009, 5, day)): 40 for day in range(1, 29)}
    new = {("b", date(2014, 7, day)): 40 for day in range(1, 29)}
    ((first, last),) = gaps_between(old | new)
    assert date(2009, 5, 28) < first < date(2009, 8, 1)
    assert date(2014, 5, 1) < last < date(2014, 7, 1)
    assert gaps_between(old) == gaps_between(old | {("a", date(1970, 1, 1)): 1}) == []
    figure = time_bubbles(["a"], [(0, "2009-05-01", 1, 0)], [(first, last)], [date(2009, 5, 1)])
    assert figure.layout.xaxis.rangebreaks[0].bounds == (first.isoformat(), last.isoformat())
    assert figure.layout.xaxis.ticktext == ("May 2009",)
