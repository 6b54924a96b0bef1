"""The benchmark's short form: each part runs, and what it measures becomes a table and a page."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.costs import Cost
from tests.bench.rows import HEADER, compared
from tests.conftest import CHECKOUT, make_image
from tests.support import servers

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory and find are others there")


@linux
def test_each_part_runs_and_becomes_a_table_and_a_page(tmp_path: Path) -> None:
    make_image(tmp_path / "pictures" / "IMG_1.JPG", size=(640, 480))
    page = tmp_path / "bench.html"
    small = ["--runs", "0", "--originals", "2", "--decoded", "1", "--far", "8", "--files", "200",
             "--images", "3000", "--shards", "4",
             "--pictures", str(tmp_path / "pictures")]  # fmt: skip
    command = [sys.executable, str(CHECKOUT / "scripts" / "bench"), "--here", *small]
    done = subprocess.run([*command, "--page", page], check=True, capture_output=True, text=True)
    rows = [line.strip("|").split(" | ") for line in done.stdout.splitlines() if line[:2] == "| "]
    assert rows[0] == [" what", *HEADER[1:-1], f"{HEADER[-1]} "]
    begin = [row[0].split()[0].strip(",") for row in rows[1:]]
    assert list(dict.fromkeys(begin)) == [
        "index", "the", "read", "select", "frame", "buckets", "similar", "duplicates", "quality",
        "drawing", "labels", "merge", *([] if servers.missing() else ["storing"]),
        *([] if "no browser" in done.stderr else ["review:"]),
    ]  # fmt: skip
    assert [row[0].strip() for row in rows if "from 3,000" in row[0]][-3:] == [
        "select -n 10 from 3,000",
        "select -n 1,000 from 3,000",
        "select -n 1,500 from 3,000",
    ]
    assert all(row[1].endswith((" s", " MB", " bytes each", " ms)")) for row in rows[1:])
    assert "\ndrawing 1,000 of 3,000                     " in done.stdout
    assert "\u2588" * 8 in done.stdout, "the bar of what took the longest"
    text = page.read_text()
    assert text.count('class="plotly-graph-div"') == 2
    assert all(row[0].strip() in text for row in rows if "from 3,000" in row[0])
    assert "Error" not in done.stderr


def test_a_part_that_is_none_is_refused_with_those_there_are() -> None:
    command = [sys.executable, str(CHECKOUT / "scripts" / "bench"), "--here", "hashes"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no such part: hashes; there are hashing, formats" in done.stderr


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    ours = [Cost(wall, 0, 0) for wall in (1, 2, 9)]
    theirs = [Cost(wall, 0, 0) for wall in (2, 2, 3)]
    row = compared("what", ours, "other", theirs, "wall", "at most 2")
    assert (row.ours, row.theirs, row.ratio) == ("2.00 s", "2.00 s", "**1.00 times**")
    row = compared("what", ours, "other", theirs, "wall", "twice faster")
    assert row.ratio == "**1.0 times faster**"
