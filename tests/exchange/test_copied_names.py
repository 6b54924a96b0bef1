"""Names of copied files: the same in several archives, or no text; and any mixture of them."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdindex.errors import OutputError
from sdindex.exchange.copies import How, put_files
from tests.exchange.test_copies import ALL, manifest, original, posix, state
from tests.support.examples import examples


def test_archives_with_the_same_paths_come_into_folders_of_their_own(tmp_path: Path) -> None:
    images = [
        original(tmp_path / disk / "DCIM", "100RECNX/IMG_1.JPG", disk) for disk in ("a", "b", "c")
    ]
    out = tmp_path / "out"
    put_files(images[1:2], str(out))  # the only archive, then
    put_files(images, str(out))
    assert {name: content for name, (content, _) in state(out).items()} == {
        "100RECNX/IMG_1.JPG": b"b",
        "DCIM/100RECNX/IMG_1.JPG": b"a",
        "DCIM-3/100RECNX/IMG_1.JPG": b"c",
    }
    assert [row["original"] for row in manifest(out)] == [images[place].path for place in (1, 0, 2)]


@posix
def test_names_that_are_no_text_come_through_byte_for_byte(tmp_path: Path) -> None:
    names = ["\udcff/\udcfe.jpg", "a\nb/\x1b.jpg", "a\\b.jpg", 'é ",;.jpg', "\r.jpg"]
    images = [original(tmp_path / "arch\udcff", name) for name in names]
    out = tmp_path / "out"
    assert put_files(images, str(out)).new == len(names)
    assert put_files(images, str(out)).kept == len(names)
    assert state(out) == state(tmp_path / "arch\udcff")
    assert [row["path"] for row in manifest(out)] == names


NAMES = ["a/1.jpg", "a/2.jpg", "b/1.jpg", "A/1.jpg"]
contents = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["x", "y", "xx"]))


@settings(max_examples=examples(60))
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
        done = put_files(images, out, how=how)
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
    assert put_files(images, out, how=how).kept == len(images) == done.new + done.kept
