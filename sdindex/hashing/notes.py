"""Notes: what a decoder complained of while it went on."""

import os
import sys
import warnings

_READ_AT_ONCE = 1 << 16

_warned: list[str] = []
_shown: list[int] = []  # the pipe's end at which stderr is read, once there is one


def take_notes() -> None:
    """Turn this process's warnings, and what it writes to stderr, into notes.

    Only for a process that reads one image at a time and does nothing else: libtiff writes to
    stderr itself.
    """
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *_: _warned.append(str(message))
    _open_stderr()
    if sys.platform == "win32":
        ours = os.open(os.devnull, os.O_WRONLY)
    else:
        shown, ours = os.pipe()
        for end in (shown, ours):
            os.set_blocking(end, False)  # what the pipe cannot hold is dropped
        _shown.append(shown)
    os.dup2(ours, 2)
    os.close(ours)


def _open_stderr() -> None:
    """Open a stderr where the program was started without one: else a pipe gets its number."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    if nothing != 2:
        os.close(nothing)


def taken() -> tuple[str, ...]:
    """Return the notes since the last time."""
    notes = tuple(_warned)
    _warned.clear()
    for shown in _shown:
        try:
            text = os.read(shown, _READ_AT_ONCE)
        except BlockingIOError:
            continue
        notes += tuple(text.decode("utf-8", "replace").splitlines())
    return notes
