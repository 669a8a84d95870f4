"""What a client does with agents, limits, secrets and artifacts."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import Any

from dagflow._version import __version__
from dagflow.client.connection import Connection, in_path
from dagflow.exceptions import ClientError, ObjectNotFoundError

__all__ = ["LibraryCalls"]

TASK_TAG, FLOW_LABEL, NAMED = "task_tag", "flow_label", "named"


class LibraryCalls(Connection):
    """Agents, limits, secrets and artifacts."""

    # --- agents ----------------------------------------------------------------------------------------------

    def register_agent(
        self,
        agent_type: str,
        name: str | None = None,
        labels: Iterable[str] | None = None,
        agent_config_id: str | None = None,
        **more: Any,
    ) -> str:
        """Make an agent known and return its id; *more* are further fields of its record."""
        body = {
            "type": agent_type,
            "name": name,
            "labels": sorted(set(labels or ())),
            "agent_config_id": agent_config_id,
            "core_version": __version__,
            "host": socket.gethostname(),
            **more,
        }
        return str(self.post("agents", body)["id"])

    def get_agent_config(self, agent_config_id: str) -> dict[str, Any]:
        """Return the settings of an agent config."""
        record = self.get(f"agent_configs/{in_path(agent_config_id)}")
        return dict(record.get("settings") or {})

    # --- limits ----------------------------------------------------------------------------------------------

    def get_task_tag_limit(self, tag: str) -> int | None:
        """Return how many task runs with *tag* may run at once; ``None`` is no limit."""
        return self._limit(TASK_TAG, tag)

    def update_task_tag_limit(self, tag: str, limit: int) -> str:
        """
        Let at most *limit* task runs with *tag* run at once, and return the limit's id.

        Raises:
            ValueError: for a negative limit.
        """
        return self._set_limit(TASK_TAG, tag, limit)

    def delete_task_tag_limit(self, limit_id: str) -> bool:
        """Remove a limit by its id."""
        return self._delete_limit(limit_id)

    def get_flow_label_limit(self, label: str) -> int | None:
        """Return how many flow runs with *label* may run at once; ``None`` is no limit."""
        return self._limit(FLOW_LABEL, label)

    def update_flow_label_limit(self, label: str, limit: int) -> str:
        """
        Let at most *limit* flow runs with *label* run at once, and return the limit's id.

        Raises:
            ValueError: for a negative limit.
        """
        return self._set_limit(FLOW_LABEL, label, limit)

    def delete_flow_label_limit(self, limit_id: str) -> bool:
        """Remove a limit by its id."""
        return self._delete_limit(limit_id)

    def get_named_limit(self, name: str) -> int | None:
        """Return how many slots there are for :func:`dagflow.concurrency.concurrency`; ``None`` is no limit."""
        return self._limit(NAMED, name)

    def update_named_limit(self, name: str, limit: int, slots_per_second: float | None = None) -> str:
        """
        Let tasks have at most *limit* slots under *name*, and return the limit's id.

        Args:
            name: what tasks call it.
            limit: how many slots there are.
            slots_per_second: how many come back each second, for :func:`dagflow.concurrency.rate_limit`; without it
                they come back when tasks leave their block.

        Raises:
            ValueError: for a negative limit, or a rate that is not above 0.
        """
        return self._set_limit(NAMED, name, limit, slots_per_second)

    def delete_named_limit(self, limit_id: str) -> bool:
        """Remove a limit by its id."""
        return self._delete_limit(limit_id)

    def _limit(self, kind: str, name: str) -> int | None:
        try:
            return int(self.get(f"limits/{kind}/{in_path(name)}")["limit"])
        except ObjectNotFoundError:
            return None

    def _set_limit(self, kind: str, name: str, limit: int, slots_per_second: float | None = None) -> str:
        if limit < 0:
            raise ValueError(f"A limit cannot be negative, found {limit}; 0 lets nothing run.")
        body = {"kind": kind, "name": name, "limit": limit}
        if slots_per_second is not None:
            body["slots_per_second"] = slots_per_second
        return str(self.post("limits", body)["id"])

    def _delete_limit(self, limit_id: str) -> bool:
        try:
            self.delete(f"limits/{in_path(limit_id)}")
        except ObjectNotFoundError:
            return False
        return True

    # --- secrets ---------------------------------------------------------------------------------------------

    def set_secret(self, name: str, value: Any) -> None:
        """
        Keep a secret on the server, which encrypts it.

        Raises:
            ValueError: when the server refuses, as one without a key for encryption does.
        """
        try:
            self.post("secrets", {"name": name, "value": value})
        except ClientError as error:
            if error.status is None:
                raise
            raise ValueError(f"The secret {name!r} was not kept: {error}") from error

    # --- artifacts -------------------------------------------------------------------------------------------

    def create_task_run_artifact(
        self, task_run_id: str, kind: str, data: Mapping[str, Any], tenant_id: str | None = None, **more: Any
    ) -> str:
        """
        Put an artifact on the page of a task run and return its id; *more* are ``key`` and ``description``.

        Raises:
            ValueError: without a task run.
        """
        if not task_run_id:
            raise ValueError("An artifact belongs to a task run: give its id.")
        named = {name: value for name, value in more.items() if value is not None}
        body = {"task_run_id": task_run_id, "kind": kind, "data": dict(data), **named}
        return str(self.post("artifacts", body)["id"])

    def update_task_run_artifact(self, task_run_artifact_id: str, data: Mapping[str, Any]) -> None:
        """
        Replace the content of an artifact.

        Raises:
            ValueError: without an id.
        """
        path = f"artifacts/{in_path(_artifact(task_run_artifact_id))}"
        self._request("PATCH", path, body={"data": dict(data)})

    def delete_task_run_artifact(self, task_run_artifact_id: str) -> None:
        """
        Delete an artifact.

        Raises:
            ValueError: without an id.
        """
        self.delete(f"artifacts/{in_path(_artifact(task_run_artifact_id))}")


def _artifact(artifact_id: str | None) -> str:
    if not artifact_id:
        raise ValueError("Which artifact? Its id is missing; it is what making it returned.")
    return artifact_id
