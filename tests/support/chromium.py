"""A Chromium without a window, for the tests of pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the system's Chromium, or playwright's own; skip the test where there is none."""
    if reason := os.environ.get("SDINDEX_NO_BROWSER"):  # set by scripts/test
        missing(reason)
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    with playwright.sync_playwright() as driver:
        try:
            opened = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except playwright.Error as problem:
            missing(str(problem).splitlines()[0])
        yield opened
        opened.close()


def missing(reason: str) -> NoReturn:
    """Skip a test that needs a browser, but never where nobody would see that it was."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"no browser, in CI: {reason}")
    pytest.skip(f"no browser: {reason}")
