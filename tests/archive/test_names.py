import os
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdindex.archive.names import from_text, printable, to_text

# Every byte but NUL, as Python's os functions hand names over.
raw_names = st.binary(min_size=1).filter(lambda raw: 0 not in raw)
any_text = st.text(st.characters(codec=None, exclude_characters="\0"))


@given(raw_names)
def test_any_bytes_come_back(raw: bytes) -> None:
    name = raw.decode("utf-8", "surrogateescape")
    stored = to_text(name)
    assert from_text(stored).encode("utf-8", "surrogateescape") == raw
    stored.encode("utf-8")  # text that any database stores


@given(any_text, any_text)
def test_two_names_never_become_one(one: str, other: str) -> None:
    assert (to_text(one) == to_text(other)) == (one == other)


@given(any_text)
def test_every_string_comes_back(name: str) -> None:
    assert from_text(to_text(name)) == name


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("DCIM/100RECNX/IMG_0001.JPG", "DCIM/100RECNX/IMG_0001.JPG"),
        ("forêt/été.jpg", "forêt/été.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), r"caf\xe9.jpg"),
        (r"a\xe9.jpg", r"a\\xe9.jpg"),
        ("\ud83d.jpg", r"\ud83d.jpg"),
    ],
)
def test_ordinary_names_stay_and_others_are_readable(name: str, stored: str) -> None:
    assert to_text(name) == stored


def test_stored_names_are_searchable_sql_text() -> None:
    connection = sqlite3.connect(":memory:")
    stored = to_text(os.fsdecode(b"for\xeat/caf\xe9.jpg"))
    assert connection.execute("SELECT ? LIKE '%caf%'", (stored,)).fetchone() == (1,)
    connection.close()


def test_nothing_in_a_name_acts_on_a_terminal() -> None:
    assert printable("a\x1b[31mb\nc\u202e.jpg") == r"a\x1b[31mb\nc\u202e.jpg"
