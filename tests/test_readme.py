"""The README and the topics: their examples are run, and print what they say that they print."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT
from tests.support.documents import (
    BLOCK,
    HELP,
    PICTURE,
    README,
    REFERENCE,
    ExampleError,
    documents,
    masked,
    rewritten,
)

TOPICS = {
    "changes", "sampling", "growing", "quality", "alike", "formats", "sql", "python", "moving",
    "performance", "promises", "reference", "design", "news", "team", "cloud", "cluster",
    "review", "smartdownsample",
}  # fmt: skip
OTHERS = sorted(CHECKOUT.glob(".github/*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def named(document: Path) -> str:
    return document.stem


@pytest.mark.skipif(sys.platform != "linux", reason="the documents show what Linux prints")
@pytest.mark.parametrize("document", documents(), ids=named)
def test_every_example_prints_what_is_shown(document: Path) -> None:
    assert masked(rewritten(document)) == masked(document.read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", documents(), ids=named)
def test_every_block_is_of_a_kind_that_is_run_or_is_no_example(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    kinds = {block["kind"] for block in BLOCK.finditer(text)}
    assert kinds <= {"console", "python", "sql", "text", "sh"}
    assert len(re.findall("^```", text, re.MULTILINE)) == 2 * (
        len(list(BLOCK.finditer(text)))
        + sum(block["printed"] is not None for block in BLOCK.finditer(text))
    )


def test_every_topic_is_there_and_begins_with_its_title() -> None:
    assert {path.stem for path in HELP.glob("*.md")} == TOPICS
    for path in HELP.glob("*.md"):
        assert re.match(r"# [A-Z].*\n\n", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", sorted(HELP.glob("*.md")), ids=named)
def test_drawings_fit_on_a_terminal(document: Path) -> None:
    for block in BLOCK.finditer(document.read_text(encoding="utf-8")):
        if block["kind"] == "text" and document != REFERENCE:
            assert max(map(len, block["body"].splitlines())) <= 78  # of 80: a margin is drawn


@pytest.mark.parametrize("document", [*documents(), *OTHERS], ids=named)
def test_every_link_leads_to_a_file(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def test_the_readme_is_short_and_leads_to_every_topic() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    for topic in TOPICS:
        assert f"(sdindex/help/{topic}.md)" in text
    assert PICTURE.relative_to(CHECKOUT).as_posix() in text
    assert 0 < PICTURE.stat().st_size < 200_000


def test_the_design_names_every_room_and_module() -> None:
    text = (HELP / "design.md").read_text(encoding="utf-8")
    rooms = {f"{path.parent.name}/" for path in (CHECKOUT / "sdindex").glob("*/__init__.py")}
    modules = {path.name for path in (CHECKOUT / "sdindex").glob("[!_]*.py")}
    for name in rooms | modules:
        assert name in text, name


def test_the_site_has_every_topic() -> None:
    conf = (CHECKOUT / ".github" / "site" / "conf.py").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^TOPICS = (\(.*?\))", conf, re.MULTILINE | re.DOTALL)
    assert sorted(ast.literal_eval(listed)) == sorted(TOPICS)


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are a POSIX shell's")
@pytest.mark.parametrize(
    "example",
    [
        "```console\n$ sdindex select\n```\n",
        "```python\nprint(1 / 0)\n```\n",
        "```sql\nSELECT 1 WHERE 0;\n```\n",
    ],
)
def test_an_example_that_fails_is_told(tmp_path: Path, example: str) -> None:
    document = tmp_path / "topic.md"
    document.write_text(example, encoding="utf-8")
    with pytest.raises(ExampleError):
        rewritten(document)


def test_the_demo_says_what_it_does() -> None:
    demo = [sys.executable, str(CHECKOUT / "scripts" / "demo"), "--help"]
    done = subprocess.run(demo, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Show what sdindex does")


def test_the_demo_shows_index_grow_sample_labels_and_report() -> None:
    demo = [sys.executable, str(CHECKOUT / "scripts" / "demo"), "--here"]
    done = subprocess.run(demo, capture_output=True, text=True, check=True)
    assert "72 new, 1 changed, 144 moved, 140 unchanged" in done.stderr
    assert "73 read in" in done.stderr
    assert "288 images labelled" in done.stderr
    typed = re.findall(r"^\$ sdindex (\w+)", done.stdout, re.MULTILINE)
    assert {"index", "errors", "labels", "select", "status", "report"} == set(typed)
    _, grown = done.stdout.split("--extend spring")
    assert len(re.findall(r"^[^#$\n].*\.JPG$", grown.split("\n#")[0], re.MULTILINE)) == 16
    assert (CHECKOUT / ".demo" / "report.html").stat().st_size > 100_000
