"""Files of a sample below a folder: whole, at their own places, and never over others."""

import csv
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path
from typing import IO, BinaryIO

import pytest

from sdindex.archive.state import FileState
from sdindex.errors import OutputError
from sdindex.exchange.copies import How, put_files
from sdindex.exchange.manifest import MANIFEST
from sdindex.exchange.naming import Naming
from sdindex.exchange.tables import from_cell
from sdindex.store.lookup import Recorded
from tests.conftest import LONG_AGO
from tests.support.sampled import Image

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
ALL: list[How] = ["copy", "link", "symlink"]


def original(root: Path, path: str, content: str = "", **more: object) -> Image:
    """Write a file that was last touched long ago, and return it as an image of a sample."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(os.fsencode(content or path))
    os.utime(file, (LONG_AGO, LONG_AGO))
    return Image(path, str(root), **more)  # type: ignore[arg-type]


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    root = tmp_path / "archive"
    return [
        original(
            root,
            "cam1/IMG_1.JPG",
            camera="cam1",
            burst="cam1/IMG_0.JPG",
            labels=("fox", "red deer"),
        ),
        original(root, "cam1/IMG_2.JPG", camera="cam1"),
        original(root, "cam2/IMG_1.JPG", camera="cam2", labels=("empty",)),
    ]


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / MANIFEST).open(newline="", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    return [{name: from_cell(cell) for name, cell in row.items()} for row in rows]


@pytest.mark.parametrize("how", ALL)
def test_files_are_put_below_the_folder(images: list[Image], tmp_path: Path, how: How) -> None:
    out = tmp_path / "a new" / "folder"
    assert str(put_files(images, str(out), how=how)) == f"3 images put in {out}"
    assert state(out) == state(tmp_path / "archive")
    for image in images:
        put = out / image.relative_path
        assert put.is_symlink() == (how == "symlink")
        assert put.samefile(image.path) == (how != "copy")
    before = {path: path.lstat().st_ino for path in out.rglob("*.JPG")}
    again = put_files(images, str(out), how=how)
    assert (again.new, again.kept, again.size) == (0, 3, 0)
    assert str(again).endswith("3 were there")
    assert {path: path.lstat().st_ino for path in out.rglob("*.JPG")} == before


def test_the_manifest_says_what_each_file_is(images: list[Image], tmp_path: Path) -> None:
    out = tmp_path / "out"
    put_files(images[:2], str(out), sample="spring")
    assert manifest(out) == [
        {
            "path": "cam1/IMG_1.JPG",
            "original": images[0].path,
            "hash": "3333333333333333",
            "bucket": "3",
            "burst": "cam1/IMG_0.JPG",
            "camera": "cam1",
            "label": "fox|red deer",
            "sample": "spring",
        },
        {
            "path": "cam1/IMG_2.JPG",
            "original": images[1].path,
            "hash": "3333333333333333",
            "bucket": "3",
            "burst": "",
            "camera": "cam1",
            "label": "",
            "sample": "spring",
        },
    ]
    put_files(images[1:], str(out), sample="autumn")
    assert [(row["path"], row["sample"]) for row in manifest(out)] == [
        ("cam1/IMG_1.JPG", "spring"),
        ("cam1/IMG_2.JPG", "autumn"),
        ("cam2/IMG_1.JPG", "autumn"),
    ]


def test_a_second_run_completes_the_first(images: list[Image], tmp_path: Path) -> None:
    out = tmp_path / "out"
    put_files(images, str(out))
    (out / "cam1/IMG_2.JPG").unlink()
    (out / "cam2/.sdindex-part").write_bytes(b"half")
    kept = (out / "cam1/IMG_1.JPG").stat().st_ino
    more = original(tmp_path / "archive", "cam2/IMG_2.JPG", "new")
    done = put_files([*images, more], str(out))
    assert (done.new, done.kept, done.size) == (2, 2, len("cam1/IMG_2.JPG") + len("new"))
    assert (out / "cam1/IMG_1.JPG").stat().st_ino == kept
    assert {name: content for name, content in state(out).items() if "part" not in name} == state(
        tmp_path / "archive"
    )
    assert not (out / "cam2/.sdindex-part").exists()


def test_an_interrupted_copy_leaves_no_half_file(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfileobj

    def interrupted(source: BinaryIO, target: IO[bytes], length: int) -> None:
        copy(source, target, length)
        if str(source.name).endswith("IMG_2.JPG"):
            target.truncate(3)
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put_files(images, str(tmp_path / "out"))
    assert list(state(tmp_path / "out")) == ["cam1/IMG_1.JPG"]
    monkeypatch.undo()
    assert put_files(images, str(tmp_path / "out")).new == 2


@pytest.mark.parametrize("how", ALL)
@pytest.mark.parametrize("kind", ["file", "same size", "folder", "link to nothing", "the original"])
def test_nothing_foreign_is_written_over(
    images: list[Image], tmp_path: Path, how: How, kind: str
) -> None:
    out = tmp_path / "out"
    target = out / "cam2/IMG_1.JPG"
    target.parent.mkdir(parents=True)
    match kind:
        case "folder":
            target.mkdir()
        case "link to nothing":
            target.symlink_to(tmp_path / "nothing")
        case "the original":
            if how != "copy":
                return
            target.symlink_to(images[2].path)
        case _:
            target.write_text("other!" if kind == "file" else "x" * len("cam2/IMG_1.JPG"))
    before = FileState.of(target.lstat())  # whoever follows a link changes when it was used
    with pytest.raises(OutputError) as raised:
        put_files(images, str(out), how=how)
    assert str(raised.value) == (
        f"will not write over {target}; nothing was put: choose another folder, or move away what "
        "is there"
    )
    assert FileState.of(target.lstat()) == before
    assert [path.name for path in out.iterdir()] == ["cam2"]


@posix
@pytest.mark.parametrize("kind", ["link", "link to nothing", "hard link", "file"])
def test_what_has_the_drafts_name_is_not_written_over(
    images: list[Image], tmp_path: Path, kind: str
) -> None:
    worth = tmp_path / "of worth.txt"
    worth.write_bytes(b"of worth")
    draft = tmp_path / "out/cam1/.sdindex-part"
    draft.parent.mkdir(parents=True)
    match kind:
        case "link":
            draft.symlink_to(worth)
        case "link to nothing":
            draft.symlink_to(tmp_path / "nothing")
        case "hard link":
            os.link(worth, draft)
        case "file":
            draft.write_bytes(b"what a killed run left")
    assert put_files(images, str(tmp_path / "out")).new == 3
    assert worth.read_bytes() == b"of worth"
    assert not (tmp_path / "nothing").exists()
    assert state(tmp_path / "out") == state(tmp_path / "archive")
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


@posix
@pytest.mark.parametrize("how", ALL)
@pytest.mark.parametrize("linked", ["cam1", MANIFEST])
def test_no_link_below_the_folder_is_followed(
    images: list[Image], tmp_path: Path, how: How, linked: str
) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_bytes(b"of worth")
    out.mkdir()
    (out / linked).symlink_to(elsewhere if linked == "cam1" else elsewhere / "file")
    with pytest.raises(OutputError, match=rf"{linked} is a link to .*; nothing was put: choose"):
        put_files(images, str(out), how=how)
    assert [path.name for path in out.iterdir()] == [linked]
    assert state(elsewhere) == {"file": (b"of worth", (elsewhere / "file").stat().st_mtime_ns)}


def recorded(images: list[Image]) -> dict[str, Recorded]:
    return {image.path: Recorded(*FileState.of(os.stat(image.path))[:2]) for image in images}


@pytest.mark.parametrize("how", ALL)
@pytest.mark.parametrize("there", [False, True])
def test_originals_that_changed_since_they_were_indexed_are_told(
    images: list[Image], tmp_path: Path, how: How, there: bool
) -> None:
    indexed, out = recorded(images), tmp_path / "out"
    original(tmp_path / "archive", images[1].relative_path, "another picture")
    os.utime(images[2].path, (1, 1))
    if there:
        put_files(images, str(out), how=how)
    done = put_files(images, str(out), how=how, indexed=indexed)
    assert (done.changed, done.new, done.kept) == (2, 0 if there else 3, 3 if there else 0)
    assert f"; 2 have changed since they were indexed (such as {images[1].path}), and" in str(done)
    assert [row["hash"] for row in manifest(out)] == [images[0].dhash, "", ""]
    assert [row["bucket"] for row in manifest(out)] == ["3", "", ""]
    as_it_is = put_files(images, str(out), how=how, indexed=recorded(images))
    assert as_it_is.changed == 0
    assert {row["hash"] for row in manifest(out)} == {images[0].dhash}


def test_a_file_that_is_changed_while_it_is_copied_is_not_half_a_copy(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfileobj

    def written_to(source: BinaryIO, target: IO[bytes], length: int) -> None:
        copy(source, target, length)
        Path(images[1].path).write_bytes(b"another picture")

    monkeypatch.setattr(shutil, "copyfileobj", written_to)
    with pytest.raises(OutputError, match=r"IMG_2.JPG was changed while it was copied; .*again"):
        put_files(images, str(tmp_path / "out"))
    assert list(state(tmp_path / "out")) == ["cam1/IMG_1.JPG"]
    monkeypatch.undo()
    assert put_files(images, str(tmp_path / "out")).new == 2


def test_two_runs_into_one_folder_do_not_take_each_others_drafts(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfileobj

    def beside_another(source: BinaryIO, target: IO[bytes], length: int) -> None:
        copy(source, target, length)
        draft = Path(str(tmp_path / "out/cam1/.sdindex-part"))
        draft.unlink()
        draft.write_bytes(b"half of another's")

    monkeypatch.setattr(shutil, "copyfileobj", beside_another)
    with pytest.raises(OutputError, match=r"another program writes in .*cam1; wait for it"):
        put_files(images, str(tmp_path / "out"))
    assert "cam1/IMG_1.JPG" not in state(tmp_path / "out")


def test_a_copy_of_another_time_is_one_where_it_is_the_same_to_the_last_byte(
    images: list[Image], tmp_path: Path
) -> None:
    put_files(images, str(tmp_path / "out"))
    os.utime(tmp_path / "out/cam1/IMG_1.JPG", (1, 1))  # such as another program's copy
    os.utime(tmp_path / "out/cam1/IMG_2.JPG", (LONG_AGO + 2, LONG_AGO + 2))  # such as FAT's
    assert put_files(images, str(tmp_path / "out")).kept == 3


@pytest.mark.parametrize("how", ALL)
def test_originals_that_are_missing_are_named(
    images: list[Image], tmp_path: Path, how: How
) -> None:
    Path(images[0].path).unlink()
    Path(images[2].path).unlink()
    with pytest.raises(OutputError, match=r"cannot read .*cam1/IMG_1.JPG and 1 more; mount the"):
        put_files(images, str(tmp_path / "out"), how=how)
    assert not (tmp_path / "out").exists()


def test_room_is_looked_for_first_and_only_for_what_is_still_to_be_copied(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 80, 20))
    out = tmp_path / "out"
    with pytest.raises(OutputError, match=r"need 0.0 MB, and .* has room for 0.0 MB; choose anoth"):
        put_files(images, str(out))
    assert list(out.iterdir()) == []
    put_files(images, str(out), how="symlink")
    shutil.rmtree(out)
    put_files(images[:1], str(out))
    put_files(images[:2], str(out))
    put_files(images, str(out))
    assert put_files(images, str(out)).kept == 3


def test_links_say_what_can_be_done_where_there_are_none(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(os, "symlink", refused)
    with pytest.raises(OutputError, match=r"\(Invalid cross-device link\); use --copy-to or --sym"):
        put_files(images, str(tmp_path / "out"), how="link")
    with pytest.raises(OutputError, match="use --copy-to or --link-to"):
        put_files(images, str(tmp_path / "out"), how="symlink")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"path,label\n",
        b"path,original,hash,bucket,burst,camera,label,sample\na,b\n",
        b"path,original,hash,bucket,burst,camera,label,sample\na,b,c,d,e,f,g,h,i\n",
        b'path,original,hash,bucket,burst,camera,label,sample\n"a',
        b"\0\xff",
    ],
)
def test_a_file_that_is_no_manifest_is_not_written_over(
    images: list[Image], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(OutputError, match=f"{MANIFEST} is no manifest of sdindex; move it away"):
        put_files(images, str(tmp_path))
    assert (tmp_path / MANIFEST).read_bytes() == content
    assert not (tmp_path / "cam1").exists()


def test_a_manifest_that_leads_out_is_not_followed(images: list[Image], tmp_path: Path) -> None:
    out = tmp_path / "out"
    put_files(images[:1], str(out))
    text = (out / MANIFEST).read_text().replace("\ncam1/", "\n../cam1/")
    (out / MANIFEST).write_text(text)
    with pytest.raises(OutputError, match=r"is no path that can be put .* choose another folder"):
        put_files(images, str(out))


def test_a_folder_that_cannot_be_written(images: list[Image], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot put the sample in .*: "):
        put_files(images, str(tmp_path / "file"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/cam2").touch()
    with pytest.raises(OutputError, match=r"cannot put the sample in .*: .* at .*/cam2"):
        put_files(images, str(tmp_path / "out"))


@pytest.mark.parametrize("how", ALL)
def test_two_names_that_the_disk_takes_for_one(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: How
) -> None:
    monkeypatch.setattr(Naming, "path", lambda *_: "IMG_1.JPG")
    with pytest.raises(OutputError, match="does not tell its name from another image's"):
        put_files(images[::2], str(tmp_path / "out"), how=how)
    assert (tmp_path / "out/IMG_1.JPG").read_bytes() == b"cam1/IMG_1.JPG"


@pytest.mark.parametrize(
    "path", ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "a//x.jpg", "./x.jpg", "", "a\0.jpg"]
)
def test_no_path_leads_out_of_the_folder(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    paths = iter(["first.jpg", path])
    monkeypatch.setattr(Naming, "path", lambda *_: next(paths))
    with pytest.raises(
        OutputError, match=r"no file here can have such a name; leave that out with exclude"
    ):
        put_files(images[:2], str(tmp_path / "out" / "in"))
    assert not (tmp_path / "out").exists()
