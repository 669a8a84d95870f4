"""Limits on task runs with a tag: how many of their slots are used, as of within a batch of states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.orchestration.rules import TaskRunNow, Wanted, full_tags, tags_in
from dagflow.server.text import loaded

__all__ = ["TagSlots"]

_LIMIT, _RUN, _TASK = tables.concurrency_limit, tables.task_run, tables.task
# Locked, so that of two servers on one PostgreSQL the second counts what the first lets run.
_LIMITS = (
    select(_LIMIT.c.name, _LIMIT.c.limit)
    .where(_LIMIT.c.kind == "task_tag")
    .order_by(_LIMIT.c.name)
    .with_for_update()
)
_RUNNING = select(_RUN.c.id, _RUN.c.tags).where(_RUN.c.state == "Running", _RUN.c.tags.is_not(None))
_REGISTERED_TAGS = select(_TASK.c.tags).where(_TASK.c.id == bindparam("task_id"))


class TagSlots:
    """
    The slots of all tags that have a limit; read once, counted on from there.

    Args:
        tx: the transaction.
        changed: runs whose states the database does not have yet.
        read: task runs that the batch has read.
    """

    def __init__(self, tx: Tx, changed: Mapping[str, Any], read: Mapping[str, TaskRunNow]) -> None:
        self.tx = tx
        self._limits: dict[str, int] = {row.name: row.limit for row in tx.execute(_LIMITS)}
        self._used: dict[str, int] = {}
        if not self._limits:
            return
        for id, tags in tx.execute(_RUNNING):
            if id not in read or id not in changed:
                self._add(tags, 1)
        for run in changed.values():
            if isinstance(run, TaskRunNow) and run.state == "Running":
                self._add(run.tags, 1)

    def full(self, run: TaskRunNow, wanted: Wanted) -> list[str]:
        """Return the tags that keep *run* from running now; *wanted* learns the tags it runs with."""
        if not self._limits:
            return []
        tags = self._tags_of(run, wanted)
        if run.state == "Running":
            return []
        return full_tags(tags, self._limits, self._used)

    def count(self, run: TaskRunNow, wanted: Wanted) -> None:
        """Count that *run* is about to enter the state wanted."""
        if not self._limits:
            return
        if run.state == "Running":
            self._add(run.tags, -1)
        if wanted.kind == "Running":
            self._add("\n".join(tags_in(wanted.document) or ()), 1)

    def _tags_of(self, run: TaskRunNow, wanted: Wanted) -> set[str]:
        tags = tags_in(wanted.document)
        if tags is None:
            tags = loaded(self.tx.execute(_REGISTERED_TAGS, {"task_id": run.task_id}).scalar(), [])
            context = wanted.document.get("context")
            wanted.document = wanted.document | {
                "context": {**(context if isinstance(context, dict) else {}), "tags": tags}
            }
        return set(tags)

    def _add(self, tags: str | None, number: int) -> None:
        for tag in (tags or "").split("\n"):
            if tag:
                self._used[tag] = self._used.get(tag, 0) + number
