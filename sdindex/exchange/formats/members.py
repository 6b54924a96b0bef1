"""Writing a JSON object one member at a time."""

import json
from collections.abc import Iterable
from typing import IO, Any


def write_members(members: Iterable[tuple[str, Any]], output: IO[bytes]) -> None:
    """Write an object, a line for each of its members, in ASCII.

    Bytes of a name that are no text become escapes, as `sdindex.exchange.tables.write_json`
    writes them.
    """
    before = b"{\n"
    for name, value in members:
        output.write(before + f"{json.dumps(name)}: {json.dumps(value)}".encode("ascii"))
        before = b",\n"
    output.write((b"\n" if before == b",\n" else b"{\n") + b"}\n")
