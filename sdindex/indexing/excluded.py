"""What an archive leaves out: storing its globs, and refusing an excluded folder."""

import logging
import shlex

from sdindex.archive.beside import is_litter
from sdindex.archive.excluded import excludes
from sdindex.archive.names import from_text, printable
from sdindex.errors import ArchiveError, UsageError
from sdindex.store import archive_admin
from sdindex.store.archives import Part
from sdindex.store.database import Session

log = logging.getLogger("sdindex")


def leaving_out(session: Session, part: Part, globs: tuple[str, ...] | None) -> Part:
    """Store new globs with a part's archive, if any are given; return the part.

    Raises
    ------
    UsageError
        When globs are given for a folder inside an archive, or a glob is an absolute path in it.
    ArchiveError
        When the part is a folder that is passed over.
    """
    if globs is not None:
        _refuse(part, globs)
        _tell_changed(part, globs)
        part = part._replace(archive=archive_admin.set_excluded(session, part.archive, globs))
    folders = part.under.split("/")[:-1]
    for depth in range(1, len(folders) + 1):
        _require_looked_at(part, "/".join(folders[:depth]) + "/")
    return part


def _refuse(part: Part, globs: tuple[str, ...]) -> None:
    root = part.archive.root
    if part.under:
        raise UsageError(
            f"what is excluded is kept with a whole archive: name {printable(root)}, and not a "
            "folder inside it"
        )
    for glob in globs:
        path = part.root.within(glob)
        if path is not None and glob != f"/{path}":
            raise UsageError(
                f"{glob!r} is a path, and what is excluded is relative to the archive: "
                f"{'/' + path!r}"
            )


def _tell_changed(part: Part, globs: tuple[str, ...]) -> None:
    dropped = [glob for glob in part.archive.excluded if glob not in globs]
    if dropped and globs:
        log.warning(
            "%s: no longer excluded: %s",
            printable(part.archive.root),
            printable(shlex.join(dropped)),
        )


def _require_looked_at(part: Part, folder: str) -> None:
    location = part.root.location(folder)
    is_out = excludes(part.archive.excluded)
    if is_out is not None and is_out(folder):
        raise ArchiveError(
            f"{printable(location)} is excluded from {printable(part.archive.root)}; what is "
            "excluded from it shows: sdindex status"
        )
    name = from_text(folder[:-1].rpartition("/")[2])
    if is_litter(name, location):
        raise ArchiveError(
            f"{printable(location)} is passed over, as systems and programs leave such folders "
            "behind; copy its images elsewhere, or rename it"
        )
