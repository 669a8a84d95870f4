"""How Alembic runs the migrations: on the connection that it is given."""

from __future__ import annotations

from alembic import context

from dagflow.server.database.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=False)
context.run_migrations()
