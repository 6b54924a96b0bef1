"""What a dHash compares of each image, its colour, and how much moved in it.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("image", sa.Column("grey", sa.LargeBinary))
    op.add_column("image", sa.Column("colour", sa.Float))
    op.add_column("image", sa.Column("motion", sa.Float))
    op.add_column("archive", sa.Column("motion_rule", sa.Integer))
    # What was noted without a path belongs to frames that are made from nothing after this.
    op.execute("UPDATE archive SET frame_version = NULL")
    op.execute("DELETE FROM frame_change")
    op.add_column("frame_change", sa.Column("path", PATH, nullable=False, server_default=""))
