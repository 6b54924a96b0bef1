"""Files of a sample below a folder: whole, at their own places, and never over others."""

import csv
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex.archive.state import FileState
from sdindex.errors import OutputError
from sdindex.exchange.copies import MANIFEST, How, place
from sdindex.exchange.naming import Naming
from sdindex.exchange.tables import from_cell
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
        original(root, "cam1/IMG_1.JPG", camera="cam1", burst=4, labels=("fox", "red deer")),
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
def test_files_are_put_at_their_places(images: list[Image], tmp_path: Path, how: How) -> None:
    out = tmp_path / "a new" / "folder"
    assert str(place(images, str(out), how=how)) == f"3 images put in {out}"
    assert state(out) == state(tmp_path / "archive")
    for image in images:
        put = out / image.relative_path
        assert put.is_symlink() == (how == "symlink")
        assert put.samefile(image.path) == (how != "copy")
    before = {path: path.lstat().st_ino for path in out.rglob("*.JPG")}
    again = place(images, str(out), how=how)
    assert (again.new, again.kept, again.size) == (0, 3, 0)
    assert str(again).endswith("3 were there")
    assert {path: path.lstat().st_ino for path in out.rglob("*.JPG")} == before


def test_the_manifest_says_what_each_file_is(images: list[Image], tmp_path: Path) -> None:
    out = tmp_path / "out"
    place(images[:2], str(out), sample="spring")
    assert manifest(out) == [
        {
            "path": "cam1/IMG_1.JPG",
            "original": images[0].path,
            "hash": "3333333333333333",
            "bucket": "3",
            "burst": "4",
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
    place(images[1:], str(out), sample="autumn")
    assert [(row["path"], row["sample"]) for row in manifest(out)] == [
        ("cam1/IMG_1.JPG", "spring"),
        ("cam1/IMG_2.JPG", "autumn"),
        ("cam2/IMG_1.JPG", "autumn"),
    ]


def test_a_second_run_completes_the_first(images: list[Image], tmp_path: Path) -> None:
    out = tmp_path / "out"
    place(images, str(out))
    (out / "cam1/IMG_2.JPG").unlink()
    (out / "cam2/.sdindex-part").write_bytes(b"half")
    kept = (out / "cam1/IMG_1.JPG").stat().st_ino
    more = original(tmp_path / "archive", "cam2/IMG_2.JPG", "new")
    done = place([*images, more], str(out))
    assert (done.new, done.kept, done.size) == (2, 2, len("cam1/IMG_2.JPG") + len("new"))
    assert (out / "cam1/IMG_1.JPG").stat().st_ino == kept
    assert {name: content for name, content in state(out).items() if "part" not in name} == state(
        tmp_path / "archive"
    )
    assert not (out / "cam2/.sdindex-part").exists()


def test_an_interrupted_copy_leaves_no_half_file(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copyfile = shutil.copyfile

    def interrupted(source: str, target: str) -> None:
        copyfile(source, target)
        if source.endswith("IMG_2.JPG"):
            os.truncate(target, 3)
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        place(images, str(tmp_path / "out"))
    assert list(state(tmp_path / "out")) == ["cam1/IMG_1.JPG"]
    monkeypatch.undo()
    assert place(images, str(tmp_path / "out")).new == 2


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
        place(images, str(out), how=how)
    assert str(raised.value) == (
        f"will not write over {target}; nothing was put: choose another folder, or move away what "
        "is there"
    )
    assert FileState.of(target.lstat()) == before
    assert [path.name for path in out.iterdir()] == ["cam2"]


def test_a_copy_of_another_time_is_one_where_it_is_the_same_to_the_last_byte(
    images: list[Image], tmp_path: Path
) -> None:
    place(images, str(tmp_path / "out"))
    os.utime(tmp_path / "out/cam1/IMG_1.JPG", (1, 1))  # such as another program's copy
    os.utime(tmp_path / "out/cam1/IMG_2.JPG", (LONG_AGO + 2, LONG_AGO + 2))  # such as FAT's
    assert place(images, str(tmp_path / "out")).kept == 3


@pytest.mark.parametrize("how", ALL)
def test_originals_that_are_missing_are_named(
    images: list[Image], tmp_path: Path, how: How
) -> None:
    Path(images[0].path).unlink()
    Path(images[2].path).unlink()
    with pytest.raises(OutputError, match=r"cannot read .*cam1/IMG_1.JPG and 1 more; mount the"):
        place(images, str(tmp_path / "out"), how=how)
    assert not (tmp_path / "out").exists()


def test_room_is_looked_for_first_and_only_for_what_is_still_to_be_copied(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 80, 20))
    out = tmp_path / "out"
    with pytest.raises(OutputError, match=r"need 0.0 MB, and .* has room for 0.0 MB; choose anoth"):
        place(images, str(out))
    assert list(out.iterdir()) == []
    place(images, str(out), how="symlink")
    shutil.rmtree(out)
    place(images[:1], str(out))
    place(images[:2], str(out))
    place(images, str(out))
    assert place(images, str(out)).kept == 3


def test_archives_with_the_same_paths_come_into_folders_of_their_own(tmp_path: Path) -> None:
    images = [
        original(tmp_path / disk / "DCIM", "100RECNX/IMG_1.JPG", disk) for disk in ("a", "b", "c")
    ]
    out = tmp_path / "out"
    place(images[1:2], str(out))  # the only archive, then
    place(images, str(out))
    assert {name: content for name, (content, _) in state(out).items()} == {
        "100RECNX/IMG_1.JPG": b"b",
        "DCIM/100RECNX/IMG_1.JPG": b"a",
        "DCIM-3/100RECNX/IMG_1.JPG": b"c",
    }
    assert [row["original"] for row in manifest(out)] == [images[place].path for place in (1, 0, 2)]


def test_links_say_what_can_be_done_where_there_are_none(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(os, "symlink", refused)
    with pytest.raises(OutputError, match=r"\(Invalid cross-device link\); use --copy-to or --sym"):
        place(images, str(tmp_path / "out"), how="link")
    with pytest.raises(OutputError, match="use --copy-to or --link-to"):
        place(images, str(tmp_path / "out"), how="symlink")


@pytest.mark.parametrize("how", ALL)
def test_two_names_that_the_disk_takes_for_one(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: How
) -> None:
    monkeypatch.setattr(Naming, "path", lambda *_: "IMG_1.JPG")
    with pytest.raises(OutputError, match="does not tell its name from another image's"):
        place(images[::2], str(tmp_path / "out"), how=how)
    assert (tmp_path / "out/IMG_1.JPG").read_bytes() == b"cam1/IMG_1.JPG"


@pytest.mark.parametrize(
    "path", ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "a//x.jpg", "./x.jpg", "", "a\0.jpg"]
)
def test_no_path_leads_out_of_the_folder(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    paths = iter(["first.jpg", path])
    monkeypatch.setattr(Naming, "path", lambda *_: next(paths))
    with pytest.raises(OutputError, match="is no path that can be put below a folder"):
        place(images[:2], str(tmp_path / "out" / "in"))
    assert not (tmp_path / "out").exists()


@posix
def test_names_that_are_no_text_come_through_byte_for_byte(tmp_path: Path) -> None:
    names = ["\udcff/\udcfe.jpg", "a\nb/\x1b.jpg", "a\\b.jpg", 'é ",;.jpg', "\r.jpg"]
    images = [original(tmp_path / "arch\udcff", name) for name in names]
    out = tmp_path / "out"
    assert place(images, str(out)).new == len(names)
    assert place(images, str(out)).kept == len(names)
    assert state(out) == state(tmp_path / "arch\udcff")
    assert [row["path"] for row in manifest(out)] == names


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
        place(images, str(tmp_path))
    assert (tmp_path / MANIFEST).read_bytes() == content
    assert not (tmp_path / "cam1").exists()


def test_a_manifest_that_leads_out_is_not_followed(images: list[Image], tmp_path: Path) -> None:
    out = tmp_path / "out"
    place(images[:1], str(out))
    text = (out / MANIFEST).read_text().replace("\ncam1/", "\n../cam1/")
    (out / MANIFEST).write_text(text)
    with pytest.raises(OutputError, match="is no path that can be put below a folder"):
        place(images, str(out))


def test_a_folder_that_cannot_be_written(images: list[Image], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot put the sample in .*: "):
        place(images, str(tmp_path / "file"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/cam2").touch()
    with pytest.raises(OutputError, match=r"cannot put the sample in .*: .* at .*/cam2"):
        place(images, str(tmp_path / "out"))


NAMES = ["a/1.jpg", "a/2.jpg", "b/1.jpg", "A/1.jpg"]
contents = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["x", "y", "xx"]))


@settings(max_examples=60)
@given(contents, contents, contents, st.sampled_from(ALL))
def test_every_file_is_put_whole_or_nothing_is_touched(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, str],
    second: dict[str, str],
    there: dict[str, str],
    how: How,
) -> None:
    folder = tmp_path_factory.mktemp("placing")
    images = [original(folder / "1/archive", *each) for each in first.items()]
    images += [original(folder / "2/archive", *each) for each in second.items()]
    for path, content in there.items():
        os.utime(original(folder / "out", path, content).path, (1, 1))  # no copy of ours
    originals, before = state(folder), state(folder / "out")
    out = str(folder / "out")
    try:
        done = place(images, out, how=how)
    except OutputError:
        assert state(folder) == originals
        return
    assert state(folder) | originals == state(folder)
    put = {row["original"]: folder / "out" / row["path"] for row in manifest(folder / "out")}
    assert sorted(put) == sorted(image.path for image in images)
    assert len(set(put.values())) == len(images)
    assert all(put[one.path].read_bytes() == Path(one.path).read_bytes() for one in images)
    assert set(state(folder / "out")) == {
        *before,
        *(path.relative_to(folder / "out").as_posix() for path in put.values()),
    }
    assert place(images, out, how=how).kept == len(images) == done.new + done.kept
