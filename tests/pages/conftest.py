"""A report in a real browser, which is started once for the tests of a file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.chromium import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open a page; at the end, fail on any console error and any request that leaves it."""
    faults: list[str] = []
    contexts = []

    def open_page(html: str, **options: Any) -> Any:
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda shown: faults.append(f"{shown.type}: {shown.text}"))
        page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: (
                faults.append(request.url)
                if not request.url.startswith((file.as_uri(), "data:"))
                else None
            ),
        )
        page.goto(file.as_uri())
        page.wait_for_selector("#chart-map .points path")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
