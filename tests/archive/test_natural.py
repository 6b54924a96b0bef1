import unicodedata

from hypothesis import example, given, settings
from hypothesis import strategies as st
from natsort import natsort_keygen, natsorted

from sdindex.archive.natural import sort_key
from tests.support.examples import examples

hard = st.sampled_from(
    [
        *"0019aAzZ é/. -_!\x01\x02²³①\u0662\u0660一(~\uffff\U00010000\udcff",
        "e\u0301",
        "é",
        "00",
        "12",
    ]
)
names = st.lists(hard, min_size=1, max_size=8).map("".join)
any_names = st.text(st.characters(codec=None, exclude_characters="\0"), min_size=1, max_size=12)
natsort_key = natsort_keygen()


def is_path(name: str) -> bool:
    """Say whether a file can be called that: a lone surrogate stands for a byte from 0x80 on."""
    return not any("\ud800" <= one < "\udc80" or "\udcff" < one <= "\udfff" for one in name)


def reference(path: str) -> tuple[object, bytes]:
    """natsort's own key, ties by the path's bytes."""
    return natsort_key(path), path.encode("utf-8", "surrogateescape")


@settings(max_examples=examples(2000))
@given(names, names)
@example("IMG_0010.JPG", "IMG_2.JPG")
@example("12²", "12a")
@example("12²", "12\x01")
@example("a", "a0")
@example("cam 1/x", "cam-1/x")
@example("e\u0301", "é")
@example("²" + "1" * 300, "²a")
def test_two_hard_names_sort_as_natsort_sorts_them(one: str, other: str) -> None:
    assert (sort_key(one) < sort_key(other)) == (reference(one) < reference(other))


@settings(max_examples=examples(500))
@given(any_names.filter(is_path), names)
def test_any_name_sorts_as_natsort_sorts_it(one: str, tail: str) -> None:
    other = one + tail
    assert (sort_key(one) < sort_key(other)) == (reference(one) < reference(other))


@given(st.lists(names, max_size=20))
def test_a_list_sorts_as_natsorted(paths: list[str]) -> None:
    by_bytes = sorted(paths, key=lambda path: path.encode("utf-8", "surrogateescape"))
    assert sorted(paths, key=sort_key) == natsorted(by_bytes)


@given(names, names)
def test_only_the_same_path_has_the_same_key(one: str, other: str) -> None:
    assert (sort_key(one) == sort_key(other)) == (one == other)


def test_a_number_may_be_longer_than_any_name() -> None:
    assert sort_key("a" + "9" * 300) < sort_key("a1" + "0" * 300)
    assert sort_key("a" + "9" * 254) < sort_key("a1" + "0" * 254)


def test_both_unicode_forms_stand_together() -> None:
    composed, decomposed = "é1.jpg", unicodedata.normalize("NFD", "é1.jpg")
    assert composed != decomposed
    assert sorted(["é2.jpg", decomposed, composed, "e9.jpg"], key=sort_key)[1:3] == [
        decomposed,
        composed,
    ]
