"""The sampling frame as columns, in place of the order of all images.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

# While the frame is whole its counts answer; else the images do, as before. Each half begins with
# a row that is there, or not, so that the other one's tables are not gone through.
WHOLE = """
NOT EXISTS (SELECT 1 FROM frame_change)
AND NOT EXISTS (SELECT 1 FROM archive WHERE frame_version IS NULL)
"""
BUCKET = f"""
CREATE VIEW bucket AS
SELECT bucket, images, (SELECT path FROM image WHERE image.id = first_id) AS first_path
FROM (
    SELECT frame_bucket.bucket AS bucket, frame_bucket.first_id AS first_id,
           sum(frame_bucket.images) OVER (PARTITION BY frame_bucket.bucket) AS images,
           row_number() OVER (
               PARTITION BY frame_bucket.bucket
               ORDER BY archive.sort_key, frame_block.first_key
           ) AS place
    FROM (SELECT 1 AS one WHERE {WHOLE}) AS whole
    CROSS JOIN frame_bucket
    JOIN frame_block ON frame_block.id = frame_bucket.block
    JOIN archive ON archive.id = frame_block.archive_id
    UNION ALL
    SELECT (image.dhash >> 60) & 15 AS bucket, image.id AS first_id,
           count(*) OVER (PARTITION BY (image.dhash >> 60) & 15) AS images,
           row_number() OVER (
               PARTITION BY (image.dhash >> 60) & 15
               ORDER BY archive.sort_key, image.sort_key
           ) AS place
    FROM (SELECT 1 AS one WHERE NOT ({WHOLE})) AS changed
    CROSS JOIN image
    JOIN archive ON archive.id = image.archive_id
    WHERE image.dhash IS NOT NULL AND image.missing_since IS NULL
) AS placed
WHERE place = 1
"""


def upgrade() -> None:
    op.add_column("archive", sa.Column("frame_version", sa.Integer))
    op.create_table(
        "frame_block",
        sa.Column("id", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("archive_id", ROW_ID, nullable=False),
        sa.Column("first_key", sa.LargeBinary, nullable=False),
        sa.Column("images", ROW_ID, nullable=False),
        sa.Column("methods", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_frame_block"),
        sa.ForeignKeyConstraint(["archive_id"], ["archive.id"], name="fk_frame_block_archive_id"),
    )
    op.create_index("ix_frame_block_archive_id", "frame_block", ["archive_id"])
    op.create_table(
        "frame_bucket",
        sa.Column("block", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("bucket", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("images", ROW_ID, nullable=False),
        sa.Column("first_id", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("block", "bucket", name="pk_frame_bucket"),
    )
    op.create_table(
        "frame_column",
        sa.Column("block", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("block", "name", name="pk_frame_column"),
    )
    op.create_table(
        "frame_change",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("archive_id", ROW_ID, nullable=False),
        sa.Column("sort_key", sa.LargeBinary, nullable=False),
        sa.Column("image_id", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_frame_change"),
    )
    missing = sa.text("missing_since IS NOT NULL")
    op.create_index(
        "ix_image_missing", "image", ["archive_id"], sqlite_where=missing, postgresql_where=missing
    )
    op.execute("DROP VIEW bucket")
    op.execute(BUCKET)
    op.drop_table("sampling_bucket")
    op.drop_table("sampling_position")
