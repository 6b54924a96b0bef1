"""A review's page in a browser, worked as a person would."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sdindex import Index
from sdindex.reviewing import Review
from sdindex.web.page import served

_PATIENCE = 15_000  # milliseconds
_STEP = 15
_UNTIL = """new Promise((done, fail) => {
  const begun = performance.now();
  const look = () => {
    try {
      if (%s) done();
      else if (performance.now() - begun > %d) fail(new Error(%s));
      else setTimeout(look, %d);
    } catch (wrong) {
      fail(wrong);
    }
  };
  look();
})"""


def until(page: Any, expression: str) -> None:
    """Wait until something is true of a page: its policy lets playwright's own way run nothing."""
    page.evaluate(_UNTIL % (expression, _PATIENCE, json.dumps(f"in vain: {expression}"), _STEP))


def _unexpected(shown: Any) -> list[str]:
    """Return what a browser says, but that a question was refused: that is told on the page."""
    return [] if "status of 400" in shown.text else [f"{shown.type}: {shown.text}"]


def _elsewhere(url: str, origin: str) -> list[str]:
    return [] if url.startswith((origin, "blob:")) else [url]


class Shown:
    """A page that is open, and its review."""

    def __init__(self, page: Any, index: Index, review: Review, address: str) -> None:
        self.page, self.index, self.review, self.address = page, index, review, address

    def after(self, act: Callable[[], object]) -> None:
        """Do something that changes the sample, and wait until it is shown."""
        before = self.page.evaluate("Number(document.body.dataset.shown)")
        act()
        until(self.page, f"Number(document.body.dataset.shown) > {before}")

    def press(self, key: str, *, changes: bool = False) -> None:
        if changes:
            self.after(lambda: self.page.keyboard.press(key))
        else:
            self.page.keyboard.press(key)

    def do(self, name: str, *, changes: bool = False) -> None:
        button = self.page.locator(f"#bar [data-do={name}]")
        self.after(button.click) if changes else button.click()

    @property
    def ids(self) -> list[int]:
        tiles = "[...document.querySelectorAll('#sheet .tile')]"
        return [int(row) for row in self.page.evaluate(f"{tiles}.map(tile => tile.dataset.id)")]

    @property
    def current(self) -> int:
        return int(self.page.locator("#sheet .tile.current").get_attribute("data-id"))

    @property
    def progress(self) -> str:
        return str(self.page.locator("#progress").inner_text())

    def paths(self) -> list[str]:
        return sorted(one.relative_path for one in self.review.images(self.ids).values())

    def told(self, text: str) -> None:
        until(self.page, f"document.getElementById('told').textContent.includes({text!r})")


@contextmanager
def showing(
    browser: Any,
    index: Index,
    review: Review,
    cache: Path,
    *,
    faults: list[str] | None = None,
    read_only: bool = False,
    **options: Any,
) -> Iterator[Shown]:
    """Serve a review and open its page; at the end, fail on any error and any other request."""
    wrong: list[str] = [] if faults is None else faults
    with served(index, review, workers=2, cache=cache, read_only=read_only) as address:
        context = browser.new_context(**options)
        page = context.new_page()
        origin = address.split("?")[0]
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda shown: wrong.extend(_unexpected(shown)))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: wrong.extend(_elsewhere(request.url, origin)))
        page.goto(address)
        until(page, "document.body.dataset.shown")
        yield Shown(page, index, review, address)
        context.close()
    assert wrong == [] or faults is not None
