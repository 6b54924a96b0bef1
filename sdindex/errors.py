"""Every error that a user can cause: one line, which names the way out."""

import errno
from collections.abc import Callable

# What the machine has too little of, by the number of the system's error.
LACKING = {
    errno.EMFILE: "open files",
    errno.ENFILE: "open files",
    errno.ENOMEM: "memory",
    errno.ENOBUFS: "memory",
    errno.EAGAIN: "processes",
}


class Option(str):
    """The name of an option in an error's text, as Python spells it."""

    __slots__ = ()


class SdindexError(Exception):
    """The base of all these errors; its text is the line that the user reads.

    The text may be given in parts; an `Option` among them is spelled as the caller spells it.
    """

    def __str__(self) -> str:
        return "".join(map(str, self.args))

    def text_with(self, spell: Callable[[str], str]) -> str:
        """Return the text with each option as `spell` writes its name."""
        return "".join(spell(each) if isinstance(each, Option) else str(each) for each in self.args)


class IndexMissingError(SdindexError):
    """There is no index, and this command may not make one."""


class IndexUnusableError(SdindexError):
    """A file or database that is no index, or none that this program can use."""


class ArchiveError(SdindexError):
    """A folder that cannot be indexed, or a path that belongs to no archive."""


class ArchiveUnavailableError(ArchiveError):
    """An archive's folder is absent, empty or unreadable while the index has images of it."""


class ReadingError(SdindexError):
    """Images cannot be read because the machine or the program fails, and not the images."""


class SampleError(SdindexError):
    """A sample that cannot be drawn as asked."""


class QueryError(SdindexError):
    """A query that cannot be answered, or that would do more than read."""


class UsageError(SdindexError, ValueError):
    """An argument of the wrong kind, or out of range, or that means nothing here."""


class OutputError(SdindexError):
    """A result that cannot be written where it should go."""


class LabelFileError(SdindexError):
    """A file of labels that cannot be read or understood."""
