"""Where results go: nothing that exists is written over through a link, or left half."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdindex.errors import OutputError
from sdindex.exchange import output
from sdindex.exchange.output import writing

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


def state(folder: Path) -> dict[str, bytes | str]:
    return {
        path.name: os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in folder.iterdir()
        if path.is_symlink() or path.is_file()
    }


def write(path: Path, content: bytes, problem: BaseException | None = None) -> None:
    with writing(str(path)) as file:
        file.write(content)
        if problem is not None:
            raise problem


@posix
@pytest.mark.parametrize("kind", ["file", "through another link", "nothing", "itself"])
def test_a_link_is_no_way_to_what_is_behind_it(tmp_path: Path, kind: str) -> None:
    original, link = tmp_path / "original.txt", tmp_path / "link.txt"
    original.write_bytes(b"of worth")
    match kind:
        case "file":
            link.symlink_to(original)
        case "through another link":
            (tmp_path / "second").symlink_to(original)
            link.symlink_to("second")
        case "nothing":
            link.symlink_to(tmp_path / "new.txt")
        case "itself":
            link.symlink_to(link)
    before = state(tmp_path)
    with pytest.raises(OutputError, match=r"link.txt is a link .*; name the file itself"):
        write(link, b"a sample")
    assert state(tmp_path) == before


@posix
def test_a_link_that_comes_while_it_is_written_is_replaced_not_followed(tmp_path: Path) -> None:
    original = tmp_path / "original.txt"
    original.write_bytes(b"of worth")
    with writing(str(tmp_path / "out.txt")) as file:
        (tmp_path / "out.txt").symlink_to(original)
        file.write(b"a sample")
    assert original.read_bytes() == b"of worth"
    assert (tmp_path / "out.txt").read_bytes() == b"a sample"
    assert not (tmp_path / "out.txt").is_symlink()


@posix
def test_a_hard_link_is_parted_from_its_original(tmp_path: Path) -> None:
    original = tmp_path / "original.txt"
    original.write_bytes(b"of worth")
    os.link(original, tmp_path / "out.txt")
    with writing(str(tmp_path / "out.txt")) as file:
        file.write(b"a sample")
    assert original.read_bytes() == b"of worth"


@posix
@pytest.mark.parametrize("kind", ["file", "link", "link to nothing"])
def test_what_has_a_drafts_name_stays_and_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    original, draft = tmp_path / "original.txt", tmp_path / "out.txt.part7"
    original.write_bytes(b"of worth")
    if kind == "file":
        draft.write_bytes(b"of worth, too")
    else:
        draft.symlink_to(original if kind == "link" else tmp_path / "nothing")
    monkeypatch.setattr(output, "draft_suffix", lambda: ".part7")
    before = state(tmp_path)
    with pytest.raises(OutputError, match=r"cannot write .*out.txt: File exists"):
        write(tmp_path / "out.txt", b"a sample")
    assert state(tmp_path) == before


def test_what_fails_half_way_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_bytes(b"before")
    for problem in (KeyboardInterrupt, ValueError):
        with pytest.raises(problem):
            write(tmp_path / "out.txt", b"half", problem())
    assert state(tmp_path) == {"out.txt": b"before"}


@posix
def test_the_systems_names_for_stdout_are_stdout(tmp_path: Path) -> None:
    program = (
        "from sdindex.exchange.output import writing\n"
        "with writing('/dev/stdout') as file: file.write(b'a sample')"
    )
    target = tmp_path / "out.txt"
    with target.open("wb") as stdout:
        stdout.write(b"before: ")
        stdout.flush()
        subprocess.run([sys.executable, "-c", program], stdout=stdout, check=True)
    assert target.read_bytes() == b"before: a sample"
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert piped.stdout == b"a sample"


@posix
@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_an_open_file_is_written_into_by_its_number(tmp_path: Path, kind: str) -> None:
    script = (
        "import sys; from pathlib import Path; from sdindex.exchange.output import writing\n"
        "with writing('/dev/fd/9', index=Path(sys.argv[1])) as file: file.write(b'a sample')"
    )
    got = tmp_path / "got"
    into = "9>" if kind == "file" else "9>&1 | cat >"
    done = subprocess.run(
        ["sh", "-c", f'"$1" -c "$2" "$3" {into} "$4"', "sh", sys.executable, script, __file__, got],
        capture_output=True,
        text=True,
        check=True,
    )
    assert got.read_bytes() == b"a sample", done.stderr


@posix
def test_what_python_opened_itself_is_not_an_open_file_of_the_user(tmp_path: Path) -> None:
    with (tmp_path / "index").open("w+b") as index:
        for given in (Path("nowhere"), tmp_path / "index"):
            os.set_inheritable(index.fileno(), given.exists())
            with pytest.raises(OutputError), writing(f"/dev/fd/{index.fileno()}", index=given):
                pass
    assert not (tmp_path / "index").read_bytes()
