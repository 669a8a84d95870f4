"""
The tables.

Identities are UUID text, times UTC text of fixed width (so that the order of text is the order of time), documents JSON
text: the same on every database. Columns that copy the current state stand on the runs themselves, with the history
beside them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

__all__ = ["metadata"]

metadata = MetaData()

SERIAL = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database counts up."""


def _base() -> list[Column[Any]]:
    return [
        Column("id", String(36), primary_key=True),
        Column("created", String(27), nullable=False),
        Column("updated", String(27), nullable=False),
    ]


def _link(name: str, target: str, *, nullable: bool = False, index: bool = True) -> Column[Any]:
    return Column(name, String(36), ForeignKey(f"{target}.id", ondelete="CASCADE"), nullable=nullable, index=index)


def _current_state() -> list[Column[Any]]:
    return [
        Column("version", Integer, nullable=False, default=0),
        Column("state", String(32), nullable=False),
        Column("state_id", String(36)),
        Column("state_message", Text),
        Column("state_timestamp", String(27)),
        Column("state_start_time", String(27)),
        Column("state_result", Text),
        Column("serialized_state", Text),
    ]


project = Table(
    "project", metadata, *_base(), Column("name", Text, nullable=False, unique=True), Column("description", Text)
)

flow_group = Table(
    "flow_group",
    metadata,
    *_base(),
    Column("name", Text, nullable=False, unique=True),
    _link("project_id", "project"),
    Column("flow_name", Text, nullable=False),
    Column("labels", Text),
    Column("run_config", Text),
    Column("schedule", Text),
    Column("default_parameters", Text, nullable=False, default="{}"),
    Column("description", Text),
    Column("settings", Text, nullable=False, default="{}"),
    Column("idempotency_key", Text),
    Column("schedule_problem", Text),
    Column("tags", Text, nullable=False, default="[]"),
    Index("flow_group_by_name", "project_id", "flow_name"),
)

flow = Table(
    "flow",
    metadata,
    *_base(),
    _link("flow_group_id", "flow_group", index=False),
    _link("project_id", "project"),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("archived", Boolean, nullable=False, default=False),
    Column("serialized_flow", Text, nullable=False),
    Column("serialized_hash", String(64)),
    Column("storage", Text),
    Column("run_config", Text),
    Column("parameters", Text, nullable=False, default="[]"),
    Column("schedule", Text),
    Column("is_schedule_active", Boolean, nullable=False, default=False),
    Column("core_version", Text),
    Column("description", Text),
    Column("tasks_count", Integer, nullable=False, default=0),
    UniqueConstraint("flow_group_id", "version"),
    Index("flow_by_name", "name", "created"),
)

task = Table(
    "task",
    metadata,
    *_base(),
    _link("flow_id", "flow", index=False),
    Column("slug", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text),
    Column("tags", Text, nullable=False, default="[]"),
    Column("max_retries", Integer, nullable=False, default=0),
    Column("retry_delay", Float),
    Column("trigger", Text),
    Column("cache_key", Text),
    Column("auto_generated", Boolean, nullable=False, default=False),
    Column("mapped", Boolean, nullable=False, default=False),
    Column("is_root_task", Boolean, nullable=False, default=False),
    Column("is_terminal_task", Boolean, nullable=False, default=False),
    Column("is_reference_task", Boolean, nullable=False, default=False),
    UniqueConstraint("flow_id", "slug"),
)

edge = Table(
    "edge",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    _link("flow_id", "flow"),
    Column("upstream_task_id", String(36), nullable=False),
    Column("downstream_task_id", String(36), nullable=False),
    Column("key", Text),
    Column("mapped", Boolean, nullable=False, default=False),
    Column("flattened", Boolean, nullable=False, default=False),
)

flow_layout = Table(
    "flow_layout",
    metadata,
    Column("flow_id", String(36), ForeignKey("flow.id", ondelete="CASCADE"), primary_key=True),
    Column("document", Text, nullable=False),
)
"""Where the tasks of a version stand in a picture; made when somebody first looks."""

deployment = Table(
    "deployment",
    metadata,
    *_base(),
    _link("flow_group_id", "flow_group", index=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("parameters", Text, nullable=False, default="{}"),
    Column("labels", Text),
    Column("pool", Text),
    Column("queue", Text),
    Column("run_config", Text),
    Column("schedule", Text),
    Column("is_schedule_active", Boolean, nullable=False, default=True),
    Column("schedule_problem", Text),
    Column("tags", Text, nullable=False, default="[]"),
    Column("overlap_policy", String(8), nullable=False, default="allow"),
    UniqueConstraint("flow_group_id", "name"),
)

READY_STATES = ("Scheduled", "Resume", "Retrying", "Paused", "Queued")
"""States of runs that wait for a moment, or for somebody."""

# Only runs that wait have a moment. That they do is quicker to tell than which of several states they are in, and told
# at each change of each run.
_READY = "state_start_time IS NOT NULL"
_HELD = "held"
_STARTED = "start_time IS NOT NULL"
_ENDED = "end_time IS NOT NULL"

flow_run = Table(
    "flow_run",
    metadata,
    *_base(),
    _link("flow_id", "flow"),
    Column("flow_group_id", String(36), nullable=False),
    Column("deployment_id", String(36)),
    Column("name", Text, nullable=False),
    Column("parameters", Text, nullable=False, default="{}"),
    Column("context", Text, nullable=False, default="{}"),
    Column("labels", Text, nullable=False, default="[]"),
    Column("run_config", Text),
    Column("pool", Text),
    Column("queue", Text),
    Column("scheduled_start_time", String(27)),
    Column("start_time", String(27)),
    Column("end_time", String(27)),
    Column("heartbeat", String(27)),
    Column("auto_scheduled", Boolean, nullable=False, default=False),
    Column("agentless", Boolean, nullable=False, default=False),
    Column("times_resurrected", Integer, nullable=False, default=0),
    Column("idempotency_key", Text),
    Column("agent_id", String(36)),
    Column("parent_task_run_id", String(36), index=True),
    Column("run_token", Integer, nullable=False, default=0),
    Column("held", Boolean, nullable=False, default=False),
    Column("late", Boolean, nullable=False, default=False),
    Column("tasks_made", Boolean, nullable=False, default=False),
    *_current_state(),
    UniqueConstraint("flow_id", "idempotency_key"),
    Index("flow_run_ready", "state_start_time", sqlite_where=text(_READY), postgresql_where=text(_READY)),
    Index("flow_run_held", "held", sqlite_where=text(_HELD), postgresql_where=text(_HELD)),
    Index("flow_run_newest", "created", "id"),
    Index("flow_run_by_state", "state", "created", "id"),
    Index("flow_run_by_group", "flow_group_id", "created", "id"),
    Index("flow_run_by_start", "scheduled_start_time", "id"),
    Index("flow_run_by_end", "end_time", "state", sqlite_where=text(_ENDED), postgresql_where=text(_ENDED)),
    Index(
        "flow_run_begun", "flow_group_id", "start_time", sqlite_where=text(_STARTED), postgresql_where=text(_STARTED)
    ),
    Index(
        "flow_run_upcoming",
        "flow_group_id",
        "state_start_time",
        sqlite_where=text(_READY),
        postgresql_where=text(_READY),
    ),
)

task_run = Table(
    "task_run",
    metadata,
    *_base(),
    _link("flow_run_id", "flow_run", index=False),
    Column("task_id", String(36), nullable=False),
    Column("map_index", Integer, nullable=False, default=-1),
    Column("name", Text),
    Column("start_time", String(27)),
    Column("end_time", String(27)),
    Column("run_count", Integer, nullable=False, default=0),
    Column("cache_key", Text),
    Column("tags", Text),
    *_current_state(),
    UniqueConstraint("flow_run_id", "task_id", "map_index"),
    Index("task_run_ready", "state_start_time", sqlite_where=text(_READY), postgresql_where=text(_READY)),
    Index(
        "task_run_running",
        "flow_run_id",
        sqlite_where=text("state = 'Running'"),
        postgresql_where=text("state = 'Running'"),
    ),
    Index(
        "task_run_cached",
        "cache_key",
        "task_id",
        "state_timestamp",
        sqlite_where=text("state = 'Cached' OR cache_key IS NOT NULL"),
        postgresql_where=text("state = 'Cached' OR cache_key IS NOT NULL"),
    ),
)


def _history(name: str, run: str) -> Table:
    return Table(
        name,
        metadata,
        Column("seq", SERIAL, primary_key=True, autoincrement=True),
        Column("id", String(36), nullable=False, unique=True),
        Column("run_id", String(36), ForeignKey(f"{run}.id", ondelete="CASCADE"), nullable=False),
        Column("version", Integer, nullable=False),
        Column("state", String(32), nullable=False),
        Column("timestamp", String(27), nullable=False),
        Column("message", Text),
        Column("start_time", String(27)),
        Column("serialized_state", Text),
        Column("token", Integer),
        Column("actor", Text),
        Column("reason", Text),
        Index(f"{name}_of_run", "run_id", "version"),
    )


flow_run_state = _history("flow_run_state", "flow_run")
task_run_state = _history("task_run_state", "task_run")

log = Table(
    "log",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    _link("flow_run_id", "flow_run", index=False),
    Column("task_run_id", String(36)),
    Column("timestamp", String(27), nullable=False),
    Column("number", BigInteger),
    Column("name", Text),
    Column("level", String(16), nullable=False),
    Column("message", Text),
    Column("info", Text),
    Index("log_of_run", "flow_run_id", "timestamp", "seq"),
)

agent_config = Table(
    "agent_config",
    metadata,
    *_base(),
    Column("name", Text, nullable=False),
    Column("settings", Text, nullable=False, default="{}"),
)

agent = Table(
    "agent",
    metadata,
    *_base(),
    Column("type", Text, nullable=False),
    Column("name", Text),
    Column("labels", Text, nullable=False, default="[]"),
    Column("core_version", Text),
    Column("last_queried", String(27)),
    Column("agent_config_id", String(36)),
    Column("pool", Text),
    Column("host", Text),
    Column("limit", Integer),
)

concurrency_limit = Table(
    "concurrency_limit",
    metadata,
    *_base(),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("limit", Integer, nullable=False),
    Column("slots_per_second", Float),
    Column("used", Float),
    Column("used_at", String(27)),
    UniqueConstraint("kind", "name"),
)

limit_slot = Table(
    "limit_slot",
    metadata,
    *_base(),
    Column("name", Text, nullable=False, index=True),
    Column("occupied", Integer, nullable=False),
    _link("flow_run_id", "flow_run"),
    Column("run_token", Integer, nullable=False),
)

key_value = Table(
    "key_value",
    metadata,
    *_base(),
    Column("key", Text, nullable=False, unique=True),
    Column("value", Text, nullable=False),
)

secret = Table(
    "secret",
    metadata,
    *_base(),
    Column("name", Text, nullable=False, unique=True),
    Column("value", Text, nullable=False),
)

task_run_artifact = Table(
    "task_run_artifact",
    metadata,
    *_base(),
    _link("task_run_id", "task_run"),
    Column("kind", String(16), nullable=False),
    Column("key", Text, index=True),
    Column("description", Text),
    Column("data", Text, nullable=False),
)

work_pool = Table(
    "work_pool",
    metadata,
    *_base(),
    Column("name", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("base_run_config", Text),
    Column("limit", Integer),
    Column("paused", Boolean, nullable=False, default=False),
    Column("description", Text),
)

work_queue = Table(
    "work_queue",
    metadata,
    *_base(),
    _link("work_pool_id", "work_pool", index=False),
    Column("name", Text, nullable=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("limit", Integer),
    UniqueConstraint("work_pool_id", "name"),
)

automation = Table(
    "automation",
    metadata,
    *_base(),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("trigger", Text, nullable=False),
    Column("actions", Text, nullable=False, default="[]"),
)

sla_breach = Table(
    "sla_breach",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    Column("created", String(27), nullable=False),
    _link("automation_id", "automation", index=False),
    Column("subject", Text, nullable=False),
    UniqueConstraint("automation_id", "subject"),
)
"""What an automation on time has fired for, so that it fires once."""

delivery = Table(
    "delivery",
    metadata,
    *_base(),
    _link("automation_id", "automation"),
    Column("action", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("status", String(16), nullable=False, default="waiting"),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt", String(27)),
    Column("answer", Text),
    Index(
        "delivery_waiting",
        "next_attempt",
        sqlite_where=text("status = 'waiting'"),
        postgresql_where=text("status = 'waiting'"),
    ),
)

message = Table(
    "message",
    metadata,
    *_base(),
    Column("title", Text, nullable=False),
    Column("text", Text),
    Column("read", Boolean, nullable=False, default=False),
)

api_key = Table(
    "api_key",
    metadata,
    *_base(),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scope", String(16), nullable=False),
    Column("expires", String(27)),
    Column("last_used", String(27)),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires", String(27), nullable=False),
)
"""Which of several servers runs a service."""

request = Table(
    "request",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created", String(27), nullable=False, index=True),
    Column("answer", Text, nullable=False),
)
"""What was answered to a request, so that the same one, sent again, has the same answer and acts once."""
