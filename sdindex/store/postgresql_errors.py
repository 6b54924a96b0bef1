"""The errors of a PostgreSQL server, for the person who meets them: each is one line."""

import re
import sqlite3
from tempfile import gettempdir

from sdindex.archive.names import printable
from sdindex.store.backend import damaged

_KEPT = "what was stored before is kept: run it again"
# By SQLSTATE, or the class that its first two digits are; the exact ones are looked for first.
_MEANINGS = {
    "08": f"the connection was lost ({{why}}); {_KEPT}",
    "57P": f"the server closed the connection ({{why}}); {_KEPT}",
    "25006": "it cannot be written here ({why}); ask for a role, or a server, that may write",
    "42501": (
        "your role may not do this ({why}); see `sdindex help team` for the rights that it needs"
    ),
    "53100": f"no space left on the server's disk; {_KEPT}",
    "53300": "the server has no free connection ({why}); try again later",
    "53": f"the server has too little of something ({{why}}); {_KEPT}",
    "55P03": f"another program keeps the index busy ({{why}}); {_KEPT}",
    "40": f"another program changed the same ({{why}}); {_KEPT}",
    "23": f"another program changed the same ({{why}}); {_KEPT}",
    "57014": f"the server stopped it ({{why}}); {_KEPT}",
    "58": f"the server's disk refused ({{why}}); {_KEPT}",
}
_LOST = f"the connection was lost ({{why}}); {_KEPT}"
# A server that refuses a connection gives no SQLSTATE, only a message.
_REFUSALS = {
    r"password|authentication|pg_hba|no password": (
        "the server refuses the user ({why}); give the password in PGPASSWORD or ~/.pgpass"
    ),
    r"database \".*\" does not exist": "{why}; whoever may makes it with: createdb NAME",
    r"role \".*\" does not exist": "{why}; name another user in the URL",
    r"too many (clients|connections)|connection slots": _MEANINGS["53300"],
    r"permission denied": _MEANINGS["42501"],
    # A first connection writes a cache of the catalogue; on a full disk it is not let in.
    r"could not write init file|No space left": _MEANINGS["53100"],
    r"starting up|shutting down|recovery mode|not yet accepting": (
        "the server is not ready ({why}); try again later"
    ),
}
_UNREACHED = "the server cannot be reached ({why}); is it running, and are its name and port right?"
_LACKS = ("42P01", "42703", "42883", "3F000", "XX001", "XX002")  # a table, a column, a function


def explain(problem: BaseException | None) -> str | None:
    """Return what an error of the server or of its driver means, and what to do.

    None for a fault of this program.
    """
    if isinstance(problem, sqlite3.Error):
        return f"this machine cannot list in its {gettempdir()} what is to be read ({problem})"
    why = words(problem)
    code = getattr(problem, "sqlstate", None)
    if code is None:
        if _is(problem, "DataError"):  # the driver's error, for text that the server does not take
            return why
        return _LOST.format(why=why) if _is(problem, "OperationalError") else None
    if code in _LACKS:
        return damaged(why)
    for length in (5, 3, 2):
        if code[:length] in _MEANINGS:
            return _MEANINGS[code[:length]].format(why=why)
    return None if code.startswith("42") else why


def explain_refusal(problem: BaseException | None) -> str:
    """Return why there is no connection, and what to do."""
    why = words(problem)
    for pattern, meaning in _REFUSALS.items():
        if re.search(pattern, why):
            return meaning.format(why=why)
    return _UNREACHED.format(why=why)


def words(problem: BaseException | None) -> str:
    """Return what the server says, on one line."""
    diagnosed = getattr(getattr(problem, "diag", None), "message_primary", None)
    first = str(diagnosed or problem).strip().partition("\n")[0]
    return printable(first.rpartition("FATAL: ")[2].strip() or type(problem).__name__)


def _is(problem: BaseException | None, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(problem).__mro__)
