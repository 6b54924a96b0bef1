"""Finding, or installing after saying so, the Chromium that the tests of pages need."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from environment import say

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = 400  # MB of playwright's own Chromium
INSTALL = ["apt-get", "install", "--no-install-recommends", "chromium"]
OWN = """
from playwright.sync_api import sync_playwright
with sync_playwright() as driver:
    print(driver.chromium.executable_path)
"""


def provide(programs: Path) -> str:
    """Return why there is no Chromium for the tests of pages: nothing where there is one.

    Where there is none, it is installed: as root by Debian's packages, else by playwright in the
    user's own folder. Its size is said first.
    """
    if any(map(shutil.which, NAMES)) or playwrights_own(programs):
        return ""
    say("The tests of pages need a browser, Chromium, and there is none on this machine.")
    say("(scripts/test --no-browser does without: these tests are then skipped.)")
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        problem = install_packages()
        if not problem:
            return ""
        say(f"That failed: {problem}")
    say(f"Installing playwright's own, about {SIZE} MB, in your folder for caches.")
    problem = attempt([str(programs / "playwright"), "install", "chromium"])
    return f"no Chromium could be installed: {problem}" if problem else ""


def install_packages() -> str:
    """Install Debian's package, after saying how many and how large; return what failed."""
    if not plan():
        say("Asking for the newest list of Debian's packages (apt-get update).")
        attempt(["apt-get", "update", "-qq"])
    planned = plan()
    if not planned:
        return "apt-get knows no package chromium"
    say(f"Installing Debian's, as root, by {' '.join(INSTALL)}: {planned}")
    return attempt([*INSTALL, "-y", "-qq"])


def plan() -> str:
    """Return what apt-get says that it would install, and how large that is; or nothing."""
    done = subprocess.run(
        [*INSTALL, "--assume-no"], env={**os.environ, "LC_ALL": "C"}, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
    )  # fmt: skip
    said = r"(\d+) newly installed|Need to get ([^/]*?B)\b|operation, (.*B) of"
    found = ["".join(one) for one in re.findall(said, done.stdout)]
    form = "{} packages, {} to fetch, {} on the disk"
    return form.format(*found) if len(found) == form.count("{}") else "; ".join(found)


def playwrights_own(programs: Path) -> bool:
    """Say whether playwright has a Chromium of its own."""
    done = subprocess.run(
        [str(programs / "python"), "-c", OWN], check=False, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode == 0 and Path(done.stdout.strip()).exists()


def attempt(command: list[str]) -> str:
    """Run a command; return the last line that it prints where it fails."""
    try:
        done = subprocess.run(
            command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False,
            timeout=900, stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as problem:
        return str(problem)
    printed = [line for line in done.stdout.splitlines() if line.strip()] or ["no word why"]
    return printed[-1] if done.returncode else ""
