"""Alembic's entry: runs the revisions on the connection that sdindex has already opened."""

from alembic import context

from sdindex.store.tables import metadata

if context.is_offline_mode():
    raise RuntimeError("an index is upgraded on an open connection, not offline")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    compare_type=True,
    render_as_batch=True,
)
context.run_migrations()
