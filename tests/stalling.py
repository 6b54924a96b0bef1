"""Readers for worker processes that stall, or die, on files of certain names."""

import os
import signal
import time
from pathlib import Path

from sdindex.hashing import ImageRead, read_image
from sdindex.methods import Method


def read(path: str, method: Method) -> ImageRead:
    """Read an image; hang in the system, sleep a moment, or die where its name says so."""
    name = Path(path).name
    if name.startswith("hang"):
        pipe = f"{path}.pipe"
        if not os.path.exists(pipe):
            os.mkfifo(pipe)
        with open(pipe, "rb") as never_written:
            never_written.read()
    if name.startswith("slow"):
        time.sleep(0.3)
    if name.startswith("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    return read_image(path, method)
