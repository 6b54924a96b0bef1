"""An index that is upgraded is kept aside first."""

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sdindex import Index, IndexUnusableError
from sdindex.store import database, schema, sqlite
from sdindex.store.schema import migrations_folder
from sdindex.store.tables import SCHEMA_REVISION
from tests.store.test_database import posix

pytestmark = pytest.mark.sqlite_file

NEXT = f"{int(SCHEMA_REVISION) + 1:04}"


NEXT_REVISION = f"""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{SCHEMA_REVISION}"


def upgrade() -> None:
    op.add_column("image", sa.Column("label", sa.Text))
"""


@contextmanager
def next_program(folder: Path) -> Iterator[None]:
    """Make this program its next version, with one revision more."""
    shutil.copytree(migrations_folder(), folder / "migrations")
    revision = folder / "migrations" / "versions" / f"{NEXT}_note.py"
    revision.write_text(NEXT_REVISION, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "migrations_folder", lambda: folder / "migrations")
        patch.setattr(database, "SCHEMA_REVISION", NEXT)
        patch.setattr(sqlite, "SCHEMA_REVISION", NEXT)
        yield


def columns(db: Path) -> set[str]:
    with closing(sqlite3.connect(db)) as connection:
        return {row[1] for row in connection.execute("PRAGMA table_info(image)")}


def test_before_an_upgrade_the_old_index_is_kept_aside(
    index: Index,
    db: Path,
    archive: Path,
    threads: Executor,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    index.update(archive, executor=threads)
    sample = index.select(5)
    aside = Path(f"{db}.schema-{SCHEMA_REVISION}")
    aside.write_text("something of worth")
    with next_program(tmp_path):
        with pytest.raises(IndexUnusableError, match=r"older sdindex.*`sdindex index`"):
            index.select(5)
        index.update(archive, executor=threads)
        index.update(archive, executor=threads)
        assert index.select(5) == sample
    assert [record.message for record in caplog.records] == [
        f"{db}: schema {SCHEMA_REVISION} is upgraded to {NEXT}; the index as it was is kept as "
        f"{aside}.2"
    ]
    assert aside.read_text() == "something of worth"
    assert columns(db) - columns(Path(f"{aside}.2")) == {"label"}
    with Index(f"{aside}.2") as kept:
        assert kept.select(5) == sample
    assert not list(tmp_path.glob("*.part"))


@posix
def test_without_room_for_the_copy_nothing_is_upgraded(
    index: Index, db: Path, archive: Path, threads: Executor, tmp_path: Path
) -> None:
    import resource

    index.update(archive, executor=threads)
    before = db.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with next_program(tmp_path):
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
        try:
            with pytest.raises(IndexUnusableError, match="cannot be copied before it is upgraded"):
                index.update(archive, executor=threads)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert db.read_bytes() == before
    assert not list(tmp_path.glob("*schema*"))
    assert len(index.select(100)) == 12
