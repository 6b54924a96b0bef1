"""The second command of the README: what scripts/test asks of a machine and a person."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

with pytest.MonkeyPatch.context() as patch:
    # It puts the checkout first in the path, where it would hide a wheel that is tested.
    patch.setattr(sys, "path", [*sys.path])
    import browser

SCRIPTS = sorted(path for path in (CHECKOUT / "scripts").iterdir() if path.is_file())
# What a door may import before it knows that this Python is new enough: all that is old.
OLD = {"argparse", "compileall", "hashlib", "importlib", "json", "os", "pathlib", "re", "shutil",
       "subprocess", "sys", "tempfile", "time"}  # fmt: skip
posix = pytest.mark.skipif(sys.platform == "win32", reason="scripts start otherwise there")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_old_python_can_read_every_script(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 6))
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            modules = [one.name.split(".")[0] for one in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            modules = [(statement.module or "").split(".")[0]]
        else:
            continue
        if "environment" in modules:
            break
        if modules != ["browser"]:  # which imports it in turn
            assert set(modules) <= OLD


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_old_python_is_told_so(script: Path) -> None:
    code = (
        "import sys, runpy\nsys.version_info = (3, 6, 15)\nsys.argv = ['x']\n"
        f"sys.path.insert(0, {str(CHECKOUT / 'scripts')!r})\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("sdindex needs Python 3.11 or newer, and this is 3.6.15")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of programs, the only ones of a machine with no browser; what is run is in log."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.setattr(browser, "NAMES", ("no-such-browser",))
    for name in ("python", "playwright"):
        put(tmp_path, name, "exit 1")
    return tmp_path


def put(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/log\n{script}\n')
    program.chmod(0o755)


APT = """
case "$*" in
*--assume-no*) echo "0 upgraded, 116 newly installed, 0 to remove and 0 not upgraded."
  echo "Need to get 98.1 MB of archives."
  echo "After this operation, 387 MB of additional disk space will be used."; exit 1;;
*) exit 0;;
esac"""


@posix
def test_root_is_told_what_is_installed_and_how_large_before(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    put(machine, "apt-get", APT)
    assert browser.provide(machine) == ""
    said = capsys.readouterr().err
    assert "The tests of pages need a browser" in said
    assert "--no-browser" in said
    assert "116 packages, 98.1 MB to fetch, 387 MB on the disk" in said
    log = (machine / "log").read_text().splitlines()
    assert log[-1] == "apt-get install --no-install-recommends chromium -y -qq"
    assert not any(line.startswith("playwright") for line in log)


@posix
def test_a_user_is_told_why_the_tests_of_pages_are_skipped(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put(machine, "apt-get", APT)
    put(machine, "playwright", "echo no network >&2; exit 1")
    assert browser.provide(machine) == "no Chromium could be installed: no network"
    assert "about 400 MB" in capsys.readouterr().err
    assert "apt-get" not in (machine / "log").read_text()


def test_without_a_browser_a_test_is_skipped_with_the_reason_but_not_in_ci() -> None:
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider",
               "tests/pages/test_report.py", "-k", "hostile_names_are_shown"]  # fmt: skip
    for ci, status, word in (("", 0, "SKIPPED"), ("true", 1, "ERROR")):
        surroundings = {**os.environ, "SDINDEX_NO_BROWSER": "there is none", "CI": ci}
        done = subprocess.run(
            command, cwd=CHECKOUT, env=surroundings, capture_output=True, text=True, check=False
        )
        assert done.returncode == status
        assert word in done.stdout
        assert "no browser" in done.stdout
        assert "there is none" in done.stdout


def test_every_dependency_has_a_lowest_version_that_can_be_asked_for() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    ours = re.fullmatch(r"sdindex\[([\w,]+)\]", extras["test"][0])
    assert ours  # what scripts/test --lowest asks for: see there
    for one in sum((extras[name] for name in ours[1].split(",")), project["dependencies"]):
        name, _, version = one.partition(">=")
        assert name.partition("[")[0].isidentifier()
        assert version.replace(".", "").isdecimal()


WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_little_and_ends(path: Path) -> None:
    workflow = pytest.importorskip("yaml").safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 45
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
            assert "${{" not in step.get("run", "")  # what others name is no part of a command


def test_each_python_that_is_promised_is_tested_on_three_systems() -> None:
    text = (CHECKOUT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    matrix = pytest.importorskip("yaml").safe_load(text)["jobs"]["tests"]["strategy"]["matrix"]
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = "Programming Language :: Python :: 3."
    promised = [one.split(" :: ")[-1] for one in project["classifiers"] if one.startswith(named)]
    assert matrix["python"] == promised
    assert project["requires-python"] == f">={promised[0]}"
    assert len(matrix["os"]) == 3
