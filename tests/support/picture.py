"""The picture of a report page in the README, taken by a Chromium without a window."""

import io
import tempfile
from pathlib import Path

from PIL import Image

from sdindex import Index
from tests.support.chromium import chromium
from tests.support.documents import made_archive


def take(picture: Path) -> None:
    """Write the upper part of a report on the made archive, as a JPEG."""
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "report.html"
        with Index(Path(name) / "sdindex.db") as index:
            index.update(made_archive())
            html = index.report(40, unit="burst", balance="camera")
        # As in a reader's own folder, not in those of this run.
        html = html.replace(f"--db {name}/sdindex.db ", "")
        html = html.replace(str(made_archive()), "/home/researcher/archive")
        page.write_text(html, encoding="utf-8")
        shown = _screenshot(page)
    Image.open(io.BytesIO(shown)).convert("RGB").save(
        picture, quality=82, optimize=True, progressive=True
    )


def _screenshot(page: Path) -> bytes:
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1200, "height": 900})
        tab.goto(page.as_uri())
        tab.wait_for_timeout(1500)  # milliseconds: the charts are drawn
        shown: bytes = tab.screenshot()
        return shown
