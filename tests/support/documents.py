"""The README and the topics of `sdindex help`: their examples are run in a made archive.

Examples are fenced blocks, run in the order of the document and in one new folder:

- `console`: commands behind `$`, and what they print below each. A command may fail where an
  `Error:` is shown.
- `python`: a script. A block marked `text` right below it is what the script prints.
- `sql`: a question to the index, which must have an answer.

A topic begins with the archive of `scripts/make_archive` and its index; the README makes both.
"""

import atexit
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
README = CHECKOUT / "README.md"
HELP = CHECKOUT / "sdindex" / "help"
REFERENCE = HELP / "reference.md"
PICTURE = CHECKOUT / ".github" / "report.jpg"

SHOWN_FOLDER = "/home/researcher"  # as long as a temporary folder's name: tables stay aligned
COLUMNS = "100"
BLOCK = re.compile(
    r"^```(?P<kind>\w+)\n(?P<body>.*?)^```\n(?:\n```text\n(?P<printed>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
# What differs from run to run and from machine to machine: times, and the size of a file.
VARYING = re.compile(
    r"in \d+\.\d s( \([\d,]+ images/s\))?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?=\n| {2})|, \d+\.\d MB"
)


class ExampleError(Exception):
    """An example of a document does not run."""


def documents() -> list[Path]:
    """Return the README and every topic."""
    return [README, *sorted(HELP.glob("*.md"))]


def masked(text: str) -> list[str]:
    """Return the lines of a document, without what differs from run to run."""
    return VARYING.sub("…", text).splitlines()


def rewritten(document: Path) -> str:
    """Return a document with what its examples print when they are run.

    Raises
    ------
    ExampleError
        When an example fails.
    """
    text = document.read_text(encoding="utf-8")
    with _folder(prepared=document != README) as folder:
        return BLOCK.sub(lambda block: _run(block, folder), text)


@contextmanager
def _folder(*, prepared: bool) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        (folder / "scripts").symlink_to(CHECKOUT / "scripts")
        if prepared:
            shutil.copytree(made_archive(), folder / "archive")
            _shell("sdindex index --quiet archive", folder)
        yield folder


@cache
def made_archive() -> Path:
    """Return the archive of scripts/make_archive, made once; it goes when Python ends."""
    made = Path(tempfile.mkdtemp(prefix="sdindex-documents-")) / "archive"
    atexit.register(shutil.rmtree, made.parent, ignore_errors=True)
    _shell(f"python scripts/make_archive {made}", CHECKOUT)
    return made


def _run(block: re.Match[str], folder: Path) -> str:
    kind, body, printed = block["kind"], block["body"], block["printed"]
    if kind == "console":
        return block[0].replace(body, _console(body, folder), 1)
    if kind == "python":
        output = _python(body, folder)
        if printed is not None:
            return f"```python\n{body}```\n\n```text\n{output}```\n"
    if kind == "sql":
        _ask(body, folder)
    return block[0]


_SETTLED = 2.1  # seconds: a file that was changed later is read again, in case it changes once more


def _console(body: str, folder: Path) -> str:
    shown = []
    for line in body.splitlines():
        if line.startswith("$ "):
            output = _shell(line.removeprefix("$ "), folder, may_fail="\nError: " in body)
            shown.append(f"{line}\n{_as_shown(output, folder)}")
    return "".join(shown)


def _python(body: str, folder: Path) -> str:
    script = folder / "example.py"
    script.write_text(body, encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, script.name], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode or done.stderr:
            raise ExampleError(f"{body}\n{done.stderr}")
        return _as_shown(done.stdout, folder)
    finally:
        script.unlink()


def _ask(question: str, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "sdindex.db")) as connection:
        if not connection.execute(question).fetchall():
            raise ExampleError(f"no answer: {question}")


def _shell(command: str, folder: Path, *, may_fail: bool = False) -> str:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S602  (as a reader would type it)
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": COLUMNS, "PATH": programs},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode and not may_fail:
        raise ExampleError(f"{command}\n{done.stdout}")
    if not command.startswith(("sdindex", "python")):  # it may have changed a file
        time.sleep(_SETTLED)
    return done.stdout


def _as_shown(output: str, folder: Path) -> str:
    shown = output.replace(str(folder), SHOWN_FOLDER)
    return "".join(f"{line.rstrip()}\n" for line in shown.splitlines())
