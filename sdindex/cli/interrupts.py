"""Signals: Ctrl-C and SIGTERM end a command in order, wherever they reach it."""

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
    """Have SIGTERM and Ctrl-C raise KeyboardInterrupt here, and be lost nowhere."""
    with _terminated_as_interrupted(), _interruptions_come_through():
        yield


def exit_status(problem: KeyboardInterrupt) -> int:
    """Return the exit status of a command that was ended so."""
    return TERMINATED if isinstance(problem, Terminated) else INTERRUPTED


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Tidy everything up when this process receives a signal to end."""

    def terminate(*_: object) -> None:
        raise Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def _interruptions_come_through() -> Iterator[None]:
    """Have a signal come again where it could not be raised, as in the callbacks of an import.

    Python would print it there, and go on as if there had been none.
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
    if sys.platform == "win32":  # where os.kill would end the process
        _thread.interrupt_main(number)
    else:
        os.kill(os.getpid(), number)  # unlike the other, this one wakes who waits
