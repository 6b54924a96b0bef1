"""Conditions with ids in them, written into the statement as they are."""

import pytest

from sdindex.store.fetching import has_id
from sdindex.store.tables import image


def test_only_numbers_get_into_a_statement() -> None:
    assert str(has_id(image.c.id, [3, True])).endswith("IN (3,1)")
    assert str(has_id(image.c.id, [])).endswith("IN (NULL)")
    texts: list[object] = ["(select count(*) from image)", "no.jpg", "1) OR (1"]
    for text in texts:
        with pytest.raises(ValueError, match="invalid literal"):
            has_id(image.c.id, [text])  # type: ignore[list-item]
