"""The hash methods: their names, and the versions under which hashes are stored."""

from typing import Literal, get_args

Method = Literal["scaled", "exact", "thumbnail"]
METHODS: tuple[Method, ...] = get_args(Method)
DEFAULT_METHOD: Method = "scaled"

# The version rises when the same file would hash differently, so that old hashes are
# seen as such, and are made again.
_VERSIONS: dict[Method, int] = {"scaled": 1, "exact": 1, "thumbnail": 1}


def stored_name(method: Method) -> str:
    """Return what the column ``method`` has, such as ``scaled-1``."""
    return f"{method}-{_VERSIONS[method]}"
