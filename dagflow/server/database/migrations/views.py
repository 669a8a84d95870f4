"""The views that people may rely on; tables may change, these do not."""

from __future__ import annotations

from sqlalchemy import Connection

__all__ = ["create_views", "drop_views"]

_SECONDS = {
    "sqlite": "ROUND((julianday({end}) - julianday({start})) * 86400.0, 3)",
    "postgresql": "ROUND(EXTRACT(EPOCH FROM (CAST({end} AS timestamptz) - CAST({start} AS timestamptz))), 3)",
}

_VIEWS = {
    "v_flow_run": """
        SELECT run.id, run.name, project.name AS project, flow.name AS flow, flow.version AS flow_version, run.state,
               run.state_message, run.scheduled_start_time, run.start_time, run.end_time, {duration} AS seconds,
               run.labels, run.parameters, run.late, run.times_resurrected
        FROM flow_run AS run
        JOIN flow ON flow.id = run.flow_id
        JOIN project ON project.id = flow.project_id
    """,
    "v_task_run": """
        SELECT run.id, run.flow_run_id, flow_run.name AS flow_run, flow.name AS flow, task.slug AS task, run.map_index,
               run.state, run.state_message, run.start_time, run.end_time, {duration} AS seconds, run.run_count,
               run.state_result AS result_location
        FROM task_run AS run
        JOIN flow_run ON flow_run.id = run.flow_run_id
        JOIN flow ON flow.id = flow_run.flow_id
        JOIN task ON task.id = run.task_id
    """,
}


def create_views(connection: Connection) -> None:
    """Make the views ``v_flow_run`` and ``v_task_run``."""
    seconds = _SECONDS[connection.dialect.name].format(start="run.start_time", end="run.end_time")
    for name, query in _VIEWS.items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query.format(duration=seconds)}")


def drop_views(connection: Connection) -> None:
    """Take the views away."""
    for name in _VIEWS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
