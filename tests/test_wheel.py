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
    assert "sdindex/pages/templates/report.html.j2" in names
    topics = {path.name for path in (CHECKOUT / "sdindex" / "help").glob("*.md")}
    assert {Path(name).name for name in names if "/help/" in name} == topics


def test_installed_it_makes_an_index_and_samples(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv")
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install"]
    subprocess.run([*pip, "--quiet", "--no-compile", str(wheel)], check=True, capture_output=True)
    for seed in range(5):
        make_image(tmp_path / "archive" / f"{seed}.jpg", seed)

    def run(program: str, *arguments: str) -> str:
        """Return what an installed program prints, run where no checkout is found."""
        clean = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
        return subprocess.run(
            [str(programs / program), *arguments],
            cwd=tmp_path, env=clean, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    run("sdindex", "index", "archive")
    assert len(run("sdindex", "select", "-n", "3").splitlines()) == 3
    run("sdindex", "report", "-n", "3", "-o", "report.html")
    assert "</html>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    for topic in ("sampling", "reference"):  # all of them are there, says the test above
        assert len(run("sdindex", "help", topic)) > 100
    for name in ("", ".store", ".api"):
        where = f"import sdindex{name} as module; print(module.__file__)"
        assert Path(run("python", "-c", where).strip()).is_relative_to(tmp_path / "venv")
    assert run("python", "-c", "import sdindex; print(sdindex.__version__)").strip() in wheel.name
