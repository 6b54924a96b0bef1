"""The hash of one image file that is not in the index, read in another process."""

import os
from functools import partial

from sdindex.archive.names import printable, to_text
from sdindex.archive.roots import root_at, root_of
from sdindex.errors import SampleError
from sdindex.hashing.methods import METHODS, Method
from sdindex.hashing.picture import PRELOAD, ImageRead, get_ready, read_image
from sdindex.store.archive_admin import is_there
from sdindex.workers import WorkerDiedError, Workers


def hash_of(path: str, stored_method: str, *, timeout: float) -> int:
    """Return the signed hash of an image file, as a method such as ``scaled-1`` makes it.

    Raises
    ------
    SampleError
        When it cannot be read, or reading it takes longer than `timeout` seconds.
    """
    root = root_at(path)
    if not root.is_far and is_there(root.location()):
        raise SampleError(f"{printable(path)} is a folder; name an image file in it")
    folder, name = os.path.split(root.location())
    method: Method = next(known for known in METHODS if stored_method.startswith(f"{known}-"))
    read = partial(read_image, root_of(folder), to_text(name), method)
    try:
        with Workers(1, timeout, preload=PRELOAD, initializer=get_ready) as pool:
            found: ImageRead = pool.submit(read).result()
    except (OSError, WorkerDiedError, MemoryError) as problem:
        why = getattr(problem, "strerror", None) or str(problem) or "its reader ended"
        raise SampleError(f"cannot read {printable(path)}: {why}") from problem
    if found.picture is None:
        raise SampleError(f"cannot read {printable(path)}: {found.error}")
    return found.picture.dhash
