"""Complaints of decoders that did not stop them, kept as notes on the image."""

import os
import sys
import warnings

_READ_AT_ONCE = 1 << 16

_warned: list[str] = []
_shown: list[int] = []  # where what is written to stderr can be read, if anywhere


def take_notes() -> None:
    """Have what this process warns of, or writes to stderr, become notes.

    For a process that reads one image at a time, and does nothing else: libtiff writes to
    stderr by itself.
    """
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *_: _warned.append(str(message))
    _open_stderr()
    if sys.platform == "win32":
        ours = os.open(os.devnull, os.O_WRONLY)
    else:
        shown, ours = os.pipe()
        for end in (shown, ours):
            os.set_blocking(end, False)  # what it cannot take is dropped
        _shown.append(shown)
    os.dup2(ours, 2)
    os.close(ours)


def _open_stderr() -> None:
    """Have a stderr, where the program was started without: or a pipe gets its number."""
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
