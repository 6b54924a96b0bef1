"""The revision of an index's tables: reading it, and upgrading to the newest."""

from collections.abc import Set as AnySet
from pathlib import Path

import sqlalchemy as sa

from sdindex.archive.names import printable
from sdindex.errors import IndexUnusableError
from sdindex.store.tables import WrongValueError, archive, image

_VERSION = "alembic_version"


def stored_revision(connection: sa.Connection, tables: AnySet[str]) -> str | None:
    """Return the revision that the tables of an index have; None when it is no index.

    `tables` are the names of the existing tables.

    Raises
    ------
    WrongValueError
        When what is stored is not the name of one revision.
    """
    if _VERSION not in tables:
        return None
    stored = connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all()
    match stored:
        case [str(revision)]:
            return revision
    raise WrongValueError(f"its schema is {stored}")


def known_revisions() -> set[str]:
    """Return the names of the revisions that this program has."""
    return {file.name[:4] for file in (migrations_folder() / "versions").glob("[0-9]*.py")}


def is_index(tables: AnySet[str]) -> bool:
    """Say whether the tables that every revision has are there."""
    return {archive.name, image.name, _VERSION} <= tables


def upgrade(connection: sa.Connection) -> None:
    """Run the revisions that the index lacks, in the transaction that the caller has begun."""
    from alembic import (
        command,  # importing Alembic takes half a second, so only when there is something to do
    )
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    command.upgrade(config, "head")


def migrations_folder() -> Path:
    """Return the folder of the revisions: in the installed package, else in the checkout.

    Raises
    ------
    IndexUnusableError
        When the program is run from inside a zip file, where Alembic finds no revisions.
    """
    package = Path(__file__).parent.parent
    for folder in (package / "migrations", package.parent / "migrations"):
        if folder.is_dir():
            return folder
    raise IndexUnusableError(
        f"no index can be made or upgraded from inside {printable(str(package.parent))}; unpack "
        "it, then install it with: python -m pip install FOLDER"
    )
