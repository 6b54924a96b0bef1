"""The README's commands are run, and print what it says that they print."""

import os
import re
import runpy
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest

from sdindex import Index
from sdindex.cli.main import cli
from tests.conftest import CHECKOUT

TEXT = (CHECKOUT / "README.md").read_text(encoding="utf-8")
# What differs from run to run and from machine to machine: times, and the size of a file.
VARYING = re.compile(
    r"in \d+\.\d s( \([\d,]+ images/s\))?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?=\n| {2})|, \d+\.\d MB"
)


def masked(text: str) -> list[str]:
    return VARYING.sub("…", text).splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="the README shows what Linux prints")
def test_every_command_prints_what_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", programs)
    rewritten = runpy.run_path(str(CHECKOUT / "scripts" / "readme"))["rewritten"]
    assert masked(rewritten(TEXT)) == masked(TEXT)


def test_the_questions_in_sql_have_answers(db: Path, archive: Path) -> None:
    with Index(db) as index:
        index.update(archive)
        (archive / "cam0/IMG_1.JPG").unlink()
        shutil.copy(archive / "cam0/IMG_3.JPG", archive / "cam1/same.JPG")
        index.update(archive)
    questions = re.findall(r"^```sql\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(questions) == 5
    with closing(sqlite3.connect(db)) as connection:
        for question in questions:
            assert connection.execute(question).fetchall()


def test_every_command_is_in_the_reference() -> None:
    for name, command in cli.commands.items():
        inner = command.commands if isinstance(command, click.Group) else {}
        for full in [f"{name} {one}" for one in inner] or [name]:
            assert f"$ sdindex {full} --help\n" in TEXT


def test_the_python_examples_run(tmp_path: Path, archive: Path) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert examples
    for number, example in enumerate(examples):
        script = tmp_path / f"example{number}.py"
        script.write_text(example, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_demo_runs_and_shows_that_only_changes_are_read() -> None:
    demo = [sys.executable, str(CHECKOUT / "scripts" / "demo")]
    done = subprocess.run(demo, capture_output=True, text=True, check=True)
    assert "1 new, 1 changed, 144 moved, 140 unchanged" in done.stderr
    assert "2 read in" in done.stderr
