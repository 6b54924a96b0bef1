"""A new index in a file: made by the revisions once in each process, and copied after that."""

from collections.abc import Callable

from sdindex.store.sqlite import SqliteBackend, _draft_of

Create = Callable[[SqliteBackend], None]


def made_once(create: Create) -> Create:
    """Return what does the same, and sooner."""
    made: list[bytes] = []

    def copy(backend: SqliteBackend) -> None:
        if not made:
            create(backend)
            made.append(backend._file.read_bytes())
            return
        try:
            with _draft_of(backend._file) as draft:
                draft.write_bytes(made[0])
        except OSError:
            create(backend)  # it says why it cannot be made

    return copy
