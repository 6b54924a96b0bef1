"""Signals: Ctrl-C and SIGTERM end a command tidily, whenever they come."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED, TERMINATED = 130, 143  # exit statuses, as shells have them


class Terminated(KeyboardInterrupt):
    """SIGTERM: it ends the program as Ctrl-C does."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Have SIGTERM and Ctrl-C raise KeyboardInterrupt here, whatever is under way."""
    with _terminated_as_interrupted(), _interruptions_come_through():
        yield


def exit_status(problem: KeyboardInterrupt) -> int:
    """Return the exit status of a command that this exception ended."""
    return TERMINATED if isinstance(problem, Terminated) else INTERRUPTED


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Have SIGTERM raise an exception, so that everything is tidied up."""

    def terminate(*_: object) -> None:
        raise Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def _interruptions_come_through() -> Iterator[None]:
    """Send a signal again whose exception Python could only print, as in callbacks of an import.

    Python goes on after that as if there had been no signal.
    """
    others = sys.unraisablehook

    def come_again(unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            again = signal.SIGTERM if unraisable.exc_type is Terminated else signal.SIGINT
            threading.Timer(0.01, _send, (again,)).start()
        else:
            others(unraisable)

    sys.unraisablehook = come_again
    try:
        yield
    finally:
        sys.unraisablehook = others


def _send(number: signal.Signals) -> None:
    if sys.platform == "win32":  # on Windows, os.kill would end the process
        _thread.interrupt_main(number)
    else:
        os.kill(os.getpid(), number)  # unlike the other function, this one also ends a wait
