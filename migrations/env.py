"""Alembic's entry: runs the revisions on the connection that sdindex has already opened."""

from alembic import context

if context.is_offline_mode():
    raise RuntimeError("an index is upgraded on an open connection, not offline")

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
