"""The current folder is a memory card's: none of its files is ever imported."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest

from sdindex.cli.main import cli
from tests.conftest import make_image
from tests.support.commands import commands_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs lie elsewhere there")

SCRIPT = [str(Path(sys.executable).with_name("sdindex"))]
MODULE = [sys.executable, "-m", "sdindex"]
SAFE_MODULE = [sys.executable, "-P", "-m", "sdindex"]

COMMANDS = (
    "index . ../archive",
    "index . ../archive --method exact --progress -v",
    "select -n 3 --save mine",
    "select -n 5 --unit burst --balance camera --format csv --from list.txt",
    "select -n 3 --format coco -o ../coco.json",
    "select -n 3 --format camtrap-dp --utc-offset +01:00 --without-time skip -o ../camtrap",
    "select -n 2 --where width>1 --copy-to ../copies",
    "samples list",
    "samples show mine",
    "samples split mine --by none --into a=50,b=50",
    "samples card mine",
    "buckets -n 3",
    "quality mine",
    "cameras",
    "similar ../archive/IMG_0.JPG",
    "duplicates",
    "report -n 3 -o ../page.html",
    "labels import labels.csv",
    "labels list --format json",
    "labels export -o ../results.json",
    "labels drop labels.csv",
    "--db ../shard.db index ../archive --shard 1/1",
    "--db ../merged.db merge ../shard.db",
    "copy ../merged.db ../copied.db",
    "status",
    "errors",
    "errors --format json",
    "sql hamming",
    "samples drop mine",
    "prune",
    "relocate ../archive ../elsewhere",
    "help",
    "help reference",
    "--version",
    "select --help",
)

# What reads images, and what imports most.
FEW = tuple(command for command in COMMANDS if "exact" in command or command.startswith("report"))


def leaves(command: click.Command, *names: str) -> Iterator[str]:
    """Return every command that is no group, by its full name."""
    if isinstance(command, click.Group):
        for name, inner in commands_of(command).items():
            yield from leaves(inner, *names, name)
    else:
        yield " ".join(names)


def test_every_command_is_run_below() -> None:
    for name in set(leaves(cli)) - {"review"}:  # which ends by Ctrl-C alone
        assert any(f" {command} ".count(f" {name} ") for command in COMMANDS), name


def of_python_itself(card: Path, arguments: list[str], environment: dict[str, str]) -> set[str]:
    """Return what Python, or pip's script, imports before a program's first line."""
    code = "import re, sys; print(*sys.modules)\n"
    (card / "nothing_at_all.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *arguments], cwd=card, env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    (card / "nothing_at_all.py").unlink()
    return set(done.stdout.split())


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Return a card with an image, beside an archive."""
    card = tmp_path / "card"
    make_image(card / "DCIM/IMG_1.JPG", 1)
    for seed in range(4):
        make_image(tmp_path / "archive" / f"IMG_{seed}.JPG", seed + 10)
    (card / "list.txt").write_text("../archive/IMG_0.JPG\n", encoding="utf-8")
    (card / "labels.csv").write_text("path,label\nIMG_0.JPG,fox\n", encoding="utf-8")
    return card


def make_hostile(card: Path, spared: set[str]) -> Path:
    """Put a file for each module that there is onto the card; return where one says that it ran."""
    ran = card.parent / "ran"
    code = f"open({str(ran)!r}, 'a').write(__name__ + '\\n')\nraise SystemExit('run')\n"
    names = {*sys.stdlib_module_names, *packages_distributions(), "sdindex", "sitecustomize"}
    for name in filter(str.isidentifier, names - spared):
        (card / f"{name}.py").write_text(code, encoding="utf-8")
    return ran


def run_commands(
    program: list[str], card: Path, environment: dict[str, str], commands: Sequence[str] = COMMANDS
) -> None:
    for command in commands:
        words = command.split()
        if words[0] == "sql":
            words[1] = "SELECT path, hamming(dhash, 0) FROM image"
        if words[0] == "relocate":
            (card.parent / "archive").rename(card.parent / "elsewhere")
        done = subprocess.run(
            [*program, *words], cwd=card, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)


def environment(**more: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return plain | more


@pytest.mark.parametrize(
    ("program", "commands"),
    [(SCRIPT, COMMANDS), (SAFE_MODULE, FEW)],
    ids=["script", "module-P"],
)
def test_a_card_that_holds_every_module(
    card: Path, program: list[str], commands: Sequence[str]
) -> None:
    ran = make_hostile(card, set())
    run_commands(program, card, environment(), commands)
    assert not ran.exists(), ran.read_text()


def test_a_card_and_python_m(card: Path) -> None:
    """What Python imports before our first line, our own name among it, we cannot prevent."""
    spared = of_python_itself(card, ["-m", "nothing_at_all"], environment())
    ran = make_hostile(card, spared | {"sdindex"})
    run_commands(MODULE, card, environment(), FEW)
    assert not ran.exists(), ran.read_text()


@pytest.mark.parametrize("program", [SCRIPT, MODULE], ids=["script", "module"])
def test_a_card_and_an_empty_entry_of_the_path(card: Path, program: list[str]) -> None:
    given = environment(PYTHONPATH=f"{os.pathsep}{card.parent}")
    spared = of_python_itself(card, ["-m", "nothing_at_all"], given)
    ran = make_hostile(card, spared | {"sdindex", "sitecustomize", "usercustomize"})
    run_commands(program, card, given, FEW)
    assert not ran.exists(), ran.read_text()


def test_a_card_and_the_page(card: Path) -> None:
    pytest.importorskip("uvicorn", reason="the page's server is not installed: sdindex[review]")
    ran = make_hostile(card, set())
    run_commands(SCRIPT, card, environment(), ("index .",))
    command = [*SCRIPT, "review", "--no-browser", "-n", "1"]
    with subprocess.Popen(
        command, cwd=card, env=environment(), stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        with urllib.request.urlopen(address) as page:  # noqa: S310  (it is this machine's)
            assert page.status == 200
        server.send_signal(signal.SIGINT)
    assert not ran.exists(), ran.read_text()


LIBRARY = """
from sdindex import Index, SdindexError, sample_diverse
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    with Index("sdindex.db") as index:
        print(index.update(".", "../archive"))
        index.select(3, save="mine", balance="camera")
        index.quality(name="mine")
        index.report(3)
        index.import_labels("labels.csv")
        index.cameras(), index.labels(), index.buckets(), index.status(), index.errors()
        with index.sql("SELECT hamming(1, 2)") as answer:
            list(answer.rows)
    sample_diverse(["../archive/IMG_0.JPG"], 1, show_progress=False, index="other.db")
"""


def test_a_card_and_the_library(card: Path, tmp_path: Path) -> None:
    ran = make_hostile(card, set())
    script = tmp_path / "scripts" / "use.py"
    script.parent.mkdir()
    script.write_text(LIBRARY, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=card, env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 new" in done.stdout
    assert not ran.exists(), ran.read_text()
