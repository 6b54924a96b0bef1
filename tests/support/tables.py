"""The tables of a new index: made by the revisions once in each process, and copied after that."""

from collections.abc import Callable

import sqlalchemy as sa

Upgrade = Callable[[sa.Connection], None]
_OURS = ("BEGIN TRANSACTION;", "COMMIT;")


def made_once(upgrade: Upgrade) -> Upgrade:
    """Return what does the same, and sooner where a new index in a file is made."""
    statements: list[str] = []

    def make(connection: sa.Connection) -> None:
        if connection.dialect.name != "sqlite" or _has_tables(connection):
            upgrade(connection)
        elif not statements:
            upgrade(connection)
            driver = connection.connection.driver_connection
            assert driver is not None
            statements.extend(line for line in driver.iterdump() if line not in _OURS)
        else:
            for statement in statements:
                connection.exec_driver_sql(statement)

    return make


def _has_tables(connection: sa.Connection) -> bool:
    return connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first() is not None
