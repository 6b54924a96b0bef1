"""Files of any name that the system allows, also below folders too deep for its own limit."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from tests.torture.states import update
from tests.torture.support import LONG_AGO, Row, check, command, image_bytes, skipped

AT_ONCE = 100  # names in an archive
LONGEST_NAME, LONGEST_PATH = 255, 4000  # bytes


def names(folder: Path, count: int, seed: int) -> Row:
    """Give files any name there is; each comes out byte for byte, and opens."""
    if sys.platform != "linux":
        return skipped("random byte names", "not every name can be had here")
    longest = 0
    for start in range(0, count, AT_ONCE):
        number = seed + start // AT_ONCE
        archive = os.fsencode(folder / "archive")
        os.mkdir(archive)
        made = _made(archive, min(AT_ONCE, count - start), random.Random(number))
        longest = max(longest, len(archive) + 1 + max(map(len, made)))
        too_deep = _go_too_deep(archive)
        _check(folder / "names.db", archive, made, f"seed {number}")
        check(os.path.isdir(archive + b"/" + too_deep), "what is too deep is gone")
        shutil.rmtree(archive)
        (folder / "names.db").unlink()
    return Row(
        "random byte names",
        f"{count:,}",
        f"all exact, byte for byte, and each opens; paths of up to {longest:,} bytes, and what "
        "lies deeper than the system can name is told and stops nothing",
    )


def _made(archive: bytes, count: int, chance: random.Random) -> set[bytes]:
    """Make so many files of names that are as odd as can be; return their paths."""
    content = image_bytes(1)
    made: set[bytes] = set()
    for name in _names(chance, LONGEST_PATH - len(archive)):
        if len(made) == count:
            break
        if _make(archive, name, content):
            made.add(name)
    return made


def _check(db: Path, archive: bytes, made: set[bytes], again: str) -> None:
    """Check that files come out of the index as they are, and are known to the next run."""
    folder = os.fsdecode(archive)
    # A socket's path may have some 100 bytes: none is to be made there.
    deep = db.parent / ("t" * 200)
    deep.mkdir(exist_ok=True)
    variables = os.environ | {"TMPDIR": str(deep)}
    program = command(db, "index", "-q", folder)
    done = subprocess.run(program, capture_output=True, env=variables, check=False)
    check(done.returncode == 0, f"index ended with {done.returncode}: {done.stderr!r}; {again}")
    arguments = command(db, "select", "-n", len(made), "--format", "null")
    for options, prefix in (([], archive + b"/"), (["--relative"], b"")):
        done = subprocess.run([*arguments, *options], capture_output=True, check=False)
        selected = done.stdout.split(b"\0")[:-1]
        strange = {prefix + name for name in made}.symmetric_difference(selected)
        check(
            not strange,
            f"{len(strange)} names differ, as {min(strange, default=b'')!r}; {again}",
        )
        check(len(selected) == len(made), f"names come twice; {again}")
    for name in made:
        with open(archive + b"/" + name, "rb") as file:
            check(file.read(2) == b"\xff\xd8", f"{name!r} cannot be read; {again}")
    summary = update(db, Path(folder))
    check(summary.unchanged == len(made), f"the next run: {summary}; {again}")


def _go_too_deep(archive: bytes) -> bytes:
    """Make an image in a folder whose path is longer than a system call takes; return its top."""
    top = b"too deep"
    os.mkdir(archive + b"/" + top)
    folder = os.open(archive + b"/" + top, os.O_RDONLY)
    for _ in range(20):
        name = b"d" * LONGEST_NAME
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    file = os.open(b"deep.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=folder)
    os.write(file, image_bytes(1))
    os.close(file)
    os.close(folder)
    return top


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
    file = os.path.join(archive, name)
    if (
        not name
        or any(len(part) > LONGEST_NAME for part in name.split(b"/"))
        or os.path.lexists(file)
    ):
        return False
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "xb") as new:
            new.write(content)
    except (FileExistsError, NotADirectoryError):
        return False
    os.utime(file, (LONG_AGO, LONG_AGO))
    return True
