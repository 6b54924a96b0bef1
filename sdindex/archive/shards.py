"""A shard of an archive: the files that one of several jobs reads, chosen by their paths."""

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple, Self

from sdindex.archive.scan import Found, OfOthers
from sdindex.errors import UsageError

_SHARD = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", re.ASCII)


class Shard(NamedTuple):
    """Shard `number`, from 1 on, `of` so many; each file is in exactly one of them.

    A hash of the file's path alone says which one: neither the other files, nor their order, nor
    any change matters.
    """

    number: int
    of: int

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the shard that is written ``3/64``.

        Raises
        ------
        UsageError
            When it is none.
        """
        found = _SHARD.fullmatch(name)
        shard = cls(*map(int, found.groups())) if found else None
        if shard is None or shard.number > shard.of:
            raise UsageError(
                f"{name!r} is no shard: write its number, from 1 on, and how many there are, "
                "such as 3/64"
            )
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def holds(self, path: str) -> bool:
        """Say whether a file is in it, by its path in stored form."""
        return shard_number(path, self.of) == self.number

    def own(self, found: Iterable[Found]) -> Iterator[Found]:
        """Yield what a scan finds but the files of other shards; last comes their number."""
        others = 0
        for item in found:
            if not isinstance(item, list):
                yield item
                continue
            files = [file for file in item if self.holds(file.path)]
            others += len(item) - len(files)
            if files:
                yield files
        if others:
            yield OfOthers(others)


def shard_number(path: str, of: int) -> int:
    """Return the number, from 1 on, of the shard that a file is in; see `Shard`."""
    digest = blake2b(path.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % of + 1
