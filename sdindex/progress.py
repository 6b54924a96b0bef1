"""Progress bars: one place that says when there is one."""

from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def counted(items: Iterable[Item], what: str, unit: str, *, show: bool | None) -> "tqdm[Item]":
    """Return the items, and show on stderr how many have passed.

    `show` is True or False, or None to show it on a terminal only.
    """
    return tqdm(items, desc=what, unit=f" {unit}", disable=_disabled(show))


def bar(total: int, what: str, *, show: bool | None) -> "tqdm[Any]":
    """Return a bar that is moved by hand, with images a second and the time left."""
    return tqdm(total=total, desc=what, unit=" images", disable=_disabled(show))


def _disabled(show: bool | None) -> bool | None:
    return None if show is None else not show
