"""Indexes that are written straight into the tables: no file of theirs is anywhere."""

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from sdindex.archive.cameras import camera_of
from sdindex.archive.names import to_text
from sdindex.archive.natural import sort_key
from sdindex.store import frames
from sdindex.store.database import Session, Store
from sdindex.store.images import frame_up_to_date
from sdindex.store.tables import archive as archive_table
from sdindex.store.tables import image as image_table
from sdindex.store.tables import label as label_table

NOW = datetime.now(UTC).replace(tzinfo=None)
Archives = dict[str, dict[str, int]]  # root -> path -> signed hash


def write_index(
    db: Path, archives: Archives, method: str = "scaled-1", *, in_order: bool = True
) -> None:
    """Write an index straight into the tables, its sampling order kept or not."""
    with Store(db).writing(create=True) as connection:
        for number, (root, images) in enumerate(archives.items(), start=1):
            connection.execute(
                archive_table.insert(),
                {
                    "id": number,
                    "root": root,
                    "sort_key": sort_key(root),
                    "method": method.partition("-")[0],
                    "added_at": NOW,
                },
            )
            for path, dhash in images.items():
                connection.execute(image_table.insert(), image_row(number, path, dhash, method))
        if in_order:
            make_frames(connection)
        connection.commit()


def hold_all(session: Session) -> None:
    """Keep other programs from changing the archives: then this one may."""
    columns = archive_table.c.id, archive_table.c.root
    for archive_id, root in session.execute(sa.select(*columns).order_by(columns[0])).all():
        session.hold(archive_id, root)


def make_frames(session: Session) -> None:
    """Make the sampling frame of all archives."""
    hold_all(session)
    frame_up_to_date(session)


def forget_frames(session: Session) -> None:
    """Say that tables were written to straight, past the one who keeps the frame true."""
    for archive_id in session.scalars(sa.select(archive_table.c.id)).all():
        frames.forget(session, archive_id)


def image_row(archive: int, path: str, dhash: int, method: str) -> dict[str, object]:
    """Return the row of an image that was read."""
    return {
        "archive_id": archive,
        "path": to_text(path),
        "sort_key": sort_key(path),
        "dhash": dhash,
        "method": method,
        "settled": True,
        "indexed_at": NOW,
        "width": 640,
        "height": 480,
        "brightness": 100.0,
        **dict.fromkeys(("size", "mtime_ns", "ctime_ns", "inode"), 1),
    }


def add(db: Path, paths: dict[str, int], **columns: object) -> None:
    """Add images to the first archive."""
    with Store(db).writing() as connection:
        rows = [
            image_row(1, path, dhash, "scaled-1") | {"camera": camera_of(path)} | columns
            for path, dhash in paths.items()
        ]
        connection.execute(image_table.insert(), rows)
        forget_frames(connection)
        connection.commit()


def change(db: Path, paths: list[str], **columns: object) -> None:
    """Change the rows of some images."""
    with Store(db).writing() as connection:
        connection.execute(
            image_table.update().where(image_table.c.path.in_(paths)).values(**columns)
        )
        forget_frames(connection)
        connection.commit()


def put_labels(db: Path, labels: dict[str, str | None], confidence: float | None = None) -> None:
    """Label images; those without a label are failures."""
    with Store(db).writing() as connection:
        for path, label in labels.items():
            row = connection.scalar(sa.select(image_table.c.id).where(image_table.c.path == path))
            said = {
                "label": label,
                "confidence": confidence,
                "failure": None if label else "broken",
            }
            connection.execute(label_table.insert(), {"image_id": row, "source": "test", **said})
        forget_frames(connection)
        connection.commit()
