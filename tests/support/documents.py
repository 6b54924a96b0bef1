"""The README and the topics of `sdindex help`: their examples are run in a made archive.

Examples are fenced blocks, run in the order of the document and in one new folder:

- `console`: commands behind `$`, and what they print below each. A command may fail where an
  `Error:` is shown.
- `python`: a script. A block marked `text` right below it is what the script prints.
- `sql`: a question to the index, which must have an answer.

A topic begins with the archive of `scripts/make_archive` and its index; the README makes both.

The archive and its index are made once and copied for each document, always to the same place.
What a topic types is run in this process where it needs no shell; the README's commands, pipes
and scripts are programs that are started, as a reader starts them.
"""

import atexit
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, closing, contextmanager
from functools import cache
from pathlib import Path

from click.testing import CliRunner

from sdindex.cli.main import cli

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
MAKE = "python scripts/make_archive archive"
EXAMPLES = {"console", "python", "sql"}
SHELL = {"|", ">", "<", "2>"}  # words of the shell's own in an example
# What differs from run to run and from machine to machine: times, and the size of a file.
VARYING = re.compile(
    r"in \d+\.\d s( \([\d,]+ images/s\))?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?=\n| {2})|, \d+\.\d MB"
)


Typed = Callable[[str, Path], tuple[bool, str]]  # a command in a folder: failed, and its output


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
    if not any(block["kind"] in EXAMPLES for block in BLOCK.finditer(text)):
        return text
    typed = _begun if document == README else _typed
    with _folder(prepared=document != README) as folder:
        return BLOCK.sub(lambda block: _run(block, folder, typed), text)


@contextmanager
def _folder(*, prepared: bool) -> Iterator[Path]:
    folder = _place()
    try:
        if prepared:
            shutil.copytree(_indexed(folder), folder, symlinks=True)
        else:
            _make(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(command: str, folder: Path) -> str:
    failed, output = _started(command, folder)
    if failed:
        raise ExampleError(f"{command}\n{output}")
    return output


def _make(folder: Path) -> None:
    folder.mkdir()
    (folder / "scripts").symlink_to(CHECKOUT / "scripts")


@cache
def _place() -> Path:
    """Return where all examples are run: an index knows where its archive lies."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.rmdir()
    return folder


@cache
def _kept() -> Path:
    """Return a folder that goes when Python ends."""
    folder = Path(tempfile.mkdtemp(prefix="sdindex-documents-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def made_archive() -> Path:
    """Return the archive of scripts/make_archive, made once."""
    return _made()[0]


@cache
def _made() -> tuple[Path, str]:
    """Return the archive, and what was printed when it was made."""
    _make(_kept() / "made")
    return _kept() / "made" / "archive", _prepared(MAKE, _kept() / "made")


@cache
def _indexed(place: Path) -> Path:
    """Return what a topic begins with, made once in the place that it is copied to."""
    _make(place)
    shutil.copytree(made_archive(), place / "archive")
    _prepared("sdindex index --quiet archive", place)
    return place.rename(_kept() / "indexed")


def _run(block: re.Match[str], folder: Path, typed: Typed) -> str:
    kind, body, printed = block["kind"], block["body"], block["printed"]
    if kind == "console":
        return block[0].replace(body, _console(body, folder, typed), 1)
    if kind == "python":
        output = _python(body, folder)
        if printed is not None:
            return f"```python\n{body}```\n\n```text\n{output}```\n"
    if kind == "sql":
        _ask(body, folder)
    return block[0]


_SETTLED = 2.1  # seconds: a file that was changed later is read again, in case it changes once more


def _console(body: str, folder: Path, typed: Typed) -> str:
    shown = []
    for line in body.splitlines():
        if line.startswith("$ "):
            command = line.removeprefix("$ ")
            failed, output = typed(command, folder)
            if failed and "\nError: " not in body:
                raise ExampleError(f"{command}\n{output}")
            if command.startswith(("cp ", "touch ")):
                time.sleep(_SETTLED)
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


def _begun(command: str, folder: Path) -> tuple[bool, str]:
    """Run a command as the reader's first ones are; the same archive is made once."""
    if command != MAKE:
        return _started(command, folder)
    archive, output = _made()
    shutil.copytree(archive, folder / "archive")
    return False, output


def _typed(command: str, folder: Path) -> tuple[bool, str]:
    """Run a command in this process, if it is one of ours alone."""
    words = shlex.split(command)
    if words[0] != "sdindex" or SHELL.intersection(words):
        return _started(command, folder)
    with chdir(folder):
        done = CliRunner(env={"COLUMNS": COLUMNS}).invoke(cli, words[1:], prog_name="sdindex")
    return bool(done.exit_code), done.output


def _started(command: str, folder: Path) -> tuple[bool, str]:
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
    return bool(done.returncode), done.stdout


def _as_shown(output: str, folder: Path) -> str:
    shown = output.replace(str(folder), SHOWN_FOLDER)
    return "".join(f"{line.rstrip()}\n" for line in shown.splitlines())
