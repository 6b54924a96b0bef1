"""The error for a faulty file of another program, and checks of its values."""

import os


class FaultyError(ValueError):
    """A fault in a file; the text is for the user."""


def path_of(path: object) -> str:
    """Return a path, and raise ValueError if no file has such a name."""
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError("no path")
    os.fsencode(path)  # raises where it is no name of a file
    return path
