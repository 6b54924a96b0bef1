"""Progress bars, and when one is shown."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

_REFRESHED = 0.5  # seconds


def counter(what: str, unit: str, *, show: bool | None, delay: float = 0) -> "tqdm[Any]":
    """Return a count without a total, which the caller moves.

    `show` is True, False, or None: only on a terminal. It appears after `delay` seconds.
    """
    return _bar_class()(desc=what, unit=f" {unit}", delay=delay, disable=_disabled(show))


def bar(total: int, what: str, *, show: bool | None) -> "tqdm[Any]":
    """Return a bar that the caller moves; it shows images a second and the time left."""
    return _bar_class()(total=total, desc=what, unit=" images", disable=_disabled(show))


@contextmanager
def elapsed(what: str, *, delay: float = 1) -> Iterator[Callable[[], None] | None]:
    """On a terminal, show how long the block has been running: after `delay` seconds, to its end.

    For what has no steps to count, such as one statement of a database. The function that is given
    wipes it off, for something else to be written there; without a terminal it is None.
    """
    done, started = threading.Event(), time.time()
    shower = threading.Thread(target=_show, args=(what, started, delay, done), daemon=True)

    def stop() -> None:
        done.set()
        shower.join()

    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    shower.start()
    try:
        yield stop
    finally:
        stop()


def _show(what: str, started: float, delay: float, done: threading.Event) -> None:
    if done.wait(delay):
        return
    with _bar_class()(desc=what, bar_format="{desc}: {elapsed}", leave=False) as shown:
        shown.start_t = started
        while not done.wait(_REFRESHED):
            shown.refresh()


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
