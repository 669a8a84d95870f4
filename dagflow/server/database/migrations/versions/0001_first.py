"""The first schema."""

from __future__ import annotations

from alembic import op

from dagflow.server.database.migrations.views import create_views

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables and the views for people."""
    from dagflow.server.database.tables import metadata

    metadata.create_all(op.get_bind(), checkfirst=False)
    create_views(op.get_bind())
