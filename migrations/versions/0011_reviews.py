"""Reviews: what people decided on the images of a sample.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
        sa.Column("asked", ROW_ID, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("program", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sa.UniqueConstraint("name", name="uq_review_name"),
    )
    op.create_table(
        "decision",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("review_id", ROW_ID, nullable=False),
        sa.Column("image_id", ROW_ID, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("within", sa.Integer),
        sa.Column("observer", sa.Text, nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
        sa.Column("why", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], ondelete="CASCADE", name="fk_decision_review_id"
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], ondelete="CASCADE", name="fk_decision_image_id"
        ),
    )
    op.create_index("ix_decision_review_id", "decision", ["review_id"])
    op.create_index("ix_decision_image_id", "decision", ["image_id"])
