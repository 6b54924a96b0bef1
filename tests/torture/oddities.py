"""Odd input: files that change in every way, broken images, any name, damaged indexes.

Each part takes a folder to work in, how often to do it, and a seed; see `faults`.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
import unicodedata
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from click.testing import CliRunner
from PIL import Image

from sdindex import Index, SdindexError
from sdindex.cli.main import cli
from sdindex.hashing.methods import Method
from sdindex.store.database import Store
from tests.torture.faults import (
    LONG_AGO,
    Row,
    check,
    command,
    first_difference,
    images,
    opened,
    state,
)

ROUNDS_OF_A_LIFE = 20  # of one archive; then a new one begins
BY_THE_PROGRAM = 0.02  # of the rounds; the others run in this process
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
SCALED_SIZE = (144, 128)

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
        self._write(self._place())

    def edit(self) -> None:
        self._write(self._file())

    def edit_now(self) -> None:
        self._write(self._file(), now=True)

    def touch(self) -> None:
        self._stamp(self._file())

    def rename(self) -> None:
        file, place = self._file(), self._place()
        if file != self.stays:
            file.rename(place)

    def rename_folder(self) -> None:
        folders = [one for one in self.root.rglob("*") if one.is_dir()]
        if not folders:
            return
        folder, into = self.chance.choice(folders), self.chance.choice([self.root, *folders])
        place = into / self.chance.choice(FOLDERS)
        if not place.exists() and not place.is_relative_to(folder):
            folder.rename(place)

    def delete(self) -> None:
        file = self._file()
        if file != self.stays:
            file.rename(self.away / f"{len(os.listdir(self.away))} {file.name}")

    def replace(self) -> None:
        """Put one file in the place of another."""
        file, other = self._file(), self._file()
        if file != self.stays:
            file.replace(other)

    def restore(self) -> None:
        """Bring back a file that was deleted, with its time: where it was, or elsewhere."""
        gone = sorted(self.away.iterdir())
        if gone:
            file = self.chance.choice(gone)
            place = self._place()
            name = self.chance.choice([place.name, file.name.partition(" ")[2]])
            shutil.copy2(file, place.with_name(name))

    def copy(self) -> None:
        file, place = self._file(), self._place()
        if file != place:
            shutil.copy2(file, place)

    def _file(self) -> Path:
        return self.chance.choice(sorted(one for one in self.root.rglob("*") if one.is_file()))

    def _place(self) -> Path:
        folder = self.root
        for _ in range(self.chance.randrange(4)):
            folder /= self.chance.choice(FOLDERS)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / self.chance.choice(NAMES)

    def _write(self, place: Path, *, now: bool = False) -> None:
        place.write_bytes(self.chance.choice(self.contents))
        if now:
            self.times.add(place.stat().st_mtime_ns)
        else:
            self._stamp(place)

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


def rounds(folder: Path, count: int, seed: int) -> Row:
    """Let things happen to archives; after each round compare the index with a fresh one."""
    empty = folder / "empty.db"
    with Store(empty).writing(create=True):
        pass
    happened: Counter[str] = Counter()
    programs = done = 0
    with ThreadPoolExecutor(2) as threads:
        for life in range(-(-count // ROUNDS_OF_A_LIFE)):
            chance = random.Random(seed + life)
            archive = Archive(folder / f"life-{life}" / "archive", chance)
            db = archive.root.with_name("sdindex.db")
            method: Method = chance.choice(("scaled", "exact"))
            for number in range(min(ROUNDS_OF_A_LIFE, count - done)):
                again = f"seed {seed + life}, round {number}"
                happened.update(archive.happen() for _ in range(chance.randint(1, 6)))
                if chance.random() < 0.03:
                    method = "exact" if method == "scaled" else "scaled"
                if chance.random() < 0.1:
                    _update_a_part(db, archive, threads)
                programs += (by_program := chance.random() < BY_THE_PROGRAM)
                _update(db, archive, method, threads, by_program=by_program)
                fresh = archive.root.with_name("fresh.db")
                shutil.copy(empty, fresh)
                with Index(fresh) as index:
                    index.update(archive.root, method=method, executor=threads)
                wrong = first_difference(state(db), state(fresh))
                check(not wrong, f"{wrong}; {again}")
                done += 1
            shutil.rmtree(archive.root.parent)
    things = ", ".join(f"{times:,} {name}" for name, times in sorted(happened.items()))
    return Row(
        "random rounds, then `index`, compared with a fresh index",
        f"{done:,}",
        f"0 differences in {sum(happened.values()):,} changes ({things}); "
        f"{programs} rounds by the real program",
    )


def _update(
    db: Path, archive: Archive, method: Method, threads: Executor, *, by_program: bool
) -> None:
    strict = archive.chance.random() < 0.1
    if by_program:
        strictly = ["--strict"] if strict else []
        arguments = ["index", "-q", "--method", method, *strictly, archive.root]
        done = subprocess.run(command(db, *arguments), capture_output=True, check=False)
        check(not done.returncode, f"{done.returncode} {done.stderr.decode()}")
        return
    with Index(db) as index:
        index.update(archive.root, method=method, strict=strict, executor=threads)


def _update_a_part(db: Path, archive: Archive, threads: Executor) -> None:
    folders = [one for one in archive.root.rglob("*") if one.is_dir()]
    if folders and db.exists():
        with Index(db) as index:
            try:
                index.update(archive.chance.choice(folders), executor=threads)
            except SdindexError as problem:
                check("holds no image files" in str(problem), str(problem))


ORIGINALS = Path(__file__).resolve().parents[3] / "shared" / "data" / "archive"
IMAGES_AT_ONCE = 250
LARGE = 200_000  # bytes: of the originals beyond, one in this many is taken
ONE_IN = 12


def fuzzed(folder: Path, count: int, seed: int) -> Row:
    """Break images in every way; a hash of what is left is right, or there is none."""
    originals = _originals()
    outcomes: Counter[str] = Counter()
    for start in range(0, count, IMAGES_AT_ONCE):
        archive = folder / f"images-{start}"
        archive.mkdir()
        for number in range(start, min(start + IMAGES_AT_ONCE, count)):
            content = _fuzzed(random.Random(seed + number), originals)
            file = archive / f"{seed + number}.jpg"
            file.write_bytes(content)
            os.utime(file, (LONG_AGO, LONG_AGO))
        for method in ("exact", "scaled"):
            outcomes += _checked(archive, folder / f"{start}-{method}.db", method)
        shutil.rmtree(archive)
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "fuzzed images, by --method exact and scaled",
        f"{count:,}",
        f"0 crashes, 0 hangs, 0 wrong hashes, the sum holds ({said})",
    )


def _checked(archive: Path, db: Path, method: Method) -> Counter[str]:
    """Index damaged images, and hold each against what Pillow and imagehash say of it."""
    with Index(db) as index:
        summary = index.update(archive, method=method)
    check(
        summary.found == summary.new + summary.unreadable == len(os.listdir(archive)),
        f"the sum is wrong: {summary}",
    )
    outcomes: Counter[str] = Counter()
    connection = opened(db)
    for name, dhash, error in connection.execute("SELECT path, dhash, error FROM image"):
        content = (archive / name).read_bytes()
        right = right_hash(content, method)
        again = f"seed {Path(name).stem}, --method {method}"
        crashed = error and ("its reader died" in error or "not read within" in error)
        check(not crashed, f"{error}; {again}")
        if error:
            huge = "too large" in error
            check(right is None or huge, f"Pillow reads it, and the index says {error}; {again}")
            outcomes["too large" if huge else "unreadable"] += 1
        else:
            check(dhash == right, f"its hash is {dhash}, and not {right}; {again}")
            check(right_hash(content, "exact") is not None, f"Pillow refuses it; {again}")
            outcomes["with the right hash"] += 1
    connection.close()
    return outcomes


def right_hash(content: bytes, method: Method) -> int | None:
    """Return the hash by Pillow and imagehash alone; None when Pillow cannot read the whole."""
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # of what is broken: that is the point
            Image.open(BytesIO(content), formats=FORMATS) as image,
        ):
            if image.width * image.height > 2 * (Image.MAX_IMAGE_PIXELS or 0):
                return None
            drafted = method == "scaled" and image.draft("L", SCALED_SIZE) is not None
            # A decoded JPEG in grey is hashed as it is: there is no colour in it to be weighed.
            whole = image if image.mode == "L" else image.convert("RGB")
            if method == "scaled" and not drafted:
                sides = zip(whole.size, SCALED_SIZE, strict=True)
                whole = whole.reduce(max(1, min(side // least for side, least in sides)))
            bits = imagehash.dhash(whole, hash_size=8).hash.flatten()
    except Exception:  # noqa: BLE001  (whatever it is, it is a refusal)
        return None
    number = int("".join("01"[int(bit)] for bit in bits), 2)
    return number - (1 << 64) if number >> 63 else number


def _originals() -> list[bytes]:
    """Return made images of each kind, and real ones where they are."""
    found = [made(kind, options) for kind, options in KINDS]
    files = sorted(ORIGINALS.rglob("*.[jJ][pP]*[gG]"))
    large = [file for file in files if file.stat().st_size > LARGE]
    small = [file for file in files if 0 < file.stat().st_size <= LARGE]
    return found * 4 + [file.read_bytes() for file in small + large[::ONE_IN]]


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {"quality": 90}),
    ("JPEG", {"progressive": True, "quality": 70}),
    ("JPEG", {"mode": "L"}),
    ("JPEG", {"mode": "CMYK"}),
    ("JPEG", {"restart_marker_rows": 1}),
    ("JPEG", {"exif": True}),
    ("PNG", {}),
    ("PNG", {"mode": "P"}),
    ("PNG", {"mode": "LA"}),
    ("PNG", {"mode": "I;16"}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "jpeg"}),
    ("TIFF", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"quality": 60}),
    ("BMP", {}),
    ("BMP", {"mode": "P"}),
]


def made(kind: str, options: dict[str, Any]) -> bytes:
    """Return an image with something to see in it."""
    options = dict(options)
    chance = np.random.default_rng(len(kind) + len(options))
    rough = Image.fromarray(chance.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    image: Image.Image = rough.resize((400, 300), Image.Resampling.BICUBIC)
    mode = options.pop("mode", "RGB")
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert(mode)
    if options.pop("exif", False):
        exif = Image.Exif()
        exif[0x0110] = "a camera"
        exif.get_ifd(0x8769)[0x9003] = "2026:04:01 03:49:17"
        options["exif"] = exif
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _fuzzed(chance: random.Random, originals: list[bytes]) -> bytes:
    content = bytearray(chance.choice(originals))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        harm = chance.choice(HARMS)
        content = harm(content, chance, originals)
    return bytes(content)


def _cut(content: bytearray, chance: random.Random, _: list[bytes]) -> bytearray:
    return content[: chance.randrange(len(content) + 1)]


def _cut_the_end(content: bytearray, chance: random.Random, _: list[bytes]) -> bytearray:
    return content[: max(0, len(content) - chance.randrange(1, 400))]


def _flip(content: bytearray, chance: random.Random, _: list[bytes]) -> bytearray:
    for _number in range(chance.choice((1, 2, 10, 100)) if content else 0):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return content


def _flip_the_head(content: bytearray, chance: random.Random, _: list[bytes]) -> bytearray:
    for _number in range(chance.choice((1, 2, 5)) if content else 0):
        content[chance.randrange(min(700, len(content)))] = chance.randrange(256)
    return content


def _splice(content: bytearray, chance: random.Random, originals: list[bytes]) -> bytearray:
    other = chance.choice(originals)
    place = chance.randrange(len(content) + 1)
    return content[:place] + other[chance.choice((place, chance.randrange(len(other)))) :]


def _blank(content: bytearray, chance: random.Random, _: list[bytes]) -> bytearray:
    start = chance.randrange(len(content) + 1)
    end = min(len(content), start + chance.choice((16, 512, 4096)))
    content[start:end] = bytes(end - start)
    return content


def _repeat(content: bytearray, chance: random.Random, _: list[bytes]) -> bytearray:
    start = chance.randrange(len(content) + 1)
    return content[:start] + content[max(0, start - chance.randrange(2000)) :]


def _promise(content: bytearray, chance: random.Random, _: list[bytes]) -> bytearray:
    """Have the header speak of another size: of 65,500 x 65,500, 170 megapixels, and others."""
    width, height = chance.choice(
        ((65_500, 65_500), (13_000, 13_077), (9_400, 9_400), (1, 1), (65_535, 1), (0, 0))
    )
    if content[:2] == b"\xff\xd8":
        frame = max(content.find(marker) for marker in (b"\xff\xc0", b"\xff\xc2"))
        if frame > 0:
            content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    elif content[:4] == b"\x89PNG":
        content[16:24] = struct.pack(">II", width, height)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif content[:2] == b"BM":
        content[18:26] = struct.pack("<II", width, height)
    return content


def _other_exif(content: bytearray, chance: random.Random, _: list[bytes]) -> bytearray:
    """Put EXIF in front that points anywhere."""
    tags = b"".join(
        struct.pack("<HHII", chance.choice((0x8769, 0x0112, 0x0201, 0x0202, 0x9003)),
                    chance.randrange(14), chance.choice((1, 2**31)), chance.randrange(2**32))
        for _number in range(6)
    )  # fmt: skip
    exif = b"Exif\0\0II*\0\x08\0\0\0\x06\0" + tags + struct.pack("<I", chance.randrange(200))
    if content[:2] == b"\xff\xd8":
        content[2:2] = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return content


Harm = Callable[[bytearray, random.Random, list[bytes]], bytearray]
HARMS: tuple[Harm, ...] = (
    _cut, _cut_the_end, _flip, _flip, _flip_the_head, _splice, _blank, _repeat, _promise,
    _other_exif,
)  # fmt: skip

NAMES_AT_ONCE = 100
LONGEST_NAME, LONGEST_PATH = 255, 4000  # bytes


def names(folder: Path, count: int, seed: int) -> Row:
    """Give files any name there is; each comes out byte for byte, and opens."""
    if sys.platform != "linux":
        return Row("random byte names", "0", "skipped: not every name can be had here")
    content = made("JPEG", {})
    longest = 0
    for life in range(-(-count // NAMES_AT_ONCE)):
        again = f"seed {seed + life}"
        chance = random.Random(seed + life)
        archive = os.fsencode(folder / f"names-{life}")
        os.mkdir(archive)
        made_names: set[bytes] = set()
        for name in _names(chance, LONGEST_PATH - len(archive)):
            if len(made_names) == min(NAMES_AT_ONCE, count - NAMES_AT_ONCE * life):
                break
            if _make(archive, name, content):
                made_names.add(name)
        longest = max(longest, len(archive) + 1 + max(map(len, made_names)))
        db = folder / "names.db"
        done = subprocess.run(command(db, "index", "-q", os.fsdecode(archive)), check=False)
        check(done.returncode == 0, f"index ended with {done.returncode}; {again}")
        arguments = command(db, "select", "-n", len(made_names), "--format", "null")
        for options, prefix in (([], archive + b"/"), (["--relative"], b"")):
            done_too = subprocess.run([*arguments, *options], capture_output=True, check=False)
            selected = done_too.stdout.split(b"\0")[:-1]
            expected = {prefix + name for name in made_names}
            strange = expected.symmetric_difference(selected)
            check(
                not strange,
                f"{len(strange)} names differ, as {min(strange, default=b'')!r}; {again}",
            )
            check(len(selected) == len(expected), f"names come twice; {again}")
        for name in made_names:
            with open(archive + b"/" + name, "rb") as file:
                check(file.read() == content, f"{name!r} cannot be read; {again}")
        with Index(db) as index, ThreadPoolExecutor(1) as threads:
            summary = index.update(os.fsdecode(archive), executor=threads)
            check(summary.unchanged == len(made_names), f"the next run: {summary}; {again}")
        shutil.rmtree(archive)
        db.unlink()
    return Row(
        "random byte names",
        f"{count:,}",
        f"all exact, byte for byte, and each opens; paths of up to {longest:,} bytes",
    )


def _names(chance: random.Random, longest: int) -> Iterator[bytes]:
    """Yield names; some are others in another Unicode form, or spell how those are stored."""
    while True:
        name = _name(chance) + chance.choice((b".jpg", b".JPG", b".png", b".TIFF"))
        yield name
        match chance.randrange(8):
            case 0:
                text = name.decode(errors="ignore")
                yield from (unicodedata.normalize(form, text).encode() for form in ("NFC", "NFD"))
            case 1:
                yield name.decode(errors="backslashreplace").encode()[-LONGEST_NAME:]
            case 2:
                deep = name
                while len(deep) < longest - LONGEST_NAME - 1:
                    deep = _name(chance) + b"/" + deep
                yield deep
            case 3:
                yield _name(chance) + b"/" + name


def _name(chance: random.Random) -> bytes:
    """Return a part of a path, of at most 250 bytes."""
    length = chance.choice((1, 3, 10, 40, 250))
    match chance.randrange(4):
        case 0:
            found = chance.randbytes(length)
        case 1:
            points = [chance.choice((0x41, 0xE9, 0x1100, 0xAC00, 0x1F98A)) + chance.randrange(40)
                      for _ in range(length)]  # fmt: skip
            found = "".join(map(chr, points)).encode()[:length]
        case 2:
            found = bytes(
                chance.choice(b"\n\r\t\x1b\\'\"$`;|&*?<> -=%\x7f\xff\x80") for _ in range(length)
            )
        case _:
            found = chance.choice((b"-rf ", b"--db=", b" ", b"=1+1", b"..", b"\xed\xa0\x80", b"~"))
            found += chance.randbytes(length)[: length - 7]
    found = found.replace(b"/", b"\\").replace(b"\0", b"\xc3")
    return found if found not in (b".", b"..") else b"..."


def _make(archive: bytes, name: bytes, content: bytes) -> bool:
    """Make a file of that name; return whether there is none of it yet, and it can be had."""
    place = os.path.join(archive, name)
    if (
        not name
        or any(len(part) > LONGEST_NAME for part in name.split(b"/"))
        or os.path.lexists(place)
    ):
        return False
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "xb") as file:
            file.write(content)
    except (FileExistsError, NotADirectoryError):
        return False
    os.utime(place, (LONG_AGO, LONG_AGO))
    return True


def damage(folder: Path, count: int, seed: int) -> Row:
    """Damage an index; whoever reads it says so in a line at most, and leaves it as it is."""
    archive = images(folder / "archive", 40)
    (archive / "0" / "broken.jpg").write_bytes(b"no image")
    sound = folder / "sound.db"
    with Index(sound) as index, ThreadPoolExecutor(2) as threads:
        index.update(archive, executor=threads)
    whole = sound.read_bytes()
    refused: Counter[str] = Counter()
    for trial in range(count):
        chance = random.Random(seed + trial)
        content = _damaged(whole, chance)
        for arguments in (
            ["status"], ["select", "-n", "10"], ["select", "-n", "9", "--bits", "7"], ["buckets"],
            ["errors"], ["sql", "SELECT * FROM image_hash"], ["index", "-q", str(archive)],
        ):  # fmt: skip
            place = folder / "place"
            place.mkdir()
            db = place / "sdindex.db"
            db.write_bytes(content)
            result = CliRunner().invoke(cli, ["--db", str(db), *arguments])
            again = f"seed {seed + trial}, {arguments[0]}"
            expected = isinstance(result.exception, SystemExit | None)
            check(expected, f"{type(result.exception).__name__}: {result.exception}; {again}")
            check(result.exit_code in (0, 1), f"it ended with {result.exit_code}; {again}")
            lines = result.stderr.splitlines()
            if result.exit_code:
                right = len(lines) == 1 and lines[0].startswith("Error: ")
                check(right, f"it said {result.stderr!r}; {again}")
                refused[arguments[0]] += 1
            if arguments[0] != "index":
                check(db.read_bytes() == content, f"it changed the index; {again}")
                files = os.listdir(place)
                check(files == [db.name], f"it left {files}; {again}")
            shutil.rmtree(place)
    said = ", ".join(f"{times} times by `{name}`" for name, times in refused.items())
    return Row(
        "damaged index files",
        f"{count}",
        f"no traceback, one line at most, unchanged by all that read; refused {said}",
    )


def _damaged(whole: bytes, chance: random.Random) -> bytes:
    content = bytearray(whole)
    match chance.randrange(7):
        case 0:
            del content[chance.randrange(len(content)) :]
        case 1:
            content[:100] = chance.randbytes(100)
        case 2:
            page = 4096 * chance.randrange(len(content) // 4096)
            content[page : page + 4096] = chance.choice((bytes(4096), chance.randbytes(4096)))
        case 3:
            content[16 + chance.randrange(84)] = chance.randrange(256)
        case 4:
            one, other = (4096 * chance.randrange(len(content) // 4096) for _ in range(2))
            content[one : one + 4096], content[other : other + 4096] = (
                content[other : other + 4096], content[one : one + 4096],
            )  # fmt: skip
        case _:
            # Most of a small index is empty: where there is something, it counts.
            used = [place for place, byte in enumerate(content) if byte]
            for _ in range(chance.choice((1, 5, 50))):
                content[chance.choice(used)] ^= 1 << chance.randrange(8)
    return bytes(content)
