"""What a failure outside the program means, in a line for the user."""

import errno

from sdindex.__main__ import OUT_OF_MEMORY
from sdindex.archive.names import printable
from sdindex.errors import SdindexError

FAILURES = (
    SdindexError,
    UnicodeEncodeError,
    OSError,
    MemoryError,
    RuntimeError,
    SystemError,
    ImportError,
)

_NO_THREAD = "can't start new thread"  # CPython's own text: it has no exception class for it


def explained(problem: Exception) -> str | None:
    """Return one line for the user; None for a fault of the program."""
    match problem:
        case SdindexError():
            from sdindex.sampling.spelled import flag  # which most commands do without

            return problem.text_with(flag)
        case UnicodeEncodeError():  # in an argument: no database stores such text
            return f"{printable(problem.object)} is no text in UTF-8"
        case OSError() if problem.errno != errno.EPIPE:
            # Of the index's disk, or the system: errors of single images do not come here.
            return f"{printable(str(problem))}; what was stored before is kept"
        case MemoryError() | SystemError() if _is_of_memory(problem):
            return "there is too little memory; what was stored before is kept"
        case RuntimeError() if _NO_THREAD in str(problem):
            return "the system starts no further thread; end other programs, or try fewer --workers"
        case ImportError():
            return unloadable(problem)
    return None


def _is_of_memory(problem: Exception) -> bool:
    return isinstance(problem, MemoryError) or str(problem).endswith(OUT_OF_MEMORY)


def unloadable(problem: ImportError) -> str:
    """Return one line on a part of the program that cannot be loaded."""
    reason = str(problem).strip().rpartition("\n")[2].strip()
    return (
        f"a part of the program cannot be loaded ({printable(reason)}): there is too little "
        "memory, or it is to be installed anew"
    )
