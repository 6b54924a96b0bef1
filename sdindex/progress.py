"""Progress bars, and when one is shown."""

import sys
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


def counter(what: str, unit: str, *, show: bool | None, delay: float = 0) -> "tqdm[Any]":
    """Return a count without a total, which the caller moves.

    `show` is True, False, or None: only on a terminal. It appears after `delay` seconds.
    """
    return _bar_class()(desc=what, unit=f" {unit}", delay=delay, disable=_disabled(show))


def bar(total: int, what: str, *, show: bool | None) -> "tqdm[Any]":
    """Return a bar that the caller moves; it shows images a second and the time left."""
    return _bar_class()(total=total, desc=what, unit=" images", disable=_disabled(show))


def _disabled(show: bool | None) -> bool | None:
    if sys.stderr is None:  # stderr was closed by whoever started this program
        return True
    return None if show is None else not show


@cache
def _bar_class() -> "type[tqdm[Any]]":
    """Return tqdm's class, but without a thread and without a lock between processes.

    tqdm's own starts a thread for all bars, even when none is shown, and warns where the system
    gives no thread. For its lock Python may start a process, which imports from the current folder.
    """
    from tqdm import tqdm

    return type("_Bar", (tqdm,), {"monitor_interval": 0, "_lock": threading.RLock()})
