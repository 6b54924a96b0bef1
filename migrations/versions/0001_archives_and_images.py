"""Archives, images, their sampling order, and views for people who open another SQL tool.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

HEX = {
    "sqlite": "printf('%016x', image.dhash)",
    "postgresql": "lpad(to_hex(image.dhash), 16, '0')",
}
PRESENT = """
FROM image JOIN archive ON archive.id = image.archive_id
WHERE image.dhash IS NOT NULL AND image.missing_since IS NULL
"""


def upgrade() -> None:
    op.create_table(
        "archive",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("root", PATH, nullable=False),
        sa.Column("sort_key", sa.LargeBinary, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("added_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime),
        sa.PrimaryKeyConstraint("id", name="pk_archive"),
        sa.UniqueConstraint("root", name="uq_archive_root"),
    )
    op.create_table(
        "image",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("archive_id", ROW_ID, nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("ctime_ns", sa.BigInteger, nullable=False),
        sa.Column("inode", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("dhash", sa.BigInteger),
        sa.Column("error", sa.Text),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("sort_key", sa.LargeBinary, nullable=False),
        sa.Column("taken_at", sa.DateTime),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("brightness", sa.Float),
        sa.Column("indexed_at", sa.DateTime, nullable=False),
        sa.Column("missing_since", sa.DateTime),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.ForeignKeyConstraint(["archive_id"], ["archive.id"], name="fk_image_archive_id"),
        sa.UniqueConstraint("archive_id", "path", name="uq_image_archive_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sampling_position",
        sa.Column("position", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("image_id", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_sampling_position"),
    )
    op.create_table(
        "sampling_bucket",
        sa.Column("bucket", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("first_position", ROW_ID, nullable=False),
        sa.Column("images", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("bucket", name="pk_sampling_bucket"),
    )
    hexadecimal = HEX[op.get_bind().dialect.name]
    op.execute(
        f"""
        CREATE VIEW image_hash AS
        SELECT image.id AS image_id, archive.root AS archive, image.path AS path,
               {hexadecimal} AS hash, (image.dhash >> 60) & 15 AS bucket
        {PRESENT}
        """
    )
    op.execute(
        f"""
        CREATE VIEW bucket AS
        SELECT bucket, images, path AS first_path
        FROM (
            SELECT (image.dhash >> 60) & 15 AS bucket, image.path AS path,
                   count(*) OVER (PARTITION BY (image.dhash >> 60) & 15) AS images,
                   row_number() OVER (
                       PARTITION BY (image.dhash >> 60) & 15
                       ORDER BY archive.sort_key, image.sort_key
                   ) AS place
            {PRESENT}
        ) AS placed
        WHERE place = 1
        """
    )
