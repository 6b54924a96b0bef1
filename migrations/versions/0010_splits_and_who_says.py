"""Samples that are split, and which labels people gave.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sample", sa.Column("split", sa.Text))
    op.add_column("sample_image", sa.Column("split", sa.Text))
    op.add_column("label", sa.Column("human", sa.Boolean, nullable=False, server_default="0"))
