"""What worker processes do in tests: it imports little, as that counts as the call's time."""

import os
import signal
import time
from pathlib import Path

from sdindex.hashing.image import read_image
from sdindex.hashing.methods import Method
from sdindex.hashing.picture import ImageRead


def read(path: str, method: Method) -> ImageRead:
    """Read an image; hang in the system, or sleep a moment before, where its name says so."""
    name = Path(path).name
    if name.startswith("hang"):
        pipe = f"{path}.pipe"
        if not os.path.exists(pipe):
            os.mkfifo(pipe)
        with open(pipe, "rb") as never_written:
            never_written.read()
    if name.startswith("slow"):
        time.sleep(0.3)
    return read_image(path, method)


def meet(place: str, count: int) -> bool:
    """Wait, as for a slow disk, until so many are waiting at once; say whether they ever were."""
    Path(place, str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(os.listdir(place)) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(os.listdir(place)) >= count


def work(what: str) -> str:
    """Return what is given; crash or hang instead where it says so."""
    if what == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        time.sleep(600)
    return what
