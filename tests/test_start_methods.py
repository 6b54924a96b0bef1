"""Whatever way this Python starts processes, none runs a file of the current folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import make_image

COMMANDS = (
    "index .",
    "select -n 2 --copy-to ../copies",
    "report -n 2 -o ../page.html",
    "duplicates",
)
RUN = """
import multiprocessing, sys
multiprocessing.set_start_method(sys.argv.pop(1))
from sdindex.__main__ import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has one way to start")
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_nothing_of_the_current_folder_is_run(tmp_path: Path, method: str) -> None:
    card = tmp_path / "card"
    for seed in range(3):
        make_image(card / f"IMG_{seed}.JPG", seed)
    for name in ("multiprocessing", "tqdm", "queue", "imagehash"):
        (card / f"{name}.py").write_text(f"open({str(tmp_path / 'run')!r}, 'a').write(__file__)\n")
    (tmp_path / "start.py").write_text(RUN)
    for command in COMMANDS:
        given = [str(tmp_path / "start.py"), method, "--db", "../x.db", *command.split()]
        done = subprocess.run(
            [sys.executable, *given], cwd=card, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "run").exists(), command
