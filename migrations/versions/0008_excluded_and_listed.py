"""What of an archive is left out, and whether it is made of single files.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("archive", sa.Column("excluded", sa.Text))
    op.add_column("archive", sa.Column("listed", sa.Boolean, nullable=False, server_default="0"))
    # Nobody indexes the whole disk of a system: these are the roots of single files.
    op.execute("UPDATE archive SET listed = '1' WHERE root IN ('/', 'C:/')")
