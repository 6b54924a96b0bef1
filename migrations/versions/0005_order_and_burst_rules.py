"""The versions of the rules that gave an archive its order and a saved sample its bursts.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What is there was made by the first rules; there have been no others until now.
    for table, name in (("archive", "sort_rule"), ("sample", "burst_rule")):
        op.add_column(table, sa.Column(name, sa.Integer, nullable=False, server_default="1"))
