"""The page of a review: how long a new sample takes in the browser when the slider moves."""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from sdindex import Index
from sdindex.web.page import served
from tests.bench.made import index_of
from tests.bench.rows import Row
from tests.bench.sizes import Sizes
from tests.support.chromium import chromium

_SMALL = 10_000  # images
_MOVES = 6  # for each run; one when there is none
_TARGET = "150 ms"
# Moves the slider, and waits until the sample is there: in milliseconds.
_MOVE = """value => new Promise(done => {
  const before = document.body.dataset.shown, slider = document.getElementById("slider");
  const begin = performance.now();
  new MutationObserver((_, watch) => {
    if (document.body.dataset.shown === before) return;
    watch.disconnect();
    done(performance.now() - begin);
  }).observe(document.body, {attributes: true});
  slider.value = value;
  slider.dispatchEvent(new Event("input", {bubbles: true}));
})"""
_WAYS: dict[str, dict[str, Any]] = {
    "the plain rule": {},
    "as for labelling": {"purpose": "labelling"},
}


def reviewing(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Move the slider of a review between 100 and some thousand images."""
    try:
        yield from _rows(folder, sizes)
    except pytest.skip.Exception as why:
        print(f"not measured: {why}", file=sys.stderr)


def _rows(folder: Path, sizes: Sizes) -> Iterator[Row]:
    moves = sizes.runs * _MOVES or 1
    for images in sorted({min(_SMALL, sizes.images), sizes.images}):
        db = index_of(folder / f"review-{images}.db", Path(f"/data/review-{images}"), images)
        for way, options in _WAYS.items():
            times = _times(db, folder / "thumbnails", options, moves)
            what = f"review: a new sample in the browser, {way}, {images:,} images"
            shown = f"{median(times):.0f} ms (most: {max(times):.0f} ms)"
            yield Row(what, shown, target=_TARGET)


def _times(db: Path, cache: Path, options: dict[str, Any], moves: int) -> list[float]:
    with Index(db) as index, chromium() as browser:
        review = index.review(count=100, observer="bench", **options)
        with served(index, review, workers=2, cache=cache) as address:
            page = browser.new_page()
            page.set_default_timeout(600_000)
            page.goto(address)
            page.wait_for_selector("#figures .figure")
            return [page.evaluate(_MOVE, 400 + 311 * move % 400) for move in range(1, moves + 1)]
