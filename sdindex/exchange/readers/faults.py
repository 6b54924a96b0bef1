"""What is wrong with a file of another program, and what its values must be."""

import os


class FaultyError(ValueError):
    """A fault in a file, in words for its user."""


def path_of(path: object) -> str:
    """Return a path, and raise ValueError if no file has such a name."""
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError("no path")
    os.fsencode(path)  # raises what is no name of a file
    return path
