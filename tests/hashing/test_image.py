import os
import struct
import sys
from datetime import datetime
from io import BytesIO
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from sdindex.hashing.blame import explain
from sdindex.hashing.image import SCALED_SIZE, dhash
from sdindex.hashing.methods import METHODS, Method
from sdindex.hashing.picture import PRELOAD, get_ready
from sdindex.workers import Workers
from tests.conftest import LONG_AGO, make_image
from tests.support.examples import examples
from tests.support.reading import imported_to_get_ready, read
from tests.support.turned import turned_image


def signed(reference: imagehash.ImageHash) -> int:
    value = int(str(reference), 16)
    return value - 2**64 if value >= 2**63 else value


def exact_reference(path: Path) -> int:
    with Image.open(path) as image:
        return signed(imagehash.dhash(image.convert("RGB"), hash_size=8))


def test_the_first_bit_is_the_highest() -> None:
    grey = Image.new("L", (9, 8))
    grey.putpixel((1, 0), 255)  # brighter than its left neighbour, at row 0, column 0
    assert dhash(grey) == -(2**63)
    assert dhash(Image.new("L", (9, 8))) == 0


MODES = {
    ".jpg": ["L", "RGB", "CMYK", "1"],
    ".png": ["L", "RGB", "RGBA", "P", "1", "LA"],
    ".bmp": ["L", "RGB", "RGBA", "P", "1"],
    ".tif": ["L", "RGB", "RGBA", "P", "CMYK", "1", "LA"],
    ".webp": ["L", "RGB", "RGBA", "P", "CMYK", "1", "LA"],
}


@pytest.mark.parametrize(
    ("suffix", "mode"), [(suffix, mode) for suffix, modes in MODES.items() for mode in modes]
)
def test_exact_is_imagehash_bit_for_bit(tmp_path: Path, mode: str, suffix: str) -> None:
    rough = np.random.default_rng(3).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    path = tmp_path / f"image{suffix}"
    Image.fromarray(rough).convert(mode).save(path)
    result = read(path, "exact")
    assert result.error is None
    assert result.picture is not None
    assert result.picture.dhash == exact_reference(path)
    assert (result.picture.width, result.picture.height) == (120, 90)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(10))  # 1 to 8 have a meaning
def test_width_and_height_are_those_of_the_picture_as_it_is_shown(
    orientation: int, suffix: str, tmp_path: Path
) -> None:
    path = turned_image(tmp_path / f"image{suffix}", orientation)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).size
    assert upright == ((240, 320) if orientation in (5, 6, 7, 8) else (320, 240))
    for method in METHODS:
        picture = read(path, method).picture
        assert picture is not None
        assert (picture.width, picture.height) == upright
        assert picture.without_thumbnail == (method == "thumbnail" and suffix != ".jpg")


def test_a_broken_exif_turns_no_image(tmp_path: Path) -> None:
    path = turned_image(tmp_path / "image.jpg", 6)
    content = path.read_bytes()
    assert b"II*" in content
    path.write_bytes(content.replace(b"II*", b"II?"))
    picture = read(path, "scaled").picture
    assert picture is not None
    assert (picture.width, picture.height) == (320, 240)


def test_scaled_is_decoded_at_no_less_than_16_times_the_grid(tmp_path: Path) -> None:
    path = make_image(tmp_path / "large.jpg", size=(1600, 1200))
    result = read(path, "scaled").picture
    with Image.open(path) as image:
        image.draft("L", (144, 128))
        assert image.size == (200, 150)
        assert result is not None
        assert result.dhash == signed(imagehash.dhash(image))
        assert result.brightness == pytest.approx(np.asarray(image).mean())
    assert (result.width, result.height) == (1600, 1200)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA"])
def test_scaled_reduces_what_is_not_a_jpeg(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "large.png"
    large = Image.open(make_image(tmp_path / "large.jpg", size=(1600, 1200))).convert(mode)
    large.save(path)
    result = read(path, "scaled").picture
    assert result is not None
    small = (large if mode == "L" else large.convert("RGB")).reduce(9)  # 1200 // 128
    assert result.dhash == signed(imagehash.dhash(small))
    assert (result.width, result.height) == (1600, 1200)
    exact = signed(imagehash.dhash(large.convert("RGB")))
    assert (result.dhash ^ exact).bit_count() <= 3


def test_brightness_is_the_mean_of_what_was_hashed(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (100, 100), 77).save(path)
    result = read(path, "exact").picture
    assert result is not None
    assert result.brightness == 77


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_taken_at_is_the_cameras_time(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"dated{suffix}"
    exif = Image.Exif()
    exif[0x010F] = "RECONYX"  # Pillow writes no EXIF that has nothing in its first directory
    exif.get_ifd(0x8769)[0x9003] = "2026:04:03 19:59:27"
    Image.new("RGB", (64, 64)).save(path, exif=exif)
    result = read(path, "scaled").picture
    assert result is not None
    assert result.taken_at == datetime(2026, 4, 3, 19, 59, 27)  # noqa: DTZ001


@pytest.mark.parametrize("written", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday", ""])
def test_a_time_that_is_none_loses_no_picture(tmp_path: Path, written: str) -> None:
    path = tmp_path / "undated.jpg"
    exif = Image.Exif()
    exif[0x010F] = "RECONYX"
    exif.get_ifd(0x8769)[0x9003] = written
    Image.new("RGB", (64, 64)).save(path, exif=exif)
    result = read(path, "scaled").picture
    assert result is not None
    assert result.taken_at is None


def test_broken_exif_loses_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "broken exif.jpg"
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHLL", 9, 0x8769, 4, 1, 0xFFFFFFF0)
    Image.new("RGB", (64, 64)).save(path, exif=exif)
    with Workers(
        1, 60.0, initializer=get_ready
    ) as pool:  # where what Pillow complains of is noted, not shown
        result = pool.submit(read, path, "scaled").result()
        plain = pool.submit(read, make_image(tmp_path / "a.jpg"), "scaled").result()
    assert result.picture is not None
    assert result.picture.taken_at is None
    assert result.notes
    assert not plain.notes


def jpeg() -> bytes:
    content = BytesIO()
    rough = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(rough).save(content, "JPEG")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"notes, not an image", "not an image of a known format"),
        (b"GIF89a" + bytes(100), "not an image of a known format"),
        (jpeg()[:1000], "cut short"),
    ],
)
def test_a_broken_image_has_a_reason_for_people(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    result = read(path, "scaled")
    assert result.picture is None
    assert result.error is not None
    assert result.error.startswith(reason)


def test_an_image_too_large_for_memory_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    header = bytearray(jpeg())
    at = header.index(b"\xff\xc0") + 5
    header[at : at + 4] = struct.pack(">HH", 65_500, 65_500)
    path = tmp_path / "bomb.jpg"
    path.write_bytes(bytes(header))
    assert "too large" in str(read(path, "scaled").error)


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, len(jpeg())))
def test_cut_anywhere_it_is_an_error_or_the_right_hash(
    tmp_path_factory: pytest.TempPathFactory, length: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole, cut = folder / "whole.jpg", folder / "cut.jpg"
    whole.write_bytes(jpeg())
    cut.write_bytes(jpeg()[:length])
    result = read(cut, "exact")
    if result.picture is not None:
        assert result.picture.dhash == exact_reference(whole)
    else:
        assert result.error


def test_the_reason_of_a_decoder_without_words() -> None:
    assert explain(KeyError(), 10) == "damaged: KeyError"


def test_one_opening_gives_everything(tmp_path: Path, opened: list[str]) -> None:
    path = make_image(tmp_path / "once.jpg")
    opened.clear()
    read(path, "scaled")
    assert opened == [str(path)]


def test_a_file_touched_just_now_is_not_settled(tmp_path: Path) -> None:
    path = make_image(tmp_path / "a.jpg")
    assert read(path, "scaled").settled
    os.utime(path)
    assert not read(path, "scaled").settled
    os.utime(path, (2 * LONG_AGO, 2 * LONG_AGO))  # a clock that runs ahead is no reason
    assert read(path, "scaled").settled


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be changed there")
def test_a_file_changed_while_it_is_read_is_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_image(tmp_path / "a.jpg")
    original = imagehash.dhash

    def meddling(image: Image.Image, hash_size: int) -> imagehash.ImageHash:
        os.utime(path, (LONG_AGO - 9, LONG_AGO - 9))
        return original(image, hash_size)

    monkeypatch.setattr(imagehash, "dhash", meddling)
    assert not read(path, "scaled").settled


@pytest.mark.parametrize("method", ["scaled", "exact", "thumbnail"])
@pytest.mark.parametrize(
    ("suffix", "mode"), [(suffix, mode) for suffix, modes in MODES.items() for mode in modes]
)
def test_the_grey_picture_is_the_one_that_is_hashed(
    tmp_path: Path, suffix: str, mode: str, method: Method
) -> None:
    rough = np.random.default_rng(5).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    path = tmp_path / f"image{suffix}"
    Image.fromarray(rough).convert(mode).save(path)
    picture = read(path, method).picture
    assert picture is not None
    grey = np.frombuffer(picture.grey, np.uint8).reshape(8, 9)
    assert picture.dhash == dhash(Image.fromarray(grey))
    compared = np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes()
    assert picture.dhash == int.from_bytes(compared, "big", signed=True)
    if method == "exact":
        assert picture.dhash == exact_reference(path)


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, 2**32), st.integers(9, 400), st.integers(8, 400))
def test_the_small_picture_has_the_hash_of_the_untouched_one(
    seed: int, width: int, height: int
) -> None:
    rough = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    whole = Image.fromarray(rough)
    small = whole.resize((9, 8), Image.Resampling.LANCZOS)
    assert imagehash.dhash(small) == imagehash.dhash(whole)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_in_colour_is_as_bright_and_hashes_as_in_grey(
    tmp_path: Path, subsampling: int, progressive: bool
) -> None:
    path = tmp_path / "large.jpg"
    small = Image.open(make_image(tmp_path / "small.png", seed=4))
    large = small.resize((1601, 1203))
    large.save(path, quality=85, subsampling=subsampling, progressive=progressive)
    with Image.open(path) as grey, Image.open(path) as ycc:
        grey.draft("L", SCALED_SIZE)
        ycc.draft("YCbCr", SCALED_SIZE)
        assert ycc.getchannel(0).tobytes() == grey.tobytes()
        expected, brightness = signed(imagehash.dhash(grey)), np.asarray(grey).mean()
    picture = read(path, "scaled").picture
    assert picture is not None
    assert picture.dhash == expected
    assert picture.brightness == pytest.approx(brightness)
    exact = read(path, "exact").picture
    assert exact is not None
    assert picture.colour == pytest.approx(exact.colour, abs=3)


def test_a_picture_in_grey_has_no_colour_and_a_tint_is_none(tmp_path: Path) -> None:
    rough = np.random.default_rng(1).integers(0, 256, (60, 80), dtype=np.uint8)
    grey = Image.fromarray(rough).resize((640, 480))
    tinted = Image.merge("YCbCr", (grey, Image.new("L", grey.size, 90), Image.new("L", grey.size)))
    for number, image in enumerate((grey, grey.convert("RGB"), tinted)):
        image.save(tmp_path / f"{number}.jpg", quality=90)
        picture = read(tmp_path / f"{number}.jpg", "scaled").picture
        assert picture is not None
        assert picture.colour is not None
        assert picture.colour < 0.5
    coloured = read(make_image(tmp_path / "a.jpg"), "scaled").picture
    assert coloured is not None
    assert coloured.colour is not None
    assert coloured.colour > 10


def test_a_jpeg_that_is_stored_in_rgb_is_read_and_its_colour_unknown(tmp_path: Path) -> None:
    rough = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = tmp_path / "rgb.jpg"
    Image.fromarray(rough).resize((640, 480)).save(path, quality=90, keep_rgb=True)
    with Image.open(path) as image:
        image.draft("L", SCALED_SIZE)
        expected = signed(imagehash.dhash(image))
    picture = read(path, "scaled").picture
    assert picture is not None
    assert (picture.dhash, picture.colour) == (expected, None)
    exact = read(path, "exact").picture
    assert exact is not None
    assert exact.colour is not None
    assert exact.colour > 10


def test_a_process_that_starts_to_read_has_all_its_modules() -> None:
    with Workers(1, preload=PRELOAD) as pool:
        assert pool.submit(imported_to_get_ready).result() == []
