"""Natural order as bytes: a key that any database can sort by, in natsort's default order."""

import re
import unicodedata
from functools import cache, lru_cache

from sdindex.archive.names import as_utf8

# The version of the rule, stored with the keys. Raise it when `sort_key` returns other keys: each
# archive's keys are then made anew at its next update.
SORT_RULE = 1

_END = b"\0"  # sorts before all other bytes: no file name has a zero byte
_LONG = 0xFF  # a length byte that says that four more follow


def sort_key(path: str) -> bytes:
    """Return bytes that sort as natsort sorts `path` by default, ties by the path's own bytes.

    natsort normalises to NFD and compares text and numbers in turn. The key is the same sequence:
    each text as UTF-8 and a zero byte, each number as its length and its digits without leading
    zeros, a zero byte where it ends, then the path as it is on disk. ``re.split`` with one group
    gives a text first, last and between any two numbers, so that no two paths have the same key.

    Parameters
    ----------
    path
        A path as Python's ``os`` functions give it, lone surrogates included.
    """
    path = as_utf8(path)
    folder, slash, name = path.rpartition("/")
    return _of_folder(folder + slash) + _natural(name) + _END + _tie(path)


def ends_with(key: bytes, path: str) -> bool:
    """Say whether a key ends with this path, as the key of the path does."""
    return key.endswith(_END + _tie(as_utf8(path)))


def folder_key(folder: str) -> bytes:
    """Return the beginning that the sort keys of all files in a folder have, and no other keys.

    Two folders have the same only where their names differ in how a number or a letter is written
    (``cam1``, ``cam01``). `folder` is empty, or a path as `sort_key` takes it.
    """
    return _of_folder(as_utf8(f"{folder}/")) if folder else b""


@lru_cache(maxsize=256)  # the images of a folder come together
def _of_folder(folder: str) -> bytes:
    """Return the beginning of keys; its last text is open, as the file's name continues it."""
    return _natural(folder)[: -len(_END)] if folder else b""


def _natural(path: str) -> bytes:
    parts = _numbers().split(unicodedata.normalize("NFD", path))
    key = bytearray()
    for number, part in enumerate(parts):
        key += _number(part) if number % 2 else part.encode("utf-8", "surrogatepass") + _END
    return bytes(key)


def _number(digits: str) -> bytes:
    if not digits.isascii():
        digits = "".join(str(unicodedata.digit(digit)) for digit in digits)
    digits = digits.lstrip("0") or "0"
    length = len(digits)
    prefix = bytes([length]) if length < _LONG else bytes([_LONG]) + length.to_bytes(4, "big")
    return prefix + digits.encode("ascii")


def _tie(path: str) -> bytes:
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte, as only Windows has them
        return path.encode("utf-8", "surrogatepass")


@cache
def _numbers() -> re.Pattern[str]:
    """Return the pattern of numbers, as natsort has it.

    A run of decimal digits of any script, or one lone digit that is no decimal, such as a
    superscript two. Made when the first key is: drawing a sample needs none.
    """
    from natsort import ns, numeric_regex_chooser

    return re.compile(f"({numeric_regex_chooser(ns.DEFAULT)})")
