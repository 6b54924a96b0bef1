"""`--method thumbnail`: the head of the file, where what is in it can be trusted."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from sdindex.hashing.image import dhash, exif_thumbnail
from sdindex.hashing.methods import HEAD_BYTES
from tests.conftest import LONG_AGO, make_image
from tests.hashing.test_image import exact_reference
from tests.support.reading import read


def apart(one: int, other: int) -> int:
    """Return in how many of their 64 bits two signed hashes differ."""
    return ((one ^ other) % 2**64).bit_count()


def scene(seed: int, size: tuple[int, int]) -> Image.Image:
    rough = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)


def with_thumbnail(path: Path, image: Image.Image, small: bytes) -> Path:
    """Write a JPEG with EXIF that holds a thumbnail, as a camera does: IFD0 empty, then IFD1."""
    from struct import pack

    start = 8 + 6 + 2 + 2 * 12 + 4
    exif = b"Exif\0\0II*\0" + pack("<L", 8) + pack("<HL", 0, 14)
    exif += pack("<H", 2) + pack("<HHLL", 0x0201, 4, 1, start)
    exif += pack("<HHLL", 0x0202, 4, 1, len(small)) + pack("<L", 0) + small
    image.save(path, "JPEG", quality=90, exif=exif)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def jpeg(image: Image.Image) -> bytes:
    content = BytesIO()
    image.save(content, "JPEG", quality=85)
    return content.getvalue()


def letterboxed(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.pad(image, size, color=(0, 0, 0))


@pytest.mark.parametrize("size", [(800, 600), (1600, 900), (600, 800), (1000, 1000)])
def test_a_thumbnail_is_cut_to_the_images_shape(tmp_path: Path, size: tuple[int, int]) -> None:
    image = scene(1, size)
    path = with_thumbnail(tmp_path / "a.jpg", image, jpeg(letterboxed(image, (160, 120))))
    picture = read(path, "thumbnail").picture
    assert picture is not None
    assert not picture.without_thumbnail
    assert (picture.width, picture.height) == size
    distance = apart(picture.dhash, exact_reference(path))
    assert distance <= 2
    uncut = dhash(letterboxed(image, (160, 120)).convert("L"))
    if size != (800, 600):
        assert apart(uncut, exact_reference(path)) > distance, "the bars are cut"


def untrusted() -> dict[str, bytes]:
    other_shape = jpeg(scene(2, (120, 120)))
    return {
        "another shape": other_shape,
        "larger than the image": jpeg(scene(1, (1000, 750))),
        "cut short": jpeg(scene(1, (160, 120)))[:600],
        "no JPEG": b"x" * 500,
        "empty": b"",
    }


@pytest.mark.parametrize("why", untrusted())
def test_a_thumbnail_that_is_not_trusted_is_not_used(tmp_path: Path, why: str) -> None:
    path = with_thumbnail(tmp_path / "a.jpg", scene(1, (800, 600)), untrusted()[why])
    picture, scaled = (read(path, method).picture for method in ("thumbnail", "scaled"))
    assert picture is not None
    assert scaled is not None
    assert picture == scaled._replace(without_thumbnail=True)


def test_a_thumbnail_that_promises_gigabytes_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 12,000 x 12,000 pixels, in an image that says the same of itself."""
    large = (12_000).to_bytes(2, "big")
    small = jpeg(scene(1, (160, 120)))
    path = with_thumbnail(tmp_path / "IMG_1.JPG", scene(1, (640, 480)), small)
    for size in ((120, 160), (480, 640)):
        was = b"".join(side.to_bytes(2, "big") for side in size)
        assert was in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(b"\x08" + was, b"\x08" + large + large))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.warns(Image.DecompressionBombWarning):
        image = Image.open(path)
    with pytest.warns(Image.DecompressionBombWarning):
        assert exif_thumbnail(image) is None
    image.close()


def test_a_thumbnail_that_pillow_refuses_to_open_costs_the_image_nothing(tmp_path: Path) -> None:
    small = jpeg(scene(1, (160, 120)))
    path = with_thumbnail(tmp_path / "IMG_1.JPG", scene(1, (640, 480)), small)
    was, large = b"\x08\x00\x78\x00\xa0", b"\x08\xff\xdc\xff\xdc"
    path.write_bytes(path.read_bytes().replace(was, large))
    picture, scaled = (read(path, method).picture for method in ("thumbnail", "scaled"))
    assert scaled is not None
    assert picture == scaled._replace(without_thumbnail=True)


def test_other_formats_and_broken_files_are_read_whole(tmp_path: Path) -> None:
    png = make_image(tmp_path / "a.png")
    scaled = read(png, "scaled").picture
    assert scaled is not None
    assert read(png, "thumbnail").picture == scaled._replace(without_thumbnail=True)
    (tmp_path / "text.jpg").write_bytes(b"notes")
    assert "not an image" in str(read(tmp_path / "text.jpg", "thumbnail").error)


def test_only_the_head_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    image = Image.effect_noise((2000, 1500), 90).convert("RGB")
    path = with_thumbnail(tmp_path / "a.jpg", image, jpeg(image.resize((160, 120))))
    assert path.stat().st_size > 10 * HEAD_BYTES
    opened.clear()
    with path.open("rb") as whole:
        head = whole.read(HEAD_BYTES)
    (tmp_path / "head.jpg").write_bytes(head)  # all there is, and enough
    opened.clear()
    result = read(tmp_path / "head.jpg", "thumbnail")
    assert result.picture is not None
    assert not result.picture.without_thumbnail
    assert opened == [str(tmp_path / "head.jpg")]


def test_on_real_originals_it_is_near(real_archive: Path) -> None:
    distances = []
    for path in sorted((real_archive / "peru").rglob("*.JPG")):
        picture = read(path, "thumbnail").picture
        assert picture is not None
        assert not picture.without_thumbnail
        distances.append(apart(picture.dhash, exact_reference(path)))
    assert len(distances) == 27
    assert sum(distances) / 27 <= 2.5
