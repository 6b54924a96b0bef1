"""Cameras, saved samples, labels.

Revision ID: 0002
Revises: 0001
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_CHUNK = 10_000
# The first rule of cameras, as it was on the day of this revision: the folder above DCIM and
# the numbered folders of a card.
_CARD_FOLDERS = re.compile(
    r"(?:^|/)(?:(?i:DCIM)(?:/[1-9]\d\d\w{5})?|[1-9]\d\d(?!\d{5})(?:[0-9A-Z_]{5}|[0-9a-z_]{5}))$",
    re.ASCII,
)

image = sa.table("image", sa.column("id"), sa.column("path"), sa.column("camera"))


def upgrade() -> None:
    op.add_column("archive", sa.Column("camera_pattern", sa.Text))
    op.add_column("image", sa.Column("camera", sa.Text, nullable=False, server_default=""))
    fill_cameras()
    op.create_table(
        "sample",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
        sa.Column("asked", ROW_ID, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("program", sa.Text, nullable=False),
        sa.Column("drawn_from", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sample"),
        sa.UniqueConstraint("name", name="uq_sample_name"),
    )
    op.create_table(
        "sample_image",
        sa.Column("sample_id", ROW_ID, nullable=False),
        sa.Column("image_id", ROW_ID, nullable=False),
        sa.Column("burst", ROW_ID),
        sa.PrimaryKeyConstraint("sample_id", "image_id", name="pk_sample_image"),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name="fk_sample_image_sample_id"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_sample_image_image_id"),
    )
    op.create_index("ix_sample_image_image_id", "sample_image", ["image_id"])
    op.create_table(
        "label",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("image_id", ROW_ID, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("confidence", sa.Float),
        sa.Column("failure", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_label"),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name="fk_label_image_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_label_image_id", "label", ["image_id"])


def fill_cameras() -> None:
    """Give the images that are there their cameras, some at a time: there may be millions."""
    connection = op.get_bind()
    last = 0
    while True:
        rows = connection.execute(
            sa.select(image.c.id, image.c.path)
            .where(image.c.id > last)
            .order_by(image.c.id)
            .limit(_CHUNK)
        ).all()
        if not rows:
            return
        last = rows[-1].id
        connection.execute(
            image.update()
            .where(image.c.id == sa.bindparam("row"))
            .values(camera=sa.bindparam("found")),
            [{"row": row.id, "found": camera_of(row.path)} for row in rows],
        )


def camera_of(path: str) -> str:
    folder, above = path.rpartition("/")[0], None
    while folder != above:
        folder, above = _CARD_FOLDERS.sub("", folder), folder
    return folder
