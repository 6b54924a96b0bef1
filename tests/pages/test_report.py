"""The report in a real browser, and hostile names in it and everywhere else."""

import json
import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sdindex import Index
from sdindex.pages.charts import bucket_bars, hash_bits, map_hashes, time_bubbles
from sdindex.sampling.trim import stride
from tests.conftest import make_image
from tests.support.commands import run

SLASH = "\N{DIVISION SLASH}"  # for the one character that a name cannot have
HOSTILE_NAMES = [
    "script><script>document.title='run'<.jpg",  # in a folder that ends with <
    "<script>document.title='run'</script>.jpg",
    "<img src=x onerror=document.title='run'>.jpg",
    "\"><svg onload=document.title='run'>.jpg",
    "'><body onload=document.title='run'>.jpg",
    "' onmouseover='document.title=1' x='.jpg",
    "\" onfocus=\"document.title=1\" autofocus x=\".jpg",
    "<!--.jpg",
    "-->.jpg",
    "]]>.jpg",
    "<![CDATA[x]]>.jpg",
    "<style>body{display:none}</style>.jpg",
    "<title>run<title>.jpg",
    "<iframe src=about:blank>.jpg",
    "<b>bold<b>.jpg",
    "<br>.jpg",
    "<a href='javascript:document.title=1'>a<a>.jpg",
    "<sup>up<sup>.jpg",
    "&lt;script&gt;.jpg",
    "&amp;.jpg",
    "&#60;script&#62;.jpg",
    "%3Cscript%3E.jpg",
    "{{ 7 * 7 }}.jpg",
    "{% raw %}.jpg",
    "${document.title=1}.jpg",
    "`document.title=1`.jpg",
    "%{customdata[0]}.jpg",
    "%{x}<extra><extra>.jpg",
    "\\u003cscript\\u003e.jpg",
    "\\x1b[31m.jpg",
    "\x1b[31mred.jpg",
    "\x1b]0;title\x07.jpg",
    "bell\x07.jpg",
    "back\x08space.jpg",
    "tab\t.jpg",
    "new\nline.jpg",
    "carriage\rreturn.jpg",
    "null\x01.jpg",
    "\x7fdelete.jpg",
    "\x9b31mcsi.jpg",
    "rtl\u202egpj.exe.jpg",
    "line\u2028separator.jpg",
    "zero\u200bwidth.jpg",
    "[red]markup[/].jpg",
    "[link=javascript:1]x[/link].jpg",
    "=cmd()|'x'!A1.jpg",
    "+1+1.jpg",
    "-rf.jpg",
    "@SUM(1).jpg",
    "'; DROP TABLE image; --.jpg",
    "\" OR 1=1 --.jpg",
    " leading space.jpg",
    "trailing space .jpg",
    "--help.jpg",
    "caf\udce9 not text.jpg",
]  # fmt: skip

posix = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="no such names there")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    folder = tmp_path / "<b>hostile"
    for seed, name in enumerate(HOSTILE_NAMES):
        name = name.replace("/", SLASH)
        image = make_image(tmp_path / "image.jpg", seed, size=(64, 48))
        target = folder / f"<i>camera{seed % 3}<" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        image.rename(target)
    return folder


def test_the_page_in_a_browser(
    show: Callable[..., Any], index: Index, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    page = show(index.report(5))
    figures = [element.inner_text().split() for element in page.query_selector_all(".figure")]
    whole = sum(one.keeps == one.images for one in index.buckets(5))
    buckets = len(index.buckets())
    assert figures[0] == ["5", "of", "12", "images"]
    assert figures[1] == [str(whole), "of", str(buckets), "buckets", "whole"]
    assert figures[2] == [str(buckets - whole), "of", str(buckets), "buckets", "trimmed"]
    assert figures[3][1:] == ["of", "2", "cameras"]
    table = [element.inner_text().split("\t") for element in page.query_selector_all("#quality tr")]
    good = index.quality(5).measures
    assert [row[0] for row in table[1:]] == [one.measure for one in good]
    row_of = {row[0]: row for row in table}
    measure_of = {one.measure: one for one in good}
    kept = str(measure_of["buckets"].sample)
    assert row_of["buckets"][1:3] == [str(buckets), kept]
    mean = measure_of["mean distance in bits"].sample
    assert row_of["mean distance in bits"][2] == f"{mean:.1f}"
    paths = [element.get_attribute("title") for element in page.query_selector_all(".shot")]
    assert sorted(paths) == sorted(one.relative_path for one in index.select(5))
    assert page.locator(".group h3").all_inner_texts() == [
        f"cam{number} {sum(path.startswith(f'cam{number}/') for path in paths)} of 6"
        for number in range(2)
    ]
    assert page.evaluate(
        "[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth)"
    )

    page.locator(".shot").nth(1).click()
    assert page.locator("dialog .words").inner_text().endswith(f" · {paths[1]}")
    assert page.locator("dialog .picture img").bounding_box()["width"] > 300
    page.keyboard.press("ArrowRight")
    assert page.locator("dialog .words").inner_text().endswith(paths[2])
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()

    points = page.locator("#chart-map .points path")
    assert points.count() == 12
    for number in (0, 11):  # one that is left out, and one that is kept
        points.nth(number).scroll_into_view_if_needed()
        box = points.nth(number).bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_selector("#hover:not([hidden]) img")
        assert re.fullmatch(r"cam\d/IMG_\d+\.JPG", page.locator("#hover").inner_text())
        page.mouse.move(0, 0)


@pytest.mark.parametrize("width", [390, 1366, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_window_in_light_and_dark(
    show: Callable[..., Any],
    index: Index,
    archive: Path,
    threads: Executor,
    width: int,
    scheme: str,
) -> None:
    index.update(archive, executor=threads)
    page = show(index.report(8), viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('.facts').scrollWidth") <= width - 20
    assert page.evaluate("document.querySelector('#figures').getBoundingClientRect().top") < 600
    text, ground = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (text, ground)]
    assert (brightness[0] > brightness[1]) == (scheme == "dark")
    legend = page.evaluate(
        "getComputedStyle(document.querySelector('#chart-map .legendtext')).fill"
    )
    assert legend == text


@posix
def test_fifty_hostile_names_are_shown_and_never_run(
    show: Callable[..., Any], index: Index, hostile: Path, threads: Executor
) -> None:
    assert len(HOSTILE_NAMES) >= 50
    summary = index.update(hostile, executor=threads)
    assert (summary.new, summary.unreadable) == (len(HOSTILE_NAMES), 0)
    count = len(HOSTILE_NAMES)
    page = show(index.report(count - 5))
    assert page.title() == f"A sample of {count - 5} images"
    assert page.locator(".tile").count() == count - 5
    assert page.locator("script").count() == 5  # the page's own
    assert page.locator("iframe, svg[onload], img[src=x]").count() == 0
    shown = {element.get_attribute("title") for element in page.query_selector_all(".shot")}
    assert "<i>camera0</script><script>document.title='run'<.jpg" in shown
    assert "\x1b" not in page.content()
    for number in range(0, count, 7):
        point = page.locator("#chart-map .points path").nth(number)
        point.scroll_into_view_if_needed()
        point.hover(force=True)


@posix
def test_hostile_names_do_nothing_on_a_terminal(hostile: Path, db: Path, threads: Executor) -> None:
    with Index(db) as index:
        index.update(hostile, executor=threads)
    (hostile / "<i>camera0<" / "broken\x1b[31m[red].jpg").write_bytes(b"")
    run("index", hostile, db=db)
    for arguments in (["buckets"], ["errors"], ["status"], ["sql", "SELECT path FROM image"]):
        shown = run(*arguments, db=db).stdout
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028]", shown), arguments
    assert r"broken\x1b[31m[red].jpg" in run("errors", db=db).stdout


@posix
def test_hostile_names_come_back_from_every_format(
    hostile: Path, db: Path, threads: Executor
) -> None:
    with Index(db) as index:
        index.update(hostile, executor=threads)
    names = {name.replace("/", SLASH) for name in HOSTILE_NAMES}
    null = run("select", "-n", 99, "--format", "null", "--relative", db=db).stdout_bytes
    assert {os.fsdecode(one).split("/", 1)[1] for one in null.split(b"\0") if one} == names
    records = json.loads(run("select", "-n", 99, "--format", "json", "--relative", db=db).stdout)
    assert {record["path"].split("/", 1)[1] for record in records} == names


def test_a_picture_that_is_gone_is_shown_as_such(
    show: Callable[..., Any], index: Index, archive: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    gone = index.select(12)
    Path(gone[0].path).unlink()
    Path(gone[1].path).write_bytes(b"")
    page = show(index.report(12))
    shown = [element.inner_text() for element in page.query_selector_all(".tile .none")]
    assert sorted(shown) == [
        "no picture: empty file (0 bytes)",
        "no picture: the file is not there",
    ]
    assert page.locator(".tile img").count() == 10


def test_thumbnails_bounds_their_number(index: Index, archive: Path, threads: Executor) -> None:
    index.update(archive, executor=threads)
    for wanted in (0, 3):
        html = index.report(8, thumbnails=wanted)
        assert len(re.findall(r'<img src="data:image/jpeg', html)) == wanted
        points = json.loads(re.findall(r'id="data-points">(.*?)</script>', html)[0])
        assert sum(point["source"] is not None for point in points) == min(wanted, 4)
        assert len(points) == 12


def test_progress_is_shown_when_asked_for(
    index: Index, archive: Path, threads: Executor, tmp_path: Path, db: Path
) -> None:
    index.update(archive, executor=threads)
    target = tmp_path / "report.html"
    result = run("report", "-n", 5, "--progress", "-o", target, db=db)
    assert "thumbnails: 100%" in result.stderr
    assert result.stdout == ""
    assert target.stat().st_size > 3_000_000
    assert run("report", "-n", 5, "-o", archive / "cam0/IMG_1.JPG", db=db).exit_code == 1


@pytest.mark.parametrize("day", ["0001:01:01", "9999:12:31", "0999:05:05"])
def test_a_camera_whose_clock_is_out_stops_no_report(
    index: Index, tmp_path: Path, threads: Executor, day: str
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "RECONYX"
    exif.get_ifd(0x8769)[0x9003] = f"{day} 00:00:00"
    (tmp_path / "archive").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "archive/a.jpg", exif=exif)
    index.update(tmp_path / "archive", executor=threads)
    assert day.replace(":", "-") in index.report(1)
    assert "A sample of 1 image<" in index.report(1)


def test_labels_by_the_number_of_images_are_drawn_where_there_are_labels(
    show: Callable[..., Any], index: Index, archive: Path, threads: Executor, tmp_path: Path
) -> None:
    index.update(archive, executor=threads)
    assert "chart-labels" not in re.sub("<script.*", "", index.report(4), flags=re.DOTALL)
    file = tmp_path / "labels.csv"
    names = ["deer", "fox", "fox", "owl"] * 3
    every = index.select(12)
    lines = [f"{one.relative_path},{name}" for one, name in zip(every, names, strict=True)]
    file.write_text("\n".join(["path,label", *lines]))
    index.import_labels(file)
    html = index.report(4)
    charts = json.loads(re.findall(r'id="data-charts">(.*?)</script>', html)[0])
    ours, random = charts["labels"]["data"]
    assert ours["x"] == sorted({1, 2, 3, 4, 5, 6, 7, 9, 10, 12} & set(ours["x"]))
    assert {1, 4, 12} <= set(ours["x"])
    label_of = dict(zip((one.path for one in every), names, strict=True))
    for images, labels in zip(ours["x"], ours["y"], strict=True):
        assert labels == len({label_of[one.path] for one in index.select(images)})
    assert random["y"][0] == pytest.approx(1)
    assert random["y"][-1] == pytest.approx(3)
    assert show(html).locator("#chart-labels .points path").count() == 2 * len(ours["x"])


def test_plotly_is_given_no_markup() -> None:
    bars = bucket_bars(["<b>0000</b>"], [1], [2])
    bubbles = time_bubbles(["<a href='x'>cam</a>"], [(0, "2026-01-01", 3, 1)])
    assert bars.data[0].x[0] == "&lt;b&gt;0000&lt;/b&gt;"
    assert bubbles.data[0].y[0] == "&lt;a href='x'&gt;cam&lt;/a&gt;"
    assert bubbles.layout.yaxis.categoryarray[0] == bubbles.data[0].y[0]


def test_the_map_keeps_far_apart_what_is_far_apart() -> None:
    hashes = [0, 1, 3, -1, -2, -4]
    places = map_hashes(hash_bits(hashes))
    near = np.linalg.norm(places[0] - places[1])
    assert np.linalg.norm(places[0] - places[3]) > 3 * near
    assert hash_bits([-(2**63)])[0].tolist() == [True] + [False] * 63
    assert map_hashes(hash_bits([5])).tolist() == [[0, 0]]
    assert stride(3, 3) == [0, 1, 2]
