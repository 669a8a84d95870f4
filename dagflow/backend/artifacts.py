"""
Links, texts, tables and progress that a task run leaves on its page of the user interface.

Call these inside a task. Outside a run under a server they do nothing and return ``None``, so a flow runs as well
without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagflow.client.client import Client
from dagflow.utilities.context import context

__all__ = [
    "create_link_artifact",
    "create_markdown_artifact",
    "create_progress_artifact",
    "create_table_artifact",
    "delete_artifact",
    "update_link_artifact",
    "update_markdown_artifact",
    "update_progress_artifact",
    "update_table_artifact",
]

Rows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]


def create_link_artifact(link: str, key: str | None = None, description: str | None = None) -> str | None:
    """Put a link on the page and return the artifact's id; artifacts of one *key* make a history."""
    return _create("link", {"link": link}, key, description)


def update_link_artifact(task_run_artifact_id: str | None, link: str) -> None:
    """Replace a link."""
    _update(task_run_artifact_id, {"link": link})


def create_markdown_artifact(markdown: str, key: str | None = None, description: str | None = None) -> str | None:
    """Put a text in Markdown on the page and return the artifact's id."""
    return _create("markdown", {"markdown": markdown}, key, description)


def update_markdown_artifact(task_run_artifact_id: str | None, markdown: str) -> None:
    """Replace a text."""
    _update(task_run_artifact_id, {"markdown": markdown})


def create_table_artifact(rows: Rows, key: str | None = None, description: str | None = None) -> str | None:
    """
    Put a table on the page and return the artifact's id.

    Args:
        rows: a list of dicts, one for each row, or a dict of lists, one for each column.
        key: tables of one key make a history.
        description: what the table shows.
    """
    return _create("table", _table(rows), key, description)


def update_table_artifact(task_run_artifact_id: str | None, rows: Rows) -> None:
    """Replace a table."""
    _update(task_run_artifact_id, _table(rows))


def create_progress_artifact(progress: float, key: str | None = None, description: str | None = None) -> str | None:
    """Show how far the task is, from 0 to 100, and return the artifact's id."""
    return _create("progress", {"progress": _percent(progress)}, key, description)


def update_progress_artifact(task_run_artifact_id: str | None, progress: float) -> None:
    """Move a progress, from 0 to 100."""
    _update(task_run_artifact_id, {"progress": _percent(progress)})


def delete_artifact(task_run_artifact_id: str | None) -> None:
    """Remove an artifact."""
    if not _is_under_server():
        return
    with Client() as client:
        client.delete_task_run_artifact(task_run_artifact_id or "")


def _is_under_server() -> bool:
    return bool(context.get("running_with_backend") and context.get("task_run_id"))


def _create(kind: str, data: dict[str, Any], key: str | None, description: str | None) -> str | None:
    if not _is_under_server():
        return None
    with Client() as client:
        task_run_id = str(context.get("task_run_id"))
        return client.create_task_run_artifact(task_run_id, kind, data, key=key, description=description)


def _update(task_run_artifact_id: str | None, data: dict[str, Any]) -> None:
    if not _is_under_server():
        return
    with Client() as client:
        client.update_task_run_artifact(task_run_artifact_id or "", data)


def _table(rows: Rows) -> dict[str, Any]:
    from dagflow.serialization.common import json_ready

    if isinstance(rows, Mapping):
        columns = [str(name) for name in rows]
        return {"columns": columns, "rows": [list(row) for row in zip(*map(json_ready, rows.values()), strict=True)]}
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    return {"columns": names, "rows": [[json_ready(row.get(name)) for name in names] for row in rows]}


def _percent(progress: float) -> float:
    if isinstance(progress, bool) or not 0 <= progress <= 100:
        raise ValueError(f"Progress is a number from 0 to 100, found {progress!r}.")
    return float(progress)
