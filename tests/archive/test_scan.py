import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex.archive.names import to_text
from sdindex.archive.scan import (
    ALL_PATHS,
    Linked,
    Links,
    Span,
    Unlooked,
    scan,
)
from sdindex.archive.state import FileState, FoundFile
from tests.support.examples import examples

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def flat(
    root: Path, under: str = "", span: Span = ALL_PATHS
) -> list[FoundFile | Unlooked | Linked]:
    """Return what is found, but for where disks are mounted: that differs between machines."""
    found: list[FoundFile | Unlooked | Linked] = []
    for item in scan(str(root), under, span=span, links=Links(str(root))):
        if isinstance(item, list):
            assert item
            found += item
        elif isinstance(item, Unlooked | Linked):
            found.append(item)
    return found


def paths(root: Path, under: str = "") -> list[str]:
    return [item.path for item in flat(root, under)]


def files(root: Path) -> list[str]:
    """Return what is there, without the links that lead nowhere."""
    return [item.path for item in flat(root) if isinstance(item, FoundFile)]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_images_of_any_suffix_and_case_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    names = [
        "a.jpg",
        "a/b.JPG",
        "a/c/d.webp",
        "a-b/x.png",
        "a.b/x.tif",
        "B.TIFF",
        "é.bmp",
        "z.JPEG",
    ]
    for name in [*names, "notes.txt", "a/movie.mp4", "jpg", ".jpg.part"]:
        touch(tmp_path / name)
    assert paths(tmp_path) == sorted(names)


def test_a_part_of_it(tmp_path: Path) -> None:
    for name in ["a/1.jpg", "a/b/2.jpg", "ab/3.jpg"]:
        touch(tmp_path / name)
    assert paths(tmp_path, "a/") == ["a/1.jpg", "a/b/2.jpg"]


pieces = st.sampled_from(["a", "a-", "a.jpg", "ab", "b", "é"])
a_path = st.lists(pieces, min_size=1, max_size=3).map("/".join)


@settings(max_examples=examples(60))
@given(st.lists(a_path, max_size=12), st.sets(a_path, max_size=4))
def test_spans_that_follow_each_other_hold_each_file_once(
    folders: list[str], cuts: set[str]
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for name in folders:
            with suppress(FileExistsError, NotADirectoryError):  # a.jpg is a folder there
                touch(root / name / "x.jpg")
            with suppress(IsADirectoryError, NotADirectoryError):
                touch(root / name).rename(root / f"{name}.jpg")
        starts = ["", *sorted(cut + "/" for cut in cuts)]
        spans = [Span(*ends) for ends in zip(starts, [*starts[1:], None], strict=True)]
        assert [one for span in spans for one in flat(root, span=span)] == flat(root)


def test_links_that_are_not_followed_are_named(tmp_path: Path) -> None:
    touch(tmp_path / "archive" / "a.jpg")
    touch(tmp_path / "disk" / "b.jpg")
    (tmp_path / "archive" / "link").symlink_to(tmp_path / "disk")
    *_, last = scan(str(tmp_path / "archive"))
    assert last == Linked("link/")


def test_the_state_is_the_file_systems(tmp_path: Path) -> None:
    file = touch(tmp_path / "a.jpg")
    status = file.stat()
    (found,) = flat(tmp_path)
    assert isinstance(found, FoundFile)
    assert found.state[:3] == (1, status.st_mtime_ns, status.st_ctime_ns)


def test_every_number_fits_into_a_signed_integer() -> None:
    class Huge:
        st_size, st_ino = 2**63 - 1, 2**64 - 1
        st_mtime_ns, st_ctime_ns = 2**63, -(2**63) - 1  # after 2262, and before 1678

    state = FileState.of(cast("os.stat_result", Huge()))
    assert state == (2**63 - 1, -(2**63), 2**63 - 1, -1)


@posix
def test_links_are_followed_where_they_lead_out_and_loops_end(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    touch(archive / "a/b/1.jpg")
    touch(tmp_path / "elsewhere/2.jpg")
    links = {
        "a/b/up": archive / "a",  # its own ancestor
        "a/out": tmp_path / "elsewhere",
        "b": tmp_path / "elsewhere",  # followed once already
        "alias": archive / "a",  # nothing is found twice
        "parent": tmp_path,
        "link.jpg": tmp_path / "elsewhere/2.jpg",
        "itself.jpg": archive / "itself.jpg",
        "nowhere.jpg": tmp_path / "nothing",
    }
    for name, target in links.items():
        (archive / name).symlink_to(target)
    assert files(archive) == ["a/b/1.jpg", "a/out/2.jpg", "link.jpg"]


@posix
@pytest.mark.parametrize("name", ["odd", "odd.jpg"])
def test_a_link_through_a_file_leads_nowhere(tmp_path: Path, name: str) -> None:
    file = touch(tmp_path / "a.jpg")
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / name).symlink_to(file / "x")
    found = flat(tmp_path / "archive")
    assert [item for item in found if not (isinstance(item, Unlooked) and item.only_if_known)] == []


@posix
def test_pipes_sockets_and_folders_are_no_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    touch(tmp_path / "folder.jpg/real.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        listener.bind("socket.jpg")
        assert paths(tmp_path) == ["folder.jpg/real.jpg"]


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses such names")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    raw = [b"caf\xe9.jpg", b"caf\xc3\xa9.jpg", b"new\nline.jpg", b"-rf .jpg", b"back\\slash.jpg"]
    for name in raw:
        touch(tmp_path / os.fsdecode(name))
    assert paths(tmp_path) == sorted(to_text(os.fsdecode(name)) for name in raw)


@posix
def test_folders_deeper_than_pythons_recursion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    depth = sys.getrecursionlimit() + 100
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    touch(Path("deep.jpg"))
    touch(tmp_path / "top.jpg")
    assert paths(tmp_path) == ["d/" * depth + "deep.jpg", "top.jpg"]
    Path("deep.jpg").unlink()
    for _ in range(depth):  # or whoever cleans up recurses, too
        os.chdir("..")
        Path("d").rmdir()


def test_a_folder_that_cannot_be_listed_is_reported_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ["a/1.jpg", "b/2.jpg", "c/3.jpg"]:
        touch(tmp_path / name)
    listing = os.scandir

    def failing(place: str) -> object:
        if Path(place).name == "b":
            raise PermissionError(13, "Permission denied")
        return listing(place)

    monkeypatch.setattr(os, "scandir", failing)
    found = flat(tmp_path)
    assert [item.path for item in found] == ["a/1.jpg", "b/", "c/3.jpg"]
    assert found[1] == Unlooked("b/", "Permission denied")


def test_an_error_in_the_middle_of_a_listing_gives_nothing_of_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ["a/1.jpg", "a/2.jpg", "a/3.jpg", "b/4.jpg"]:
        touch(tmp_path / name)
    listing = os.scandir

    @contextmanager
    def failing(folder: str) -> Iterator[Iterator["os.DirEntry[str]"]]:
        def entries() -> Iterator["os.DirEntry[str]"]:
            yield from islice(opened, 2)
            if Path(folder).name == "a":
                raise OSError(5, "Input/output error")
            yield from opened

        with listing(folder) as opened:
            yield entries()

    monkeypatch.setattr(os, "scandir", failing)
    found = flat(tmp_path)
    assert [item.path for item in found] == ["a/", "b/4.jpg"]
    assert found[0] == Unlooked("a/", "Input/output error", failing=True)
