"""What leaves the review's page, who may see it, and how it looks."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sdindex import Index
from sdindex.cli.main import cli
from tests.pages.test_report import HOSTILE_NAMES, SLASH, posix
from tests.support.indexes import put_labels, write_index
from tests.web.shown import Shown, showing, until

COUNT = 12


@pytest.fixture
def shown(browser: Any, shared: Path, tmp_path: Path) -> Iterator[Shown]:
    with Index(shared) as index:
        review = index.review(count=COUNT, observer="ann")
        with showing(browser, index, review, tmp_path) as page:
            yield page


def test_copy_save_and_export(shown: Shown, tmp_path: Path) -> None:
    page = shown.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#copy").click()
    shown.told("the command is copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"sdindex --db \S+ select -n 12", copied)
    page.locator("#name").fill("spring")
    page.locator("#save").click()
    shown.told("12 images are saved as spring")
    assert sorted(one.relative_path for one in shown.index.sample("spring")) == shown.paths()
    shown.index.drop_sample("spring")
    page.locator("#name").fill(" ")
    page.locator("#save").click()
    shown.told("is no name for a sample")
    page.locator("#format").select_option("csv")
    with page.expect_download() as download:
        page.locator("#export").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert download.value.suggested_filename == "sample.csv"
    assert len(text.splitlines()) == 1 + COUNT
    page.locator("#format").select_option("yolo")
    page.locator("#export").click()
    shown.told("copied; it is written by: sdindex --db")
    page.locator("#format").select_option("copy")
    page.locator("#export").click()
    shown.told("--copy-to FOLDER")
    page.locator("#folder").fill(str(tmp_path / "put"))
    page.locator("#export").click()
    shown.told(f"{COUNT} images put in {tmp_path / 'put'}")
    page.locator("#format").select_option("csv")
    assert not page.locator("#folder").is_visible()
    words = shlex.split(page.evaluate("navigator.clipboard.readText()"))[1:]
    folder = str(tmp_path / "copies")
    copied = CliRunner().invoke(cli, [folder if word == "FOLDER" else word for word in words])
    assert copied.exit_code == 0, copied.output
    assert len([*Path(folder).rglob("*.JPG")]) == COUNT


def test_only_to_be_looked_at(browser: Any, shared: Path, tmp_path: Path) -> None:
    with Index(shared) as index:
        review = index.review(count=COUNT, observer="ann")
        with showing(browser, index, review, tmp_path, read_only=True) as shown:
            assert shown.page.locator("[data-changes]:visible").count() == 0
            assert not shown.page.locator("#saving").is_visible()
            for key in "kruno":
                shown.press(key)
            shown.press("e")
            shown.page.locator("#large img").first.wait_for()
            assert review.name is None


def test_two_tabs_decide_on_one_review(shown: Shown) -> None:
    other = shown.page.context.new_page()
    other.goto(shown.address)
    until(other, "document.body.dataset.shown")
    shown.press("r", changes=True)
    other.keyboard.press("ArrowRight")
    other.keyboard.press("ArrowRight")
    other.keyboard.press("r")
    until(other, "document.getElementById('progress').textContent.includes('2 rejected')")
    other.close()
    shown.after(lambda: shown.page.locator("#count").fill("11"))
    assert shown.progress.endswith("2 rejected")


@pytest.mark.parametrize("size", [(390, 844), (1366, 768), (2560, 1440)], ids=lambda size: size[0])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_window_and_axe_finds_nothing_serious(
    browser: Any, shared: Path, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    viewport = {"width": size[0], "height": size[1]}
    with Index(shared) as index:
        review = index.review(count=COUNT, observer="ann", balance="camera")
        with showing(
            browser, index, review, tmp_path, viewport=viewport, color_scheme=scheme
        ) as shown:
            page = shown.page
            page.locator(".tile img").first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
            assert page.evaluate("scrollY") == 0
            text, ground = page.evaluate(
                "[getComputedStyle(document.body).color,"
                " getComputedStyle(document.body).backgroundColor]"
            )
            bright = [sum(map(int, re.findall(r"\d+", one)[:3])) for one in (text, ground)]
            assert (bright[0] > bright[1]) == (scheme == "dark")
            for opened in ("", "e", "m", "n"):
                if opened:
                    page.locator(".tile .shot").first.focus()
                    page.keyboard.press(opened)
                    page.locator("dialog[open]").wait_for()
                    box = page.locator("dialog[open]").bounding_box()
                    assert box["x"] >= 0
                    assert box["x"] + box["width"] <= size[0]
                    assert box["y"] + box["height"] <= size[1]
                found = axe.run(page).response["violations"]
                serious = [one for one in found if one["impact"] in ("serious", "critical")]
                assert [(one["id"], one["nodes"][0]["html"]) for one in serious] == []
                if opened:
                    page.keyboard.press("Escape")
                    page.locator("dialog[open]").wait_for(state="hidden")


def test_by_keyboard_alone(shown: Shown) -> None:
    page = shown.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the pictures"
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(
            "document.activeElement.id || document.activeElement.dataset.do ||"
            " document.activeElement.className"))  # fmt: skip
    wanted = {
        *("slider", "count", "by", "command", "copy", "name", "save", "format", "export", "shot"),
        *("keep", "reject", "undo", "enlarge", "note", "more", "none"),
    }
    assert wanted <= {*seen}
    assert seen.count("shot") <= 2  # the sheet is one stop, in which the arrows go on


def test_only_what_is_seen_is_loaded_of_ten_thousand(
    browser: Any, db: Path, tmp_path: Path
) -> None:
    images = {f"cam{at // 1000}/IMG_{at:05d}.JPG": at * 2_654_435_761 for at in range(12_000)}
    write_index(db, {"/nowhere": images})
    asked: list[str] = []
    faults: list[str] = []
    with Index(db) as index:
        review = index.review(count=10_000, observer="ann")
        with showing(browser, index, review, tmp_path / "cache", faults=faults) as shown:
            shown.page.on("request", lambda request: asked.append(request.url))
            assert len(shown.ids) == 10_000
            for part in (0.3, 0.6, 1.0):
                shown.page.evaluate(f"scrollTo(0, {part} * document.body.scrollHeight)")
                shown.page.wait_for_timeout(150)
            shown.page.locator(".tile .none").first.wait_for()
            last = shown.page.locator("#sheet .tile").last
            last.locator(".where").wait_for(state="attached")
            filled = shown.page.locator("#sheet .tile .caption .where").count()
            assert 10 < filled < 500
            assert len([url for url in asked if "/picture/" in url]) < 1000
    assert not [fault for fault in faults if not fault.startswith("error: Failed to load")]


HOSTILE_LABELS = [name.removesuffix(".jpg") for name in HOSTILE_NAMES]


@posix
def test_hostile_names_and_labels_are_text(browser: Any, db: Path, tmp_path: Path) -> None:
    names = [f"<i>camera{at % 3}</i>{SLASH}<b>/{name.replace('/', SLASH)}"
             for at, name in enumerate(HOSTILE_NAMES)]  # fmt: skip
    write_index(
        db,
        {"/<script>nowhere": {name: at << 40 for at, name in enumerate(names)}},
    )
    plain = [(name, label) for name, label in zip(names, HOSTILE_LABELS, strict=True)
             if "\udce9" not in name + label and "\\" not in name]  # fmt: skip
    put_labels(db, dict(plain))
    assert len(names) + len(plain) >= 100
    faults: list[str] = []
    with Index(db) as index:
        review = index.review(count=len(names), observer="<img src=x onerror=alert(1)>")
        with showing(browser, index, review, tmp_path / "cache", faults=faults) as shown:
            page = shown.page
            for by in ("label", "camera", "burst"):
                shown.after(lambda by=by: page.locator("#by").select_option(by))  # type: ignore[misc]
                assert len(shown.ids) == len(names)
                assert page.evaluate("document.documentElement.scrollWidth") <= 1280
            page.locator(".tile .where").first.wait_for()
            page.locator("#how summary").click()
            page.locator(".tile .shot").first.focus()
            for key in "emn":
                page.keyboard.press(key)
                page.locator("dialog[open]").wait_for()
                page.wait_for_timeout(100)
                if key == "e":
                    page.keyboard.press("ArrowRight")
                    shown.press("k", changes=True)
                if key != "n":
                    page.keyboard.press("Escape")
                    page.locator("dialog[open]").wait_for(state="hidden")
            page.locator("#why").fill("<script>document.title='run'</script>")
            page.keyboard.press("Enter")
            page.wait_for_timeout(200)
            assert page.title() == "Review a sample · sdindex"
            made = page.evaluate(
                "document.querySelectorAll('#sheet script, #sheet iframe, #sheet svg, #sheet style,"
                " #sheet b, #sheet i, #sheet a, #sheet br, dialog script, dialog b').length"
            )
            assert made == 0
    assert not [fault for fault in faults if not fault.startswith("error: Failed to load")]
