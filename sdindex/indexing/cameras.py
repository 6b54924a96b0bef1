"""Changing the pattern by which an archive's cameras are found."""

import logging

from sdindex.archive import cameras
from sdindex.archive.names import printable
from sdindex.store import archive_admin, images
from sdindex.store.archives import Archive
from sdindex.store.database import Session, Store

log = logging.getLogger("sdindex")


def set_pattern(store: Store, root: str | None, pattern: str) -> None:
    """Find an archive's cameras by another pattern; see `sdindex.Index.set_camera_pattern`."""
    if pattern:
        cameras.camera_pattern(pattern)  # raises where it is no pattern
    with store.writing() as session:
        archive = archive_admin.named_or_only(session, root)
        tell_if_nothing(session, archive_admin.set_camera_rule(session, archive, pattern or None))
        images.frame_up_to_date(session)
        session.commit()


def tell_if_nothing(session: Session, archive: Archive) -> None:
    """Log it if an archive's pattern finds no camera in any of its paths."""
    pattern = archive.camera_pattern
    if pattern and archive_admin.names_no_camera(session, archive, pattern):
        log.warning(
            "the camera pattern finds nothing in any path of %s: its cameras are folders",
            printable(archive.root),
        )
