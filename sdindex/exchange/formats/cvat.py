"""A sample as a manifest of CVAT, which then need not open the images to know their sizes."""

import json
import posixpath
from collections.abc import Collection
from typing import IO

from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, Sampled

_VERSION = "1.1"
_compact = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def write(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    r"""Write a line for each image; the manifest lies in the archive's root, or in CVAT's storage.

    Bytes of a name that are no text become escapes such as ``\udcff``, as Python has them.
    """
    naming = Naming.of(images)
    for line in ({"version": _VERSION}, {"type": "images"}):
        output.write(f"{_compact(line)}\n".encode("ascii"))
    for image in images:
        name, extension = posixpath.splitext(naming.path(image))
        properties = {
            "name": name,
            "extension": extension,
            "width": image.width,
            "height": image.height,
        }
        output.write(f"{_compact(properties)}\n".encode("ascii"))
