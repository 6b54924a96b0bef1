"""The virtual environments of the scripts: made when needed, with what they need in them.

Runs before anything is installed, under whatever Python starts it: only the standard library,
and nothing that Python 3.6 cannot read. So do all scripts, up to their import of this module.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
NEEDED = (3, 11)
SIZES = {"lowest": 1400, "network": 6000, "peer": 700, "test": 1400, "wheel": 1400}  # MB, not 400


if sys.version_info < NEEDED:
    found = ".".join(map(str, sys.version_info[:3]))
    sys.exit(f"sdindex needs Python 3.11 or newer, and this is {found}: {sys.executable}")

sys.path.insert(0, str(CHECKOUT))  # what the scripts drive lies in tests/


def enter(name: str, extras: str = "") -> None:
    """Run this script anew in the environment `name`, unless it runs there already."""
    programs = environment(name, extras)
    first_on_path(programs)
    if programs.parent.samefile(sys.prefix):
        return
    command = [str(programs / "python"), *sys.argv]
    if os.name == "nt":  # where exec would give the terminal back at once
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)  # noqa: S606


def first_on_path(programs: Path) -> None:
    """Put an environment's programs first on PATH."""
    os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"


def environment(
    name: str, extras: str = "", package: str | None = None, pins: tuple[str, ...] = ()
) -> Path:
    """Return the folder of programs of the environment `name`, made or brought up to date.

    It has this checkout with those extras, or another package, and the versions in `pins`.
    """
    if not all(map(importlib.util.find_spec, ("ensurepip", "venv"))):
        sys.exit("this Python cannot make virtual environments; on Debian and Ubuntu: "
                 "apt install python3-venv")  # fmt: skip
    folder = CHECKOUT / f".venv-{name}"
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / ("python.exe" if os.name == "nt" else "python")
    wanted = hashlib.sha256(
        (CHECKOUT / "pyproject.toml").read_bytes()
        + f"{sys.version} {CHECKOUT} {extras} {package}".encode()
        + " ".join(pins).encode()
    ).hexdigest()
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == wanted and python.exists():
        return programs
    say(f"setting up {folder} (about {SIZES.get(name, 400)} MB; a minute or two, once)")
    stamp.unlink(missing_ok=True)
    if package or pins or not _is_of_this_python(folder):
        shutil.rmtree(folder, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(folder)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    what = [package] if package else ["--editable", f"{CHECKOUT}{extras}"]
    run([*pip, *what, *pins])
    stamp.write_text(wanted)
    return programs


def _is_of_this_python(folder: Path) -> bool:
    """Say whether there is an environment here, made here, with this Python.

    Packages are then added to it. A package that is no longer needed stays, which does no harm: a
    test installs the wheel in an environment of its own.
    """
    if not (folder / "pyvenv.cfg").exists():
        return False
    made = (folder / "pyvenv.cfg").read_text().splitlines()
    version = "version = " + ".".join(map(str, sys.version_info[:3]))
    return version in made and any(line.endswith(f" {folder}") for line in made)


def run(command: list[str]) -> None:
    """Run a command; stop with its exit status when it fails."""
    status = subprocess.run(command, check=False).returncode
    if status:
        sys.exit(f"failed, with exit status {status}: {' '.join(command)}")


def say(text: str) -> None:
    """Print what is not the script's result."""
    print(text, file=sys.stderr, flush=True)
