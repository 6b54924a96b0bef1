"""The package as others meet it: its names, its version, its examples."""

import doctest
import importlib
import os
import pkgutil
import rlcompleter
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sdindex
from sdindex import Index
from tests.conftest import CHECKOUT


def test_its_public_names_are_shown_and_are_there() -> None:
    shown = {name for name in dir(sdindex) if not name.startswith("_")}
    assert shown == {name for name in sdindex.__all__ if not name.startswith("_")}
    assert {"Index", "SdindexError", "SampleOptions", "sample_diverse"} <= shown
    for name in sdindex.__all__:
        assert getattr(sdindex, name) is not None
    completer = rlcompleter.Completer({"sdindex": sdindex})
    assert str(completer.complete("sdindex.Ind", 0)).startswith("sdindex.Index")


def test_it_knows_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sdindex", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == sdindex.__version__


def test_it_imports_nothing_before_it_is_used() -> None:
    code = "import sys; before = set(sys.modules); import sdindex; print(set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'sdindex'}"


MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(sdindex.__path__, "sdindex.")
    if "migrations" not in module.name and module.name != "sdindex.__main__"
)


def test_the_examples_of_docstrings_run(
    archive: Path, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    index.update(archive)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for name in MODULES:
        module = importlib.import_module(name)
        for example in doctest.DocTestFinder().find(module, extraglobs={"index": index}):
            runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
    assert runner.tries >= 5


def test_run_from_inside_a_zip_it_says_what_it_cannot_do(tmp_path: Path, archive: Path) -> None:
    packed = tmp_path / "sdindex.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for folder in (Path(sdindex.__path__[0]), CHECKOUT / "migrations"):
            for path in folder.rglob("*.*"):
                if path.suffix != ".pyc":
                    file.write(path, path.relative_to(folder.parent))
    environment = {**os.environ, "PYTHONPATH": str(packed)}
    program = [sys.executable, "-P", "-m", "sdindex"]
    for words, status in ((["help"], 0), (["index", str(archive)], 1)):
        done = subprocess.run(
            [*program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr.count("\n")) == (status, status)
    assert "sdindex.zip; unpack it" in done.stderr
    assert not (tmp_path / "sdindex.db").exists()
