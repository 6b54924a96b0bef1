"""The tables of an index. A new column: a revision in ``migrations``, and a line here."""

import json
from datetime import UTC, datetime
from typing import TypeVar
from zlib import crc32

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

# The newest revision's name. Kept here so that opening an index need not import Alembic,
# which takes half a second; a test compares it with the revisions.
SCHEMA_REVISION = "0011"

# Each constraint has a name, so that a later revision can refer to it on any database.
NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
metadata = MetaData(naming_convention=NAMING)

# SQLite gives ids by itself only in a column declared INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")
# Paths compare by their bytes, as the scan sorts them: SQLite's way, and PostgreSQL's "C".
PathText = Text().with_variant(Text(collation="C"), "postgresql")

_SUM_BYTES = 4

Kind = TypeVar("Kind")


class WrongValueError(ValueError):
    """A value that no version of this program stores: the index is damaged."""


class Summed(TypeDecorator[bytes]):
    """Bytes stored with a checksum, as no database notices a flipped bit in them."""

    impl = LargeBinary
    cache_ok = True
    python_type = bytes

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Return the bytes as they are stored."""
        return None if value is None else value + _sum(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Return stored bytes as they were given.

        Raises
        ------
        WrongValueError
            When they do not fit their checksum.
        """
        if value is None:
            return None
        if not isinstance(value, bytes) or _sum(value[:-_SUM_BYTES]) != value[-_SUM_BYTES:]:
            raise WrongValueError("bytes that are not those of their checksum")
        return value[:-_SUM_BYTES]


def _sum(value: bytes) -> bytes:
    return crc32(value).to_bytes(_SUM_BYTES, "little")


archive = Table(
    "archive",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("root", PathText, nullable=False, unique=True),
    Column("sort_key", LargeBinary, nullable=False),
    Column("method", Text, nullable=False),
    Column("added_at", DateTime, nullable=False),
    Column("updated_at", DateTime),
    Column("camera_pattern", Text),
    Column("camera_rule", Integer, nullable=False, server_default="1"),
    Column("frame_version", Integer),
    Column("sort_rule", Integer, nullable=False, server_default="1"),
    Column("motion_rule", Integer),
    Column("excluded", Text),
    Column("listed", Boolean, nullable=False, server_default="0"),
    Column("shard", Text),
)

# See sdindex.store.devices.
device = Table(
    "device",
    metadata,
    Column("archive_id", RowId, ForeignKey("archive.id", ondelete="CASCADE"), primary_key=True),
    Column("path", PathText, primary_key=True),
    Column("device", BigInteger, nullable=False),
)

image = Table(
    "image",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("archive_id", RowId, ForeignKey("archive.id"), nullable=False),
    Column("path", PathText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("dhash", BigInteger),
    Column("error", Text),
    Column("method", Text, nullable=False),
    Column("sort_key", LargeBinary, nullable=False),
    Column("taken_at", DateTime),
    Column("width", Integer),
    Column("height", Integer),
    Column("brightness", Float),
    Column("indexed_at", DateTime, nullable=False),
    Column("missing_since", DateTime),
    Column("camera", Text, nullable=False, server_default=""),
    Column("grey", LargeBinary),
    Column("colour", Float),
    Column("motion", Float),
    UniqueConstraint("archive_id", "path"),
    sqlite_autoincrement=True,  # the id of a deleted image is never given again
)
# Few of millions are missing: a new file may be one of them that moved.
_is_missing = image.c.missing_since.is_not(None)
Index("ix_image_missing", image.c.archive_id, sqlite_where=_is_missing)  # and so on any server

# See sdindex.store.frames. A block has the id of its first image.
frame_block = Table(
    "frame_block",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("archive_id", RowId, ForeignKey("archive.id"), nullable=False, index=True),
    Column("first_key", LargeBinary, nullable=False),
    Column("images", RowId, nullable=False),
    Column("methods", Text, nullable=False),
)

frame_bucket = Table(
    "frame_bucket",
    metadata,
    Column("block", RowId, primary_key=True, autoincrement=False),
    Column("bucket", RowId, primary_key=True, autoincrement=False),
    Column("images", RowId, nullable=False),
    Column("first_id", RowId, nullable=False),
)

frame_column = Table(
    "frame_column",
    metadata,
    Column("block", RowId, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("data", Summed, nullable=False),
)

frame_change = Table(
    "frame_change",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("archive_id", RowId, nullable=False),
    Column("sort_key", LargeBinary, nullable=False),
    Column("image_id", RowId, nullable=False),
    Column("path", PathText, nullable=False, server_default=""),
)

# See sdindex.store.samples.
sample = Table(
    "sample",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("made_at", DateTime, nullable=False),
    Column("asked", RowId, nullable=False),
    Column("options", Text, nullable=False),
    Column("program", Text, nullable=False),
    Column("drawn_from", RowId, nullable=False),
    Column("burst_rule", Integer, nullable=False, server_default="1"),
    Column("split", Text),  # JSON: how it was split
)

sample_image = Table(
    "sample_image",
    metadata,
    Column("sample_id", RowId, ForeignKey("sample.id"), primary_key=True),
    Column("image_id", RowId, ForeignKey("image.id"), primary_key=True, index=True),
    Column("burst", RowId),
    Column("split", Text),
)

# See sdindex.store.decisions.
review = Table(
    "review",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("made_at", DateTime, nullable=False),
    Column("asked", RowId, nullable=False),
    Column("options", Text, nullable=False),
    Column("program", Text, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("id", RowId, primary_key=True),
    Column(
        "review_id", RowId, ForeignKey("review.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column(
        "image_id", RowId, ForeignKey("image.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("what", Text, nullable=False),  # kept, rejected or left
    Column("within", Integer),  # bits: alike images are rejected with it
    Column("observer", Text, nullable=False),
    Column("made_at", DateTime, nullable=False),
    Column("why", Text),
)

# See sdindex.store.labels.
label = Table(
    "label",
    metadata,
    Column("id", RowId, primary_key=True),
    Column(
        "image_id", RowId, ForeignKey("image.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("source", Text, nullable=False),
    Column("label", Text),
    Column("confidence", Float),
    Column("failure", Text),
    Column("bbox", Text),  # JSON: x, y, width and height as fractions, from the top left
    Column("human", Boolean, nullable=False, server_default="0"),
)

# The ranks of a label: see `sdindex.store.taxa`.
taxon = Table(
    "taxon",
    metadata,
    Column("label", Text, primary_key=True),
    Column("rank", Text, primary_key=True),
    Column("name", Text, nullable=False),
)

# See sdindex.store.results.
result_file = Table(
    "result_file",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("source", Text, nullable=False, unique=True),
    Column("header", Text, nullable=False),
)

result = Table(
    "result",
    metadata,
    Column("image_id", RowId, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True),
    Column("file_id", RowId, ForeignKey("result_file.id", ondelete="CASCADE"), primary_key=True),
    Column("data", Text, nullable=False),
)


def from_json(stored: str, kind: type[Kind]) -> Kind:
    """Return what is stored as JSON.

    Raises
    ------
    WrongValueError
        When it is no JSON, or of another type.
    """
    try:
        value = json.loads(stored)
    except ValueError as problem:
        raise WrongValueError(f"{stored!r} is no JSON: {problem}") from problem
    if not isinstance(value, kind):
        raise WrongValueError(f"{stored!r} is no {kind.__name__}")
    return value


def utc_now() -> datetime:
    """Return the time in UTC, naive: databases store time zones in different ways."""
    return datetime.now(UTC).replace(tzinfo=None)
