"""Every hash method: adding one is a function in `image` and a line here."""

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, cast, get_args

if TYPE_CHECKING:
    from sdindex.hashing.picture import Picture

Method = Literal["scaled", "exact", "thumbnail"]
METHODS: tuple[Method, ...] = get_args(Method)
DEFAULT_METHOD: Method = "scaled"


# Bytes: what cameras write before the picture itself is shorter.
HEAD_BYTES = 64 << 10


class HashMethod(NamedTuple):
    """A way to hash an image.

    Attributes
    ----------
    version
        Raise it when the same file would hash differently: older hashes are then made anew.
    function
        The name of a function in `sdindex.hashing.image`, which is imported when it is used.
    head
        How many bytes from a file's start are mostly enough; None where all are needed.
    """

    version: int
    function: str
    head: int | None = None

    def picture(self, file: BinaryIO, *, whole: bool) -> "Picture":
        """Hash an open file; see `sdindex.hashing.picture.read_image`."""
        from sdindex.hashing import image

        hashed = cast("Callable[..., Picture]", getattr(image, self.function))
        return hashed(file, whole=whole)


_KNOWN: dict[Method, HashMethod] = {
    "scaled": HashMethod(1, "scaled"),
    "exact": HashMethod(1, "exact"),
    "thumbnail": HashMethod(1, "thumbnail", HEAD_BYTES),
}


def method_named(name: Method) -> HashMethod:
    """Return the method of that name."""
    return _KNOWN[name]


def head_of(name: Method, *, whole: bool) -> int | None:
    """Return how many bytes a method reads first; None where it reads all, as with `whole`."""
    return None if whole else _KNOWN[name].head


def stored_name(method: Method) -> str:
    """Return a method as it is stored in the column ``method``, such as ``scaled-1``."""
    return f"{method}-{_KNOWN[method].version}"
