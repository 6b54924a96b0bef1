"""Large JSON, piece by piece: what Python's own reader says of the whole, and refusals."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdindex.exchange import json_stream
from sdindex.exchange.json_stream import JsonError, pieces

leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())
finite = leaf.filter(lambda value: value not in (float("inf"), float("-inf")))
anything = st.recursive(
    finite, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def read(content: bytes, *wanted: str, required: str | None = None) -> list[tuple[str, Any]]:
    return list(pieces(io.BytesIO(content), wanted, required=required))


@given(st.lists(anything), st.sampled_from([None, 1]), st.booleans(), st.sampled_from([1, 2, 7]))
def test_a_list_comes_element_by_element(
    elements: list[Any], indent: int | None, ascii_only: bool, chunk: int
) -> None:
    text = json.dumps(elements, indent=indent, ensure_ascii=ascii_only)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        assert read(text.encode("utf-8", "surrogatepass")) == [("", one) for one in elements]


@given(st.dictionaries(st.sampled_from("abc"), anything), st.sampled_from([1, 5]))
def test_of_an_object_come_the_members_that_are_wanted(members: dict[str, Any], chunk: int) -> None:
    expected = [
        (name, one)
        for name, value in members.items()
        if name != "c"
        for one in (value if isinstance(value, list) else [value])
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        assert read(json.dumps(members).encode(), "a", "b") == expected


@given(st.text('[]{},:"\\a1 \n-'), st.sampled_from([1, 1000]))
def test_what_python_refuses_is_refused(text: str, chunk: int) -> None:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        if isinstance(value, list):
            assert read(text.encode()) == [("", one) for one in value]
        elif isinstance(value, dict):
            assert read(text.encode()) == []
        else:
            with pytest.raises(JsonError):
                read(text.encode())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"3", "neither a list nor an object"),
        (b"[1, 2", "it ends too early"),
        (b'{"images": 1} 2', "something follows"),
        (b"[1,,2]", "it is no JSON at ',2]'"),
        (b"[NaN]", "NaN is no number in JSON"),
        (b"[-Infinity]", "-Infinity is no number in JSON"),
        (b"[" + b"1" * 5000 + b"]", "a number in it is too long"),
        (b'["\xff"]', "it is no UTF-8"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"b": ' + b"[" * 100_000, "it is nested too deeply"),
        (b'{"a": 1}', 'it has no "images"'),
        (b'["' + b"x" * json_stream.MOST * 3 + b'", 2]', "a piece of it is longer than 8,388,608"),
    ],
    ids=range(14),
)
def test_what_is_refused_is_said(content: bytes, said: str) -> None:
    with pytest.raises(JsonError) as raised:
        read(content, required="images")
    assert said in str(raised.value)
