import filecmp
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sdindex import Index
from tests.bench.ways import OTHERS, OURS, PEER
from tests.conftest import CHECKOUT


def make(out: Path, *options: str) -> Path:
    command = [sys.executable, str(CHECKOUT / "scripts" / "make_archive"), str(out), *options]
    subprocess.run(command, check=True, capture_output=True)
    return out


SMALL = ("--cameras", "3", "--days", "2", "--bursts", "3", "--width", "160", "--height", "120")


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one = make(tmp_path / "one", *SMALL, "--workers", "1")
    other = make(tmp_path / "other", *SMALL, "--workers", "2")
    third = make(tmp_path / "third", *SMALL, "--seed", "2")
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert len(files) == 3 * 2 * 3 * 3 + 1
    _, mismatch, missing = filecmp.cmpfiles(one, other, map(str, files), shallow=False)
    assert (mismatch, missing) == ([], [])
    assert (one / "labels.csv").read_text() != (third / "labels.csv").read_text()


def test_the_archive_has_what_a_real_one_has(tmp_path: Path) -> None:
    archive = make(tmp_path / "archive", *SMALL, "--broken", "0.1", "--seed", "4")
    folders = {path.parent.name for path in archive.rglob("*.JPG")}
    assert {"100RECNX", "101RECNX", "100_BTCF", "100EK113"} <= folders
    with Index(tmp_path / "sdindex.db") as index:
        summary = index.update(archive)
        sample = index.select(1000)
    assert summary.found == 54
    assert 0 < summary.unreadable < 20
    assert all(one.taken_at is not None and one.width == 160 for one in sample)
    one = archive / sample[0].relative_path
    with Image.open(one) as image:
        thumbnail = image.getexif().get_ifd(-1)
        assert thumbnail[513] > 0
        assert thumbnail[514] > 500


def test_compare_holds_samples_against_each_other(tmp_path: Path) -> None:
    script, page = CHECKOUT / "scripts" / "compare", tmp_path / "compare.html"
    archive = make(tmp_path / "archive", *SMALL, "--broken", "0")
    command = [sys.executable, str(script), "--here", str(archive), str(archive / "labels.csv")]
    done = subprocess.run(
        [*command, "--splits", "2", "--page", str(page)], check=True, capture_output=True, text=True
    )
    first, *lines = done.stdout.splitlines()
    assert first.startswith("54 images in 19 bursts; 54 labelled, ")
    assert first.endswith("; 2 splits.")
    cells = [line.strip("| ").split(" | ") for line in lines if line.strip("|-")]
    figures = ["labels reached", "recall by what the index holds"]
    assert [row[0] for row in cells if row[1] == "2%"] == figures, "none of the labels is rare"
    ways = list(dict.fromkeys(row[0] for row in cells if row[1] != "2%"))
    assert {*OURS, *OTHERS, PEER} == set(ways)
    values = [float(cell.split(" ± ")[0]) for row in cells if row[1] != "2%" for cell in row[1:]]
    assert len(values) == 2 * 4 * len(ways)
    assert all(0 <= value <= 1 for value in values)
    text = page.read_text()
    assert text.count('class="plotly-graph-div"') == len(figures)
    assert all(way in text for way in ways)
    assert done.stderr == ""


def test_bench_runs_where_all_is_that_its_parts_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of a review, and a browser: that is, where the tests run."""
    entered: list[tuple[str, ...]] = []

    def enter(*where: str) -> None:
        entered.append(where)
        sys.exit()

    monkeypatch.syspath_prepend(str(CHECKOUT / "scripts"))
    monkeypatch.setattr("environment.enter", enter)
    monkeypatch.setattr(sys, "argv", ["bench", "labels"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(CHECKOUT / "scripts" / "bench"), run_name="__main__")
    assert entered == [("test", "[test]")]
