"""Where disks are mounted in archives, and the version of the rule that told their cameras.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    # What is there was told by the first rule; it has had no other until now.
    op.add_column(
        "archive", sa.Column("camera_rule", sa.Integer, nullable=False, server_default="1")
    )
    op.create_table(
        "device",
        sa.Column("archive_id", ROW_ID, nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("device", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("archive_id", "path", name="pk_device"),
        sa.ForeignKeyConstraint(
            ["archive_id"], ["archive.id"], name="fk_device_archive_id", ondelete="CASCADE"
        ),
    )
