"""Where disks are mounted in an archive: to tell a disk that is away from an empty folder."""

from collections.abc import Mapping

import sqlalchemy as sa

from sdindex.store.archives import Part, below
from sdindex.store.database import Session
from sdindex.store.tables import device


def remembered(session: Session, part: Part) -> dict[str, int]:
    """Return the folders of a part where a disk was mounted, each with its device's number.

    Folders are relative, in stored form, and end with a slash; the root is empty.
    """
    rows = session.execute(sa.select(device.c.path, device.c.device).where(_of(part)))
    return {row.path: row.device for row in rows}


def remember(session: Session, part: Part, devices: Mapping[str, int]) -> None:
    """Store the folders where disks are mounted, for `remembered`."""
    if devices == remembered(session, part):
        return
    session.execute(device.delete().where(_of(part)))
    rows = [
        {"archive_id": part.archive.id, "path": path, "device": number}
        for path, number in devices.items()
    ]
    if rows:
        session.execute(device.insert(), rows)


def _of(part: Part) -> sa.ColumnElement[bool]:
    of_archive = device.c.archive_id == part.archive.id
    return of_archive & below(device.c.path, part.under) if part.under else of_archive
