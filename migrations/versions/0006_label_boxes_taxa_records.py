"""Boxes of labels, the taxonomy of labels, and results as they were imported.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("label", sa.Column("bbox", sa.Text))
    op.create_table(
        "taxon",
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("rank", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("label", "rank", name="pk_taxon"),
    )
    op.create_table(
        "result_file",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("header", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_result_file"),
        sa.UniqueConstraint("source", name="uq_result_file_source"),
    )
    op.create_table(
        "result",
        sa.Column("image_id", ROW_ID, nullable=False),
        sa.Column("file_id", ROW_ID, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("image_id", "file_id", name="pk_result"),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name="fk_result_image_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["result_file.id"], name="fk_result_file_id", ondelete="CASCADE"
        ),
    )
