"""The virtual environments of the scripts: made when needed, with what they need in them.

Runs before anything is installed, under whatever Python starts it: only the standard
library, and nothing that an old Python would stumble over before it is told so.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
NEEDED = (3, 11)


def require_python() -> None:
    """Stop with a clear line when this Python is too old, or cannot make environments."""
    if sys.version_info < NEEDED:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"sdindex needs Python 3.11 or newer, and this is {found}: {sys.executable}")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        sys.exit(
            "this Python cannot make virtual environments; on Debian and Ubuntu: "
            "apt install python3-venv"
        )


def environment(name: str, extras: str = "", package: str | None = None) -> Path:
    """Return the folder of programs of the environment `name`, made or brought up to date.

    It holds this checkout with those extras, or another package.
    """
    require_python()
    folder = CHECKOUT / f".venv-{name}"
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / ("python.exe" if os.name == "nt" else "python")
    wanted = hashlib.sha256(
        (CHECKOUT / "pyproject.toml").read_bytes()
        + f"{sys.version} {CHECKOUT} {extras} {package}".encode()
    ).hexdigest()
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == wanted and python.exists():
        return programs
    print(f"setting up {folder} (a minute or two, once)", file=sys.stderr)
    run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, package] if package else [*pip, "--editable", f"{CHECKOUT}{extras}"])
    stamp.write_text(wanted)
    return programs


def _is_of_this_python(folder: Path) -> bool:
    """Say whether there is an environment here, made here, with this Python.

    What it holds can then be added to. That a package which is no longer needed stays in it
    hides nothing: a test installs the wheel in an environment of its own.
    """
    try:
        made = (folder / "pyvenv.cfg").read_text().splitlines()
    except FileNotFoundError:
        return False
    version = ".".join(map(str, sys.version_info[:3]))
    return f"version = {version}" in made and any(line.endswith(f" {folder}") for line in made)


def browser(programs: Path) -> None:
    """See to it that there is a Chromium for the tests of pages; say so where there cannot be."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    if any(shutil.which(name) for name in names):
        return
    attempts = [[str(programs / "playwright"), "install", "chromium"]]
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        attempts = [
            ["apt-get", "install", "-y", "-qq", "chromium"],
            ["sh", "-c", "apt-get update -qq && apt-get install -y -qq chromium"],
            *attempts,
        ]
    for attempt in attempts:
        done = subprocess.run(attempt, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not done.returncode:
            return
    print("no Chromium could be installed: the tests of pages are skipped", file=sys.stderr)


def run(command: list[str]) -> None:
    """Run a command; stop with its exit status when it fails."""
    result = subprocess.run(command, check=False)
    if result.returncode:
        sys.exit(f"failed, with exit status {result.returncode}: {' '.join(command)}")
