r"""File names as text that any database can store, and back, byte for byte.

A file name need not be valid Unicode. Python shows what it cannot decode as lone
surrogates (PEP 383), which no database stores as text. Here such a byte is written
``\xff``, any other lone surrogate (Windows) ``\ud800``, and a backslash that is part of a
name ``\\``; every other name stays as it is. So each stored path can be read and searched
as SQL text, two names never become one, and the way back is exact. The bytes are
stored as UTF-8, also where a locale has Python decode names in another way.
"""

import os
import re
import sys

_UNSTORABLE = re.compile(r"[\\\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:(\\)|x([0-9a-f]{2})|u([0-9a-f]{4}))")
# Control characters, characters that change the direction of writing, and lone surrogates.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_IS_UTF8 = sys.getfilesystemencoding() == "utf-8"  # as nearly everywhere
_BYTE_SURROGATE = 0xDC00  # PEP 383: an undecodable byte b is the code point 0xDC00 + b


def to_text(name: str) -> str:
    """Return a path as Python's ``os`` functions give it, in the form that is stored."""
    if name.isascii() and "\\" not in name:  # nearly every name of every archive
        return name
    return _UNSTORABLE.sub(_escape, as_utf8(name))


def from_text(text: str) -> str:
    """Return the path that `to_text` was given, fit for ``open`` and ``os.fsencode``."""
    return from_utf8(_ESCAPE.sub(_unescape, text) if "\\" in text else text)


def as_utf8(name: str) -> str:
    """Return a path as Python's ``os`` functions would give it if the locale were UTF-8."""
    if _IS_UTF8:
        return name
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def from_utf8(name: str) -> str:
    """Return the path that `as_utf8` was given."""
    if _IS_UTF8:
        return name
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def printable(name: str) -> str:
    """Return a path or message fit to print: what a terminal would act on is escaped."""
    return _UNPRINTABLE.sub(_escape, name)


def absolute(root: str, path: str) -> str:
    """Return the absolute location of a file, as ``os`` functions take it, from its stored path."""
    name = path if _IS_UTF8 and "\\" not in path else from_text(path)  # nearly every one
    end = os.sep
    location = f"{root}{name}" if root.endswith(end) else f"{root}{end}{name}"
    return location if end == "/" else location.replace("/", end)


def is_inside(path: str, folder: str) -> bool:
    """Say whether an absolute path is a folder itself, or lies below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\\":
        return "\\\\"
    code_point = ord(character)
    if 0x80 <= code_point - _BYTE_SURROGATE <= 0xFF:
        return f"\\x{code_point - _BYTE_SURROGATE:02x}"
    return ascii(character)[1:-1]


def _unescape(match: re.Match[str]) -> str:
    backslash, byte, code_point = match.groups()
    if backslash:
        return "\\"
    return chr(_BYTE_SURROGATE + int(byte, 16)) if byte else chr(int(code_point, 16))
