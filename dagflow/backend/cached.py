"""
Results of earlier runs that a server knows of, for tasks that may use them again.

The server keeps keys and places, never values. What cannot be found there, or cannot be read, counts as missing: a
cache never makes a run fail.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.engine.state import Cached, State
from dagflow.exceptions import ClientError
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.client.client import Client
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task

__all__ = ["EarlierRuns", "KnownKeys"]

MOST = 100
"""Earlier runs of a task that are looked at, the newest first."""
MOST_PER_CHILD = 10
"""Earlier runs of each child of a mapped task that are looked at."""


class EarlierRuns:
    """
    Finds the cached states of earlier runs of the tasks of a flow.

    Args:
        client: the way to the server.
        flow: the flow.
        task_ids: what the server calls the tasks, by slug.
        now: the server's time.
    """

    def __init__(self, client: Client, flow: Flow, task_ids: Mapping[str, str], now: datetime.datetime) -> None:
        self._client = client
        self._flow = flow
        self._task_ids = task_ids
        self._now = now

    def __call__(self, task: Task) -> list[Cached]:
        """Return what earlier runs of *task* left, newest first; nothing when the server cannot be asked."""
        if task.target is not None or task.cache_for is None:
            return []
        _warn_unless_kept(task, self._flow.result)
        is_mapped = any(edge.mapped for edge in self._flow.edges_to(task))
        asked = {
            "task_id": self._task_ids.get(self._flow.slugs[task]),
            "cache_key": task.cache_key,
            "created_after": (self._now - task.cache_for).isoformat(),
            "limit": MOST_PER_CHILD if is_mapped else MOST,
            "per_child": "true",
        }
        found = [_state_in(row) for row in _rows(self._client, asked)]
        return [one for one in found if isinstance(one, Cached) and one.context.get("result_kept", True)]


class KnownKeys:
    """
    Finds results by cache key; it may be sent to another process.

    Args:
        client: the way to the server.
    """

    def __init__(self, client: Client) -> None:
        self._client: Client | None = client
        self._address = (client.api_server, client.api_key)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_client": None}

    def find(self, key: str) -> list[State]:
        """Return the states under *key* whose values were kept, newest first."""
        if self._client is None:
            from dagflow.client.client import Client

            self._client = Client(*self._address)
        found = [_state_in(row) for row in _rows(self._client, {"cache_key": key, "limit": MOST_PER_CHILD})]
        return [one for one in found if one.context.get("result_kept", True)]


def _rows(client: Client, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        # Once: running a task again is better than waiting for a server that is away.
        answer = client._request("GET", "task_runs/cached", params=asked, retries=0)
    except ClientError as error:
        get_logger("cache").warning("Earlier results were not looked for: %s", error)
        return []
    rows: list[dict[str, Any]] = answer["items"]
    return rows


def _state_in(row: Mapping[str, Any]) -> State:
    state = State.deserialize(row["serialized_state"])
    if isinstance(state, Cached) and row["map_index"] >= 0:
        state.map_index = row["map_index"]
    return state


def _warn_unless_kept(task: Task, flow_result: Any) -> None:
    from dagflow.engine.key_cache import warn_unless_kept

    warn_unless_kept(task, flow_result)
