"""Which files of an archive its owner leaves out: globs, by the rules of .gitignore."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from sdindex.archive.names import from_text
from sdindex.errors import UsageError

Excludes = Callable[[str], bool]


def checked(globs: Sequence[str]) -> tuple[str, ...]:
    """Return globs as they are stored; an empty glob stands for none.

    Raises
    ------
    UsageError
        When one of them can match nothing.
    """
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitignore import GitIgnorePatternError

    kept = tuple(dict.fromkeys(glob for glob in globs if glob))
    for glob in kept:
        try:
            is_one = any(each.include for each in GitIgnoreSpec.from_lines([_line(glob)]).patterns)
        except GitIgnorePatternError:
            is_one = False
        if not is_one:
            raise UsageError(
                f"{glob!r} leaves nothing out; write a glob relative to the archive, such as "
                "'test/', '/site1/setup' or '*_thumb.jpg'"
            )
    return kept


@lru_cache
def excludes(globs: tuple[str, ...]) -> Excludes | None:
    """Return a function that says whether a path is excluded; None where no path is.

    Its argument is a relative path in stored form; that of a folder ends with a slash.
    """
    if not globs:
        return None
    from pathspec import GitIgnoreSpec  # imported only where something is excluded

    spec = GitIgnoreSpec.from_lines(map(_line, globs))
    return lambda path: spec.match_file(from_text(path), ())


def _line(glob: str) -> str:
    """Return a glob as a line of a .gitignore, in which a # begins a comment."""
    return f"\\{glob}" if glob.startswith("#") else glob
