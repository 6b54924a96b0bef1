"""Ctrl-C, closed pipes and streams: what was stored is kept, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sdindex import Index
from sdindex.__main__ import main
from tests.conftest import make_image
from tests.support.commands import run, shell


def images_in(db: Path) -> int:
    result = run("status", "--format", "json", db=db)
    if result.exit_code:
        return 0  # the index is still to be made
    return sum(archive["images"] for archive in json.loads(result.stdout)[0]["archives"])


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is another thing there")
def test_ctrl_c_keeps_what_was_stored(db: Path, tmp_path: Path) -> None:
    image = make_image(tmp_path / "archive" / "0.jpg", size=(2400, 1800))
    for number in range(1, 600):
        os.link(image, tmp_path / "archive" / f"{number}.jpg")
    command = [sys.executable, "-m", "sdindex", "--db", str(db), "index", str(tmp_path / "archive")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while images_in(db) == 0:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate(timeout=30)
    assert process.returncode == 130
    assert shown == "interrupted; what was stored is kept, and the next run goes on\n"
    kept = images_in(db)
    assert f"{kept:,} unchanged" in run("index", tmp_path / "archive", db=db).stderr
    assert len(run("select", "-n", 9999, db=db).stdout.splitlines()) == 600


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes there")
def test_a_closed_pipe_ends_quietly(indexed: Path) -> None:
    command = f"{sys.executable} -m sdindex --db {indexed} select -n 12 | true"
    result = subprocess.run(command, shell=True, capture_output=True, check=False)  # noqa: S602
    assert (result.stdout, result.stderr) == (b"", b"")


def test_an_interruption_of_the_first_imports_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def __getattr__(self, _: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "sdindex.cli.main", Interrupted())
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, capsys.readouterr().err) == (130, "interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell there")
def test_nothing_is_left_among_temporary_files(archive: Path, db: Path, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    index = f"{sys.executable} -m sdindex --db {db} index -q {archive}"
    assert shell(f"TMPDIR={tmp_path}/temporary {index}").returncode == 0
    assert os.listdir(tmp_path / "temporary") == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell there")
def test_closed_streams_are_no_hindrance(archive: Path, db: Path, tmp_path: Path) -> None:
    program = f"{sys.executable} -m sdindex --db {db}"
    assert shell(f"{program} index {archive} 2>&-").returncode == 0
    assert len(shell(f"{program} select -n 99 2>&-").stdout.splitlines()) == 12
    assert shell(f"{program} samples show x 2>&-").returncode == 1
    assert shell(f"{program} select -n 3 --copy-to {tmp_path / 'there'} 2>&-").returncode == 0
    assert len(list((tmp_path / "there").rglob("*.JPG"))) == 3
    assert shell(f"{program} select -n 3 --from - <&-").stderr == (
        "Error: stdin is closed; name a file instead of -\n"
    )


def test_ctrl_c_where_nothing_can_be_raised_comes_again(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def interrupted(_: object) -> None:
        Interrupted()
        for _ in range(600):
            time.sleep(0.1)

    monkeypatch.setattr(Index, "status", interrupted)
    result = run("status", db=indexed)
    assert result.exit_code == 130
    assert result.stderr == "interrupted; what was stored is kept, and the next run goes on\n"
