"""Only what is wrong with its bytes is a verdict on an image."""

import errno
import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from sdindex.archive.roots import LocalRoot
from sdindex.hashing.blame import ProgramFaultError
from sdindex.hashing.image import read_image
from sdindex.hashing.methods import METHODS, Method
from sdindex.hashing.picture import get_ready
from sdindex.workers import Workers
from tests.conftest import CHECKOUT, LONG_AGO, make_image
from tests.support.reading import read


@dataclass(frozen=True)
class BadDisk(LocalRoot):
    """A folder of files from which, from some byte on, nothing can be read."""

    good: int = 0
    problem: Exception = field(default_factory=partial(OSError, errno.EIO, "Input/output error"))

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file."""
        return BadFile(self.location(path), self.good, self.problem)


class BadFile(io.FileIO):
    """A file that cannot be read from some byte on."""

    def __init__(self, name: str, good: int, problem: Exception) -> None:
        super().__init__(name)
        self._good, self._problem = good, problem

    def read(self, size: int | None = -1, /) -> bytes:
        """Read what is before the bad byte."""
        wanted = os.fstat(self.fileno()).st_size if size is None or size < 0 else size
        if self.tell() + wanted > self._good:
            raise self._problem
        return super().read(wanted)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("good", [0, 1 << 16])
def test_what_the_system_does_not_give_is_its_own_word(
    tmp_path: Path, suffix: str, method: Method, good: int
) -> None:
    Image.effect_noise((800, 600), 90).convert("RGB").save(tmp_path / f"a{suffix}")
    assert (tmp_path / f"a{suffix}").stat().st_size > 1 << 16
    with pytest.raises(OSError, match="Input/output error"):
        read_image(BadDisk(str(tmp_path), good), f"a{suffix}", method)


def test_a_fault_of_the_root_is_no_verdict(tmp_path: Path) -> None:
    make_image(tmp_path / "a.jpg")
    with pytest.raises(AttributeError, match="no such thing"):
        read_image(BadDisk(str(tmp_path), 0, AttributeError("no such thing")), "a.jpg", "scaled")


@pytest.mark.parametrize("kind", [AttributeError, ImportError, TypeError, ValueError, OSError])
def test_a_fault_of_the_decoders_module_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def load(*_: object) -> None:
        raise kind("it is broken")

    path = make_image(tmp_path / "a.jpg")
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load_prepare", load)
    with pytest.raises(ProgramFaultError, match=rf"^{kind.__name__} in tests.*: it is broken$"):
        read(path, "scaled")


class Fault:
    """A function in which something is wrong, for some images only."""

    def __init__(self, original: Callable[..., Any], of: Callable[[Any], bool]) -> None:
        self.original, self.of = original, of

    def __get__(self, image: Image.Image, _: object = None) -> Callable[..., Any]:
        """Return the function, bound as a method is."""
        return partial(self, image)

    def __call__(self, image: Image.Image, *arguments: Any, **options: Any) -> Any:
        """Fail, or do what it is for."""
        if self.of(image):
            raise OSError("broken")
        return self.original(image, *arguments, **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("name", "mode", "options", "where", "of"),
    [
        ("a.tif", "CMYK", {}, (Image.Image, "convert"), lambda image: image.mode == "CMYK"),
        ("a.png", "P", {}, (Image.Image, "convert"), lambda image: image.mode == "P"),
        ("a.png", "RGB", {}, (ImageFile.ImageFile, "load"), lambda image: image.width > 100),
        ("a.tif", "RGB", {"compression": "packbits"}, (ImageFile.ImageFile, "load"),
         lambda image: image.format == "TIFF" and image.info["compression"] != "raw"),
        ("a.jpg", "RGB", {}, (Image.Image, "getexif"), lambda image: True),
    ],
)  # fmt: skip
def test_a_fault_that_only_such_images_meet_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: Method, name: str, mode: str,
    options: dict[str, Any], where: tuple[type, str], of: Callable[[Any], bool],
) -> None:  # fmt: skip
    path = tmp_path / name
    Image.effect_noise((320, 240), 90).convert(mode).save(path, **options)
    assert read(path, method).error is None
    monkeypatch.setattr(*where, Fault(getattr(*where), of))
    with pytest.raises(ProgramFaultError, match="broken"):
        read(path, method)


def test_a_decoder_that_is_not_there_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    Image.effect_noise((32, 24), 90).save(path, compression="tiff_lzw")
    monkeypatch.delattr("PIL._imaging.libtiff_decoder")
    with pytest.raises(ProgramFaultError, match="decoder libtiff not available"):
        read(path, "scaled")


def test_the_same_error_for_some_bytes_alone_is_a_verdict_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = JpegImagePlugin.JpegImageFile.load_prepare

    def load(image: JpegImagePlugin.JpegImageFile) -> None:
        if image.info["dpi"] == (240, 240):
            raise AttributeError("None has no attribute 'tile'")
        original(image)

    path = tmp_path / "a.jpg"
    Image.effect_noise((320, 240), 90).save(path, dpi=(240, 240))
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load_prepare", load)
    assert read(path, "scaled").error == "damaged: None has no attribute 'tile'"


def test_a_lack_of_the_machine_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    path = make_image(tmp_path / "a.jpg")
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load_prepare", lacking)
    with pytest.raises(OSError, match="Too many open files"):
        read(path, "scaled")


@pytest.mark.parametrize("method", METHODS)
@given(offset=st.integers(0, 2**64 - 1), order=st.sampled_from("<>"))
def test_wherever_bytes_point_to_they_are_settled(
    tmp_path_factory: pytest.TempPathFactory, method: Method, offset: int, order: str
) -> None:
    """A decoder that goes there has an error with the number of the system's."""
    path = tmp_path_factory.mktemp("big") / "a.tif"
    begins = b"II+\0\x08\0\0\0" if order == "<" else b"MM\0+\0\x08\0\0"
    path.write_bytes(begins + struct.pack(f"{order}Q", offset) + bytes(100))
    os.utime(path, (LONG_AGO, LONG_AGO))
    result = read(path, method)
    assert result.error
    assert result.settled


def test_a_number_of_the_decoders_own_is_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Any = TiffImagePlugin.TiffImageFile._open

    def numbered(image: TiffImagePlugin.TiffImageFile) -> None:
        original(image)
        if image.size == (320, 240):
            raise OSError(-2, "decoder error")

    path = make_image(tmp_path / "a.tif")
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "_open", numbered)
    assert read(path, "scaled").error == "damaged: [Errno -2] decoder error"
    assert read(path, "scaled").settled


def test_a_decoders_own_noise_is_a_note(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "noisy.tif"
    Image.effect_noise((200, 150), 90).save(path, compression="tiff_adobe_deflate")
    content = bytearray(path.read_bytes())
    content[20:4000] = bytes(3980)
    path.write_bytes(content)
    with Workers(1, initializer=get_ready) as pool:
        result = pool.submit(read, path, "scaled").result()
        after = pool.submit(read, make_image(tmp_path / "a.jpg"), "scaled").result()
    assert result.error
    assert any("Decod" in note for note in result.notes)
    assert after.notes == ()
    assert capfd.readouterr().err == ""


def make_large(path: Path, size: tuple[int, int], **options: object) -> Path:
    """Write a JPEG that is large, in a process of its own that has the memory for it."""
    code = (
        "import sys; from PIL import Image; Image.MAX_IMAGE_PIXELS = None; "
        f"Image.effect_noise(({size[0] // 50}, {size[1] // 50}), 90).resize({size})"
        f".save(sys.argv[1], 'JPEG', **{options})"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such account of memory")
@pytest.mark.parametrize("size", [(11_000, 8_000), (13_000, 13_000)])
def test_a_large_jpeg_is_read_in_little_memory(tmp_path: Path, size: tuple[int, int]) -> None:
    path = make_large(tmp_path / "large.jpg", size)
    code = (
        f"import sys, resource; sys.path.append({str(CHECKOUT)!r}); "
        "from tests.support.reading import read; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "import warnings; warnings.simplefilter('ignore'); "
        "picture = read(sys.argv[1], 'scaled').picture; "
        "print(picture.width, picture.height, "
        "(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    width, height, megabytes = map(int, done.stdout.split())
    assert (width, height) == size
    assert megabytes < 20


def test_a_large_progressive_jpeg_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = make_large(tmp_path / "large.jpg", (13_000, 7_000), progressive=True)
    with Workers(1, initializer=get_ready) as pool:
        error = pool.submit(read, path, "scaled").result().error
    assert error == "too large to decode safely: 13000 x 7000 pixels"
