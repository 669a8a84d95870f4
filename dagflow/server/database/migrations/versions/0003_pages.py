"""What pages need: places of tasks in pictures, and indexes of runs by their begin and end."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_INDEXES = {
    "flow_run_by_end": "(end_time, state) WHERE end_time IS NOT NULL",
    "flow_run_begun": "(flow_group_id, start_time) WHERE start_time IS NOT NULL",
    "flow_run_upcoming": "(flow_group_id, state_start_time) WHERE state_start_time IS NOT NULL",
}


def upgrade() -> None:
    """Make what is not there; on a fresh database the first migration has made all."""
    op.execute(
        "CREATE TABLE IF NOT EXISTS flow_layout (flow_id VARCHAR(36) NOT NULL PRIMARY KEY "
        "REFERENCES flow (id) ON DELETE CASCADE, document TEXT NOT NULL)"
    )
    for name, what in _INDEXES.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} ON flow_run {what}")
