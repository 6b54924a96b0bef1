"""Progress bars: one place that says when there is one."""

import sys
from typing import Any

from tqdm import tqdm


def counter(what: str, unit: str, *, show: bool | None) -> "tqdm[Any]":
    """Return a count that is moved by hand, of what nobody knows how much there is.

    `show` is True or False, or None to show it on a terminal only.
    """
    return tqdm(desc=what, unit=f" {unit}", disable=_disabled(show))


def bar(total: int, what: str, *, show: bool | None) -> "tqdm[Any]":
    """Return a bar that is moved by hand, with images a second and the time left."""
    return tqdm(total=total, desc=what, unit=" images", disable=_disabled(show))


def _disabled(show: bool | None) -> bool | None:
    if sys.stderr is None:  # closed by whoever started this
        return True
    return None if show is None else not show
