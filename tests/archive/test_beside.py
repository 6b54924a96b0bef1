"""What a scan passes over: litter of systems and programs; and what it counts beside images."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from sdindex.archive.beside import Beside
from sdindex.archive.excluded import checked
from sdindex.archive.scan import Links, Passed, Span, scan
from sdindex.errors import UsageError
from tests.archive.test_scan import files, touch

LITTER = [
    "$RECYCLE.BIN/S-1-5-21/$R0AB12.JPG", "System Volume Information/x.jpg", ".Trashes/501/a.jpg",
    ".Trash-1000/files/a.jpg", ".Spotlight-V100/a.jpg", ".fseventsd/a.jpg", "lost+found/#12/a.jpg",
    "cam/@eaDir/IMG_1.JPG/SYNOPHOTO_THUMB_M.jpg", "#recycle/cam/a.jpg", "@Recycle/a.jpg",
    "cam/.thumbnails/a.jpg", "cam/.vthumb/film.jpg", "__MACOSX/cam/a.jpg", "cam/.@__thumb/a.jpg",
    "cam/._IMG_1.JPG", "._a.jpg",
]  # fmt: skip
KEPT = [
    "cam/IMG_1.JPG", "Backups/a.jpg", "cam/DeletedFiles/a.jpg", ".hidden/a.jpg", "_a.jpg",
    "recycle/a.jpg", "thumbnails/a.jpg", "eaDir/a.jpg", "cam/Thumbs/a.jpg",
]  # fmt: skip


def make(root: Path, *names: str) -> Path:
    for name in names:
        touch(root / name)
    return root


def beside(root: Path, span: Span | None = None) -> Beside:
    counted = Beside()
    for item in scan(str(root), span=span or Span(), links=Links(str(root))):
        if isinstance(item, Beside):
            counted.add(item)
    return counted


def test_litter_is_passed_over_and_like_names_are_not(tmp_path: Path) -> None:
    make(tmp_path, *LITTER, *KEPT)
    assert files(tmp_path) == sorted(KEPT)


@pytest.mark.parametrize("base", ["TimelapseData.ddb", "Deer.TDB"])
def test_timelapses_folders_are_told_by_its_files_beside_them(tmp_path: Path, base: str) -> None:
    make(tmp_path, "cam/1.jpg", "cam/Backups/1.jpg", "cam/DeletedFiles/1.jpg", "Backups/1.jpg")
    assert len(files(tmp_path)) == 4
    touch(tmp_path / "cam" / base)
    assert files(tmp_path) == ["Backups/1.jpg", "cam/1.jpg"]


def test_what_is_passed_over_is_named_in_its_place_and_counted_last(tmp_path: Path) -> None:
    make(tmp_path, "a/@eaDir/1.jpg/x.jpg", "a/@eaDir/y.txt", "a/._1.jpg", "b.jpg", "film.MP4")
    found = [item for item in scan(str(tmp_path)) if isinstance(item, Passed | Beside)]
    assert found[:2] == [Passed("a/._1.jpg"), Passed("a/@eaDir/")]
    assert [str(item) for item in found[2:]] == ["1 .MP4; 2 files in @eaDir; 1 ._*"]


def test_formats_are_counted_by_suffix_the_most_first(tmp_path: Path) -> None:
    make(
        tmp_path, "a/1.mp4", "a/2.MP4", "3.heic", "4.NEF", "labels.csv", "notes", "IMG.JPG_original"
    )
    make(tmp_path, "Thumbs.db", "a/Thumbs.db", ".DS_Store", "1.jpg")
    formats, shadows = str(beside(tmp_path)).split("; ")
    assert formats.split(", ")[0] == "2 .MP4"
    assert {*formats.split(", ")} == {"2 .MP4", "1 .HEIC", "1 .NEF", "1 .JPG_ORIGINAL"}
    assert shadows == "2 Thumbs.db, 1 .DS_Store"


def test_spans_of_paths_share_what_is_counted(tmp_path: Path) -> None:
    make(tmp_path, *LITTER, *KEPT, "cam/a.mp4", "z.avi", "a.heic")
    starts = ["", "cam/", "cam/@eaDir/IMG_1.JPG/", "cam/IMG_1.JPG", None]
    spans = [Span(start or "", end) for start, end in pairwise(starts)]
    shared = Beside()
    for span in spans:
        shared.add(beside(tmp_path, span))
    assert shared == beside(tmp_path)
    assert sum(shared.litter.values()) == 14
    assert shared.shadows["._*"] == 2


def test_of_very_much_litter_only_some_is_counted(tmp_path: Path) -> None:
    for number in range(150):
        touch(tmp_path / "@eaDir" / f"IMG_{number}.JPG" / "x.jpg")
    counted = beside(touch(tmp_path / "1.jpg").parent)
    assert counted.more
    assert 0 < counted.litter["@eaDir"] < 150
    assert str(counted).startswith("over ")


def test_files_and_folders_that_are_left_out(tmp_path: Path) -> None:
    left_out = ["test/1.jpg", "cam/test/2.jpg", "site1/setup/1.jpg", "cam/1_thumb.jpg", "cam/x.mp4",
                "cam/deep/1/calibration/1.jpg", "#1/a.jpg", "folder.jpg/1.jpg"]  # fmt: skip
    kept = ["cam/test.jpg", "site1/a.jpg", "site2/site1/setup/1.jpg", "cam/1_THUMB.jpg", "1.jpg"]
    make(tmp_path, *left_out, *kept)
    globs = ("test/", "/site1/setup", "*_thumb.jpg", "*.mp4", "cam/**/calibration", "#1",
             "folder.jpg/")  # fmt: skip
    found = list(scan(str(tmp_path), excluded=globs))
    assert sorted(file.path for item in found if isinstance(item, list) for file in item) == sorted(
        kept
    )
    assert str(found[-1]) == "1 file and 6 folders excluded"


@pytest.mark.parametrize("glob", ["!", "/", "  ", "[", "!kept.jpg", "a\\"])
def test_a_glob_that_leaves_nothing_out_is_one_line(glob: str) -> None:
    with pytest.raises(UsageError, match="leaves nothing out") as raised:
        checked(["test/", glob])
    assert "\n" not in str(raised.value)
    assert checked(["a", "", "a", "b/"]) == ("a", "b/")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_litter_that_nobody_may_look_at_is_nothing_to_tell(tmp_path: Path) -> None:
    touch(tmp_path / "System Volume Information" / "x.jpg").parent.chmod(0)
    touch(tmp_path / "1.jpg")
    found = list(scan(str(tmp_path)))
    (tmp_path / "System Volume Information").chmod(0o700)
    assert Passed("System Volume Information/") in found
