"""Every control, key and promise of the review's page, in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdindex import Index
from sdindex.sampling.options import SampleArguments, SampleOptions
from tests.web.shown import Shown, showing, until

COUNT = 12


@pytest.fixture
def shown(browser: Any, shared: Path, tmp_path: Path) -> Iterator[Shown]:
    with Index(shared) as index:
        review = index.review(count=COUNT, observer="ann")
        with showing(browser, index, review, tmp_path) as page:
            yield page


def test_it_is_the_sample_of_select_whole_and_captioned(shown: Shown) -> None:
    assert shown.paths() == sorted(one.relative_path for one in shown.index.select(COUNT))
    until(
        shown.page,
        "[...document.querySelectorAll('.tile img')].length == 12 && "
        "[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth)",
    )
    shapes = shown.page.evaluate(
        "[...document.querySelectorAll('.tile img')].map(i => "
        "[i.clientWidth / i.clientHeight, i.naturalWidth / i.naturalHeight])"
    )
    assert all(drawn == pytest.approx(own, rel=0.03) for drawn, own in shapes)
    assert shown.page.locator(".figure").first.inner_text().split() == ["12", "of", "36", "images"]
    assert shown.page.locator(".group h2").all_inner_texts()[0].startswith("cam0")
    label = shown.page.locator(".shot").first.get_attribute("aria-label")
    assert label.startswith("cam0, no time, ")
    assert shown.page.url.endswith("/")  # the token is no longer there to be copied


def test_the_keys(shown: Shown) -> None:
    page, ids = shown.page, shown.ids
    assert shown.current == ids[0]
    shown.press("ArrowRight")
    shown.press("ArrowRight")
    shown.press("ArrowLeft")
    until(page, f"document.activeElement.parentElement.dataset.id == {ids[1]}")
    shown.press("ArrowDown")
    shown.press("ArrowUp")
    until(page, f"document.activeElement.parentElement.dataset.id == {ids[1]}")
    shown.press("k", changes=True)
    assert shown.progress == "3 of 12 · 1 kept, 0 rejected"  # and goes on
    assert page.locator(".tile.kept .mark").inner_text() == "kept"
    shown.press("r", changes=True)
    assert shown.progress.endswith("1 kept, 1 rejected")
    (new,) = set(shown.ids) - set(ids)
    assert shown.current == new  # what came in its stead is what is to be judged
    assert ids[2] not in shown.ids
    shown.press("u", changes=True)
    assert shown.ids == ids
    assert shown.current == ids[2]
    shown.press("n")
    page.locator("#why").fill("a <b>fox</b>")
    shown.after(lambda: page.keyboard.press("Enter"))
    assert page.locator(".tile.current .mark").inner_text() == "a <b>fox</b>"
    shown.press("o", changes=True)
    assert shown.progress.endswith("1 rejected")
    shown.press("u", changes=True)
    shown.press("m")
    page.locator("#alike .alike-keep").nth(3).wait_for()
    alike = page.locator("#alike .alike-keep").nth(3)
    shown.after(alike.click)
    shown.press("Escape")
    assert shown.progress.endswith("2 kept, 0 rejected")
    assert len(shown.ids) == COUNT
    decided = [(one.what, one.observer, one.why) for one in shown.index.decisions("review-1")]
    assert decided == [
        ("kept", "ann", None),
        ("left", "ann", "a <b>fox</b>"),
        ("kept", "ann", None),
    ]


def test_keys_that_are_faster_than_the_server(shown: Shown) -> None:
    ids = shown.ids
    for key in "kkrk":
        shown.page.keyboard.press(key)
    until(
        shown.page, "document.getElementById('progress').textContent.includes('3 kept, 1 rejected')"
    )
    assert not {ids[2]} & set(shown.ids)
    assert {*ids[:2]} < set(shown.ids)


def test_the_buttons_do_as_the_keys(shown: Shown) -> None:
    ids = shown.ids
    shown.do("next")
    shown.do("previous")
    shown.do("keep", changes=True)
    shown.do("reject", changes=True)
    assert shown.progress == "2 of 12 · 1 kept, 1 rejected"
    shown.do("undo", changes=True)
    shown.do("none", changes=True)
    shown.do("undo", changes=True)
    shown.do("undo", changes=True)
    assert shown.ids == ids
    shown.do("undo", changes=True)
    shown.told("there is nothing to undo")
    shown.do("note")
    shown.press("Escape")
    shown.do("more")
    shown.page.locator("#alike .tile").first.wait_for()
    shown.page.locator("#alike [data-do=close]").click()
    shown.do("enlarge")
    shown.page.locator("#large img").first.wait_for()
    shown.page.locator("#large [data-do=close]").click()
    shown.page.locator("#large").wait_for(state="hidden")


def test_enlarged(shown: Shown) -> None:
    page, ids = shown.page, shown.ids
    page.locator(".tile .shot").nth(1).click()
    words, strip = page.locator("#large-words"), page.locator("#burst .shot.current")
    strip.wait_for()
    until(page, "document.querySelector('#large-picture img')?.naturalWidth == 320")
    inside = page.evaluate(
        "(() => { const a = document.querySelector('#large-picture').getBoundingClientRect(),"
        " b = document.querySelector('#large-picture img').getBoundingClientRect();"
        " return b.left >= a.left - 1 && b.right <= a.right + 1 && b.top >= a.top - 1"
        " && b.bottom <= a.bottom + 1; })()"
    )
    assert inside
    path = shown.review.images([ids[1]])[ids[1]].relative_path
    assert path in words.inner_text()
    assert page.locator("#burst .shot").count() > page.locator("#burst .shot:not(.other)").count()
    page.keyboard.press("ArrowDown")
    until(page, f"!document.getElementById('large-words').textContent.includes({path!r})")
    page.keyboard.press("ArrowUp")
    until(page, f"document.getElementById('large-words').textContent.includes({path!r})")
    page.keyboard.press("ArrowRight")
    until(page, f"document.querySelector('.tile.current').dataset.id == {ids[2]}")
    shown.press("k", changes=True)
    shown.press("r", changes=True)
    assert shown.progress.endswith("1 kept, 1 rejected")
    assert page.locator("#large").is_visible()
    page.keyboard.press("Escape")
    page.locator("#large").wait_for(state="hidden")
    until(page, "document.activeElement.closest('.tile.current')")


def test_the_slider_and_the_number_change_the_sample(shown: Shown) -> None:
    shown.after(lambda: shown.page.locator("#count").fill("7"))
    assert shown.paths() == sorted(one.relative_path for one in shown.index.select(7))
    assert shown.page.locator("#slider").get_attribute("aria-valuetext") == "7 images"
    shown.page.locator("#slider").focus()
    shown.after(lambda: shown.page.keyboard.press("End"))
    assert len(shown.ids) == 36
    shown.after(lambda: shown.page.keyboard.press("Home"))
    assert len(shown.ids) == 1
    assert "-n 1" in shown.page.locator("#command").inner_text()


def test_groups_share_a_row(shown: Shown) -> None:
    shown.after(lambda: shown.page.locator("#by").select_option("burst"))
    bottoms = "[...document.querySelectorAll('.group')].map(g => g.getBoundingClientRect().bottom)"
    found = shown.page.evaluate(bottoms)
    assert len(set(found)) < len(found)
    start = shown.page.evaluate("document.querySelector('.tile.current').dataset.id")
    shown.page.locator(".tile.current .shot").focus()
    shown.page.keyboard.press("ArrowDown")
    until(shown.page, f"document.querySelector('.tile.current').dataset.id != {start}")
    shown.page.keyboard.press("ArrowUp")
    until(shown.page, f"document.querySelector('.tile.current').dataset.id == {start}")


def test_groups(shown: Shown) -> None:
    for by, first in (("label", "deer"), ("bucket", r"[01]{4}"), ("day", "no time"),
                      ("burst", "a burst"), ("camera", "cam0")):  # fmt: skip
        shown.after(lambda by=by: shown.page.locator("#by").select_option(by))  # type: ignore[misc]
        assert re.match(first, shown.page.locator(".group h2").first.inner_text())
        assert len(shown.ids) == COUNT


OPTIONS: dict[str, tuple[str, SampleArguments]] = {
    "unit": ("burst", {"unit": "burst"}),
    "show": ("last", {"unit": "burst", "show": "last"}),
    "balance": ("camera, label", {"balance": ("camera", "label")}),
    "at_most": ("2", {"balance": "camera", "at_most": 2}),
    "share": ("camera:cam0=50%", {"share": "camera:cam0=50%"}),
    "bits": ("9", {"bits": 9}),
    "order": ("centre", {"order": "centre"}),
    "prefer": ("motion", {"prefer": "motion"}),
    "burst_seconds": ("3", {"burst_seconds": 3, "unit": "burst"}),
    "burst_distance": ("1", {"burst_distance": 1, "unit": "burst"}),
    "event_minutes": ("9", {"event_minutes": 9, "unit": "event"}),
    "under": ("cam1", {"under": "cam1"}),
    "where": ("width > 300", {"where": "width > 300"}),
    "labels": ("fox", {"labels": "fox"}),
    "not_labels": ("fox", {"not_labels": "fox"}),
    "sources": ("labels.csv", {"sources": "labels.csv", "labels": "deer"}),
    "min_confidence": ("0.5", {"min_confidence": 0.5, "labels": "deer"}),
    "within": ("first", {"within": "first"}),
    "extend": ("first", {"extend": "first"}),
    "exclude": ("first", {"exclude": "first"}),
    "since": ("2026-04-01", {"since": "2026-04-01"}),
    "until": ("2026-04-01", {"until": "2026-04-01"}),
    "rejected_by": ("zoe", {}),
}


def test_every_option_is_a_control(browser: Any, shared: Path, tmp_path: Path) -> None:
    with Index(shared) as index:
        index.select(4, save="first")
        review = index.review(count=COUNT, observer="ann")
        with showing(browser, index, review, tmp_path, faults=[]) as shown:
            page = shown.page
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            controls = page.evaluate(
                "[...document.querySelectorAll('[data-option]')].map(c => c.dataset.option)"
            )
            ours = {"files", "include", "review"}
            assert {*controls} == {*OPTIONS} == {*SampleOptions.__dataclass_fields__} - ours
            for name, (value, options) in OPTIONS.items():
                for other, given in options.items():
                    if other != name:
                        put(shown, other, given)
                put(shown, name, value)
                if options:
                    wanted = sorted(one.relative_path for one in index.select(COUNT, **options))
                    flag = f"--{name.replace('_', '-').rstrip('s' * (name in FLAGS))}"
                    until(
                        page, f"document.getElementById('command').textContent.includes({flag!r})"
                    )
                    assert shown.paths() == wanted, name
                else:
                    until(
                        page,
                        "document.getElementById('wrong').textContent.includes('decided nothing')",
                    )
                for other in {name, *options}:
                    put(shown, other, "")
        index.drop_sample("first")


FLAGS = ("labels", "not_labels", "sources")


def put(shown: Shown, name: str, value: object) -> None:
    """Set a control as a person does, and wait for what comes of it."""
    control = shown.page.locator(f"[data-option={name}]")
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    with shown.page.expect_response(lambda answer: answer.url.endswith("/api/sample")):
        if control.evaluate("c => c.tagName") == "SELECT":
            usual = {"unit": "image", "show": "moved"}.get(name, "")
            is_multiple = control.evaluate("c => c.multiple")
            control.select_option([] if is_multiple and not text else (text or usual))
        else:
            control.fill(text)
    shown.page.wait_for_timeout(10)


def test_as_for_labelling(shown: Shown) -> None:
    shown.page.locator("#how summary").click()
    shown.after(shown.page.locator("#for-labelling").click)
    command = shown.page.locator("#command").inner_text()
    assert "--order centre --unit burst --balance camera" in command
    wanted = sorted(one.relative_path for one in shown.index.select(COUNT, purpose="labelling"))
    assert shown.paths() == wanted


def test_what_cannot_be_drawn_is_said_and_the_sample_stays(shown: Shown) -> None:
    ids = shown.ids
    shown.page.locator("#how summary").click()
    shown.page.locator("#balance").fill("colour")
    shown.page.locator("#wrong", has_text="balance is camera, label").wait_for()
    assert shown.ids == ids
