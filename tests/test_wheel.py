"""The built wheel, in an environment of its own, outside the checkout."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, make_image


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(CHECKOUT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_it_holds_the_package_and_the_revisions_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    here = {path.name for path in (CHECKOUT / "migrations" / "versions").glob("*.py")}
    packed = {Path(name).name for name in names if "/migrations/versions/" in name}
    assert packed == here
    assert {name.split("/")[0].split("-")[0] for name in names} == {"sdindex"}
    assert "sdindex/py.typed" in names


def test_installed_it_makes_an_index_and_samples(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    for seed in range(5):
        make_image(tmp_path / "archive" / f"{seed}.jpg", seed)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for arguments in (["index", "archive"], ["select", "-n", "3"]):
        done = subprocess.run(
            [str(programs / "sdindex"), *arguments],
            cwd=tmp_path, env=clean, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert len(done.stdout.splitlines()) == 3
    where = "import sdindex.store.schema as d; print(d.migrations_folder())"
    done = subprocess.run(
        [str(programs / "python"), "-c", where],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(done.stdout.strip()).is_relative_to(tmp_path / "venv")
