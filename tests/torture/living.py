"""An archive to which anything happens that happens to archives."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image

FOLDERS = ("100RECNX", "101RECNX", "99RECNX", "a", "a-b", "a.b", "a b", "A", "Wälder", "deep")
NAMES = [
    "IMG_1.JPG", "IMG_2.JPG", "IMG_10.JPG", "IMG_02.JPG", "img_2.jpg", "-n.jpg", " .png", "x.Tiff",
    "ä.jpg", "a\u0308.jpg", "back\\slash.jpg", "new\nline.bmp", "notes.txt",
]  # fmt: skip
if sys.platform == "linux":
    NAMES += [os.fsdecode(b"\xff.jpg"), os.fsdecode(b"\xc3\x28.webp")]


class Archive:
    """A folder of tiny images to which anything happens that happens to archives.

    No two contents of one name ever have the same size and time: what rsync cannot see, an
    index cannot, and says so.
    """

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root = root
        self.chance = chance
        self.times: set[int] = set()
        self.away = root.with_name(f"{root.name}-away")
        self.away.mkdir(parents=True)
        root.mkdir()
        self.contents = tiny_images(chance)
        self.stays = root / "stays.jpg"
        self._write(self.stays)
        for _ in range(15):
            self.create()

    def happen(self) -> str:
        """Do one thing, and return its name."""
        things: list[Callable[[], None]] = [
            self.create, self.create, self.edit, self.edit, self.edit_now, self.touch, self.touch,
            self.rename, self.rename_folder, self.delete, self.replace, self.restore, self.copy,
        ]  # fmt: skip
        thing = self.chance.choice(things)
        thing()
        return thing.__name__

    def create(self) -> None:
        self._write(self._new_name())

    def edit(self) -> None:
        self._write(self._file())

    def edit_now(self) -> None:
        self._write(self._file(), now=True)

    def touch(self) -> None:
        self._stamp(self._file())

    def rename(self) -> None:
        file, name = self._file(), self._new_name()
        if file != self.stays:
            file.rename(name)

    def rename_folder(self) -> None:
        folders = sorted(path for path in self.root.rglob("*") if path.is_dir())
        if not folders:
            return
        folder, into = self.chance.choice(folders), self.chance.choice([self.root, *folders])
        name = into / self.chance.choice(FOLDERS)
        if not name.exists() and not name.is_relative_to(folder):
            folder.rename(name)

    def delete(self) -> None:
        file = self._file()
        if file != self.stays:
            file.rename(self.away / f"{len(os.listdir(self.away))} {file.name}")

    def replace(self) -> None:
        """Move one file over another."""
        file, other = self._file(), self._file()
        if file != self.stays:
            file.replace(other)

    def restore(self) -> None:
        """Bring back a file that was deleted, with its time: where it was, or elsewhere."""
        gone = sorted(self.away.iterdir())
        if gone:
            file = self.chance.choice(gone)
            new = self._new_name()
            name = self.chance.choice([new.name, file.name.partition(" ")[2]])
            shutil.copy2(file, new.with_name(name))

    def copy(self) -> None:
        file, name = self._file(), self._new_name()
        if file != name:
            shutil.copy2(file, name)

    def _file(self) -> Path:
        return self.chance.choice(sorted(path for path in self.root.rglob("*") if path.is_file()))

    def _new_name(self) -> Path:
        folder = self.root
        for _ in range(self.chance.randrange(4)):
            folder /= self.chance.choice(FOLDERS)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / self.chance.choice(NAMES)

    def _write(self, file: Path, *, now: bool = False) -> None:
        file.write_bytes(self.chance.choice(self.contents))
        if now:
            self.times.add(file.stat().st_mtime_ns)
        else:
            self._stamp(file)

    def _stamp(self, file: Path) -> None:
        """Give a file a time that no file ever had: any year, or a nanosecond more or less."""
        old = file.stat().st_mtime_ns
        self.times.add(old)
        while file.stat().st_mtime_ns in self.times:
            near = old + self.chance.choice((1, -1, 1000, -(10**9), 3600 * 10**9, -3600 * 10**9))
            years = self.chance.choice((-60, -1, 0, 30, 53, 75, 300))  # from 1970 on
            far = int((years + self.chance.random()) * 365 * 86400) * 10**9
            exact = self.chance.choice((0, self.chance.randrange(10**9)))
            stamp = self.chance.choice((near, far + exact))
            os.utime(file, ns=(stamp, stamp))
            old += 1
        self.times.add(file.stat().st_mtime_ns)


def tiny_images(chance: random.Random) -> list[bytes]:
    """Return images of three sizes in bytes, and some files that are none."""
    contents = [b"", b"no image" * 100, b"\xff\xd8\xff\xe0" + bytes(796)]
    for number in range(40):
        rough = Image.frombytes("L", (9, 8), chance.randbytes(72))
        file = BytesIO()
        rough.resize((24, 18)).save(file, ("JPEG", "JPEG", "PNG", "BMP")[number % 4])
        contents.append(file.getvalue().ljust(chance.choice((1600, 1601, 2000)), b"\0"))
    return contents
