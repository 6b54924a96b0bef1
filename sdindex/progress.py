"""Progress bars, and when one is shown."""

import sys
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


def counter(what: str, unit: str, *, show: bool | None, delay: float = 0) -> "tqdm[Any]":
    """Return a count without an end, which the caller moves.

    `show` is True or False, or None to show it on a terminal only; for what is done in less than
    `delay` seconds it is not shown.
    """
    return _bar_class()(desc=what, unit=f" {unit}", delay=delay, disable=_disabled(show))


def bar(total: int, what: str, *, show: bool | None) -> "tqdm[Any]":
    """Return a bar that the caller moves, with images a second and the time left."""
    return _bar_class()(total=total, desc=what, unit=" images", disable=_disabled(show))


def _disabled(show: bool | None) -> bool | None:
    if sys.stderr is None:  # closed by whoever started this
        return True
    return None if show is None else not show


@cache
def _bar_class() -> "type[tqdm[Any]]":
    """Return tqdm's class with neither a thread nor a lock between processes.

    Its own would start a thread that looks after all bars, also where none is shown, and warn
    where the system gives no thread; and its lock is one for which Python may start a process,
    which imports from the current folder.
    """
    from tqdm import tqdm

    return type("_Bar", (tqdm,), {"monitor_interval": 0, "_lock": threading.RLock()})
