import csv
import errno
import io
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from sdindex.archive.roots import made_by
from sdindex.cli.main import cli
from tests.conftest import make_image
from tests.support.commands import commands_of, run, shell
from tests.support.roots import FailingRoot
from tests.support.straight import Served


@pytest.mark.parametrize("name", commands_of(cli))
def test_every_command_and_option_has_help(name: str) -> None:
    command = commands_of(cli)[name]
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"
    assert run(name, "--help").exit_code == 0


def test_index_ends_with_one_summary_line_on_stderr(db: Path, archive: Path) -> None:
    result = run("index", archive, db=db)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.startswith(
        "12 files: 12 new, 0 changed, 0 moved, 0 unchanged, 0 unreadable; 0 missing; 12 read in "
    )
    assert result.stderr.count("\n") == 1
    again = run("index", archive, db=db).stderr
    assert "12 unchanged, 0 unreadable; 0 missing; 0 read in" in again


def test_progress_only_when_asked_for_off_a_terminal(db: Path, archive: Path) -> None:
    shown = run("index", "--progress", archive, db=db).stderr
    assert "reading: 100%" in shown
    assert "images/s" in shown
    assert "reading" not in run("index", archive, db=db).stderr


def test_verbose_says_why(indexed: Path, archive: Path) -> None:
    os.utime(archive / "cam0/IMG_1.JPG", (1, 1))
    make_image(archive / "cam0/IMG_3.JPG", 77, size=(64, 64))
    make_image(archive / "cam0/new\x1b.jpg" if os.name != "nt" else archive / "cam0/new.jpg", 78)
    lines = run("index", "-v", archive, db=indexed).stderr.splitlines()
    assert "mtime changed: cam0/IMG_1.JPG" in lines
    assert "size changed: cam0/IMG_3.JPG" in lines
    assert "new: cam0/new" + (r"\x1b.jpg" if os.name != "nt" else ".jpg") in lines
    assert "method changed: cam0/IMG_1.JPG" in (
        run("index", "-v", "--method", "exact", archive, db=indexed).stderr
    )


def test_an_unreadable_folder_is_one_line_and_status_1(indexed: Path, archive: Path) -> None:
    with made_by(partial(FailingRoot, refused=frozenset(["cam0/"]), number=errno.EACCES)):
        result = run("index", archive, db=indexed)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"Error: could not look at {archive}/cam0/ (Permission denied); what was known there is "
        "kept: "
        "make it readable and index again"
    )


def test_paths_go_to_stdout_and_nothing_else(indexed: Path, archive: Path) -> None:
    result = run("select", "-n", 3, db=indexed)
    assert result.stderr == ""
    paths = result.stdout.splitlines()
    assert len(paths) == 3
    assert all(Path(path).is_file() and Path(path).is_relative_to(archive) for path in paths)


def test_a_short_sample_is_said(indexed: Path) -> None:
    result = run("select", "-n", 99, db=indexed)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 12
    assert result.stderr == "warning: 99 images were asked for, and there are 12 to draw\n"


def test_the_formats_agree(indexed: Path) -> None:
    def formatted(name: str, *more: str) -> bytes:
        return run("select", "-n", 5, "--format", name, *more, db=indexed).stdout_bytes

    paths = formatted("paths").decode().splitlines()
    assert formatted("null").decode().split("\0") == [*paths, ""]
    rows = list(csv.DictReader(io.StringIO(formatted("csv").decode())))
    records = json.loads(formatted("json"))
    assert [row["path"] for row in rows] == paths == [record["path"] for record in records]
    assert [row["dhash"] for row in rows] == [record["dhash"] for record in records]
    relative = [record["path"] for record in json.loads(formatted("json", "--relative"))]
    assert relative == formatted("paths", "--relative").decode().splitlines()
    assert relative == [record["relative_path"] for record in records]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="no such names there")
def test_names_that_are_no_text_in_every_format(tmp_path: Path, db: Path) -> None:
    raw = b"caf\xe9 \n.jpg"
    source = make_image(tmp_path / "a.jpg")
    (tmp_path / "archive").mkdir()
    source.rename(tmp_path / "archive" / os.fsdecode(raw))
    run("index", tmp_path / "archive", db=db)
    for form, ending in [("paths", b"\n"), ("null", b"\0")]:
        result = run("select", "-n", 1, "--format", form, "--relative", db=db)
        assert result.stdout_bytes == raw + ending
        assert ("--format null" in result.stderr) == (form == "paths")
    (record,) = json.loads(run("select", "-n", 1, "--format", "json", db=db).stdout)
    assert os.fsencode(Path(record["path"]).name) == raw
    assert raw in run("select", "-n", 1, "--format", "csv", db=db).stdout_bytes


def test_a_file_is_written_whole_or_not_at_all(indexed: Path, tmp_path: Path) -> None:
    target = tmp_path / "sample.txt"
    assert run("select", "-n", 3, "-o", target, db=indexed).output == ""
    assert len(target.read_text().splitlines()) == 3
    assert run("select", "-n", 3, "--under", "nowhere", "-o", target, db=indexed).exit_code == 1
    assert len(target.read_text().splitlines()) == 3
    result = run("select", "-n", 3, "-o", tmp_path / "no" / "folder.txt", db=indexed)
    assert result.exit_code == 1


@pytest.mark.sqlite_file
def test_the_index_is_not_written_over(indexed: Path) -> None:
    before = indexed.read_bytes()
    result = run("select", "-n", 3, "-o", indexed, db=indexed)
    assert (result.exit_code, indexed.read_bytes()) == (1, before)
    assert "is the index itself" in result.stderr


def test_status_and_errors(indexed: Path, archive: Path) -> None:
    (held,) = json.loads(run("status", "--format", "json", db=indexed).stdout)
    assert held["archives"][0]["images"] == 13
    assert held["archives"][0]["unreadable"] == 1
    assert held["size"] > 0
    assert isinstance(indexed, Served) or held["size"] == indexed.stat().st_size
    assert f"{archive}" in run("status", db=indexed).stdout
    (record,) = json.loads(run("errors", "--format", "json", db=indexed).stdout)
    assert record["path"] == str(archive / "cam0/broken.jpg")
    assert record["reason"] == "empty file (0 bytes)"
    assert "empty file (0 bytes)" in run("errors", db=indexed).stdout
    assert "empty file (0 bytes)" in run("errors", "--format", "csv", db=indexed).stdout


def test_relocate_and_prune(indexed: Path, archive: Path, tmp_path: Path) -> None:
    archive.rename(tmp_path / "moved")
    assert run("relocate", archive, tmp_path / "moved", db=indexed).exit_code == 0
    (tmp_path / "moved/cam0/IMG_1.JPG").unlink()
    assert "1 missing" in run("index", tmp_path / "moved", db=indexed).stderr
    assert run("prune", db=indexed).stderr == "removed 1 images from the index\n"
    assert (
        run("prune", "--archive", tmp_path / "moved", db=indexed).stderr
        == "removed 12 images from the index\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["select", "-n", "5"],
        ["status"],
        ["errors"],
        ["prune"],
        ["relocate", "a", "b"],
        ["index", "nowhere"],
        ["index"],
    ],
)
def test_a_users_error_is_one_line_and_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [[], ["select"], ["select", "-n", "0"], ["select", "-n", "5", "--bits", "65"],
     ["index", "--workers", "0", "."], ["nothing"]],
)  # fmt: skip
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_environment_names_the_index(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDINDEX_DB", str(indexed))
    assert run("select", "-n", 3).exit_code == 0


@pytest.mark.parametrize("arguments", [["--help"], ["select", "--help"], ["index", "--help"]])
def test_help_imports_nothing_that_it_does_not_need(arguments: list[str]) -> None:
    heavy = {"sqlalchemy", "alembic", "PIL", "numpy", "plotly", "imagehash", "rich", "natsort"}
    assert not heavy & modules_after(arguments)


def modules_after(arguments: list[str]) -> set[str]:
    """Return what a command of a new process has imported when it ends."""
    code = (
        "import sys\nfrom sdindex.cli.main import cli\n"
        f"cli.main({arguments!r}, standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_select_imports_nothing_that_reads_or_draws(indexed: Path) -> None:
    heavy = {"alembic", "PIL", "numpy", "plotly", "imagehash", "rich"}
    imported = modules_after(["--db", str(indexed), "select", "-n", "3"])
    assert "sqlalchemy" in imported
    assert not heavy & imported


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_what_is_no_regular_file_is_written_into(indexed: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "sdindex", "--db", str(indexed), "select", "-n", "3"]
    with subprocess.Popen([*command, "-o", str(pipe)]) as writer:
        assert len(pipe.read_text().splitlines()) == 3
    assert writer.returncode == 0
    assert pipe.is_fifo()


def test_an_output_of_worth_is_not_written_over(
    indexed: Path, archive: Path, tmp_path: Path
) -> None:
    image = archive / "cam0/IMG_1.JPG"
    before = image.read_bytes()
    for target in (image, tmp_path, ""):
        result = run("select", "-n", 3, "-o", target, db=indexed)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert image.read_bytes() == before
    assert not [file for file in tmp_path.iterdir() if ".part" in file.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize(
    "arguments", ["select -n 12", "select -n 12 --format csv", "status", "errors", "buckets"]
)
def test_a_full_disk_is_one_line(indexed: Path, arguments: str) -> None:
    for target, reason in (
        (">/dev/full", "cannot write to stdout: No space left on device"),
        (">&-", "stdout is closed; name a file with -o"),
    ):
        command = f"{sys.executable} -m sdindex --db {indexed} {arguments} {target}"
        done = shell(command)
        assert (done.returncode, done.stderr) == (1, f"Error: {reason}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_help_that_cannot_be_written_is_one_line() -> None:
    command = f"{sys.executable} -m sdindex --help >/dev/full"
    done = shell(command)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr


def test_folders_to_sample_from_by_any_name(
    indexed: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(folder: object) -> int:
        result = run("select", "-n", 99, "--under", folder, db=indexed)
        return len(result.stdout.splitlines()) if result.exit_code == 0 else -1

    assert drawn(archive / "cam0") == drawn("cam0") == drawn(f"{archive}/cam0/") == 6
    monkeypatch.chdir(archive / "cam1")
    assert drawn(".") == drawn("../cam1") == 6
    assert drawn("cam0") == 6, "relative to the root, even inside the archive"
    assert drawn("") == drawn("nowhere") == -1
    assert "6 images were asked for" not in run("select", "-n", 6, db=indexed).stderr


@pytest.mark.parametrize("db", ["://", "postgresql://[::1", "sqlite://", "sqlite:///x?mode=ro"])
def test_an_url_that_names_no_database_is_one_line(db: str) -> None:
    result = CliRunner().invoke(cli, ["--db", db, "status"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_any_count_at_all(indexed: Path) -> None:
    result = run("select", "-n", 10**30, db=indexed)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 12)


@pytest.mark.sqlite_file
def test_an_error_of_the_system_is_one_line(
    indexed: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Path) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(indexed))

    monkeypatch.setattr(Path, "is_dir", failing)
    result = run("index", archive, db=indexed)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: [Errno 5] Input/output error: '{indexed}'; what was stored before is kept\n"
    )


def test_a_second_share_is_refused_with_the_one_that_is_meant(indexed: Path) -> None:
    words = ("--share", "label:deer=20%", "--share", "label:fox=30%")
    result = run("select", "-n", 5, *words, db=indexed)
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: --share is given once; write all of it in one, as label:deer=20%,fox=80%\n"
    )
