"""What a client does with deployments and pools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagflow.client.connection import Connection, in_path
from dagflow.exceptions import ObjectNotFoundError

__all__ = ["DEFAULT", "DeploymentCalls", "differences"]

DEFAULT = "default"
"""The deployment that every group of flows has: its own settings."""
COMPARED = (
    "parameters", "labels", "pool", "queue", "run_config", "schedule", "is_schedule_active", "tags", "overlap_policy",
    "description",
)  # fmt: skip
"""The settings of a deployment, as the server names them."""


class DeploymentCalls(Connection):
    """Deployments by name, and pools."""

    def _deployment(self, name: str) -> dict[str, Any]:
        """Return a deployment by its id, ``flow/deployment``, or ``project/flow/deployment``."""
        if "/" not in name:
            answer: dict[str, Any] = self.get(f"deployments/{in_path(name)}")
            return answer
        *project, flow_name, own = name.split("/")
        params = {"flow_name": flow_name, "name": own, "project_name": "/".join(project) or None}
        found = list(self._items("deployments", params))
        if len(found) == 1:
            return found[0]
        if found:
            projects = ", ".join(sorted(str(one["project_name"]) for one in found))
            raise ValueError(f"There are deployments {name!r} in several projects: {projects}. Use project/{name}.")
        raise ObjectNotFoundError(f"There is no deployment {name!r}. List them with `dagflow deployment ls`.")

    def _upsert_deployment(self, flow_group_id: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Let a deployment have these settings; that of the group itself is changed piece by piece."""
        if name == DEFAULT:
            return self._change_default(flow_group_id, settings)
        body = {key: value for key, value in settings.items() if key != "overlap_policy" or value is not None}
        answer: dict[str, Any] = self.post("deployments", {"flow_group_id": flow_group_id, "name": name, **body})
        return answer

    def _change_default(self, flow_group_id: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        if settings.get("pool"):
            raise ValueError(
                f"The deployment {DEFAULT!r} is the flow itself and has no pool. Give the deployment a name of its own."
            )
        before = self.get(f"deployments/{in_path(flow_group_id)}")
        changed = differences(settings, before)
        group = f"flow_groups/{in_path(flow_group_id)}"
        for name in changed:
            if name in ("labels", "parameters", "run_config", "schedule"):
                self.post(f"{group}/{name}", {name: settings[name]})
        described = {name: settings[name] for name in ("tags", "description") if name in changed}
        if described:
            self._request("PATCH", group, body=described)
        if "overlap_policy" in changed:
            self.post(f"{group}/settings", {"overlap_policy": settings["overlap_policy"]})
        # A schedule that was just set is followed as the flow was before; what is wanted is said again.
        if {"schedule", "is_schedule_active"} & set(changed) and before.get("flow_id"):
            self._follow(before["flow_id"], bool(settings.get("is_schedule_active")))
        return {"id": flow_group_id, "created": False, "changed": changed}

    def _follow(self, flow_id: str, active: bool) -> None:
        self.post(f"flows/{in_path(flow_id)}/schedule_active", {"active": active})

    def _set_deployment_active(self, deployment: Mapping[str, Any], active: bool) -> None:
        """Follow the schedule of a deployment, or do not."""
        if deployment["id"] == deployment["flow_group_id"]:
            self._follow(deployment["flow_id"], active)
        else:
            self._request("PATCH", f"deployments/{deployment['id']}", body={"is_schedule_active": active})

    def _pools(self) -> Iterator[dict[str, Any]]:
        return self._items("work_pools")


def differences(wanted: Mapping[str, Any], existing: Mapping[str, Any]) -> list[str]:
    """
    Return the names of the settings in which a deployment on the server is not as *wanted*.

    >>> differences({"pool": "big", "tags": []}, {"pool": None, "tags": None, "id": "7"})
    ['pool']
    """
    return [name for name in COMPARED if name in wanted and _told(wanted[name]) != _told(existing.get(name))]


def _told(value: Any) -> Any:
    """Return what of a setting counts: the day on which the server set a schedule does not."""
    if isinstance(value, Mapping) and "clocks" in value:
        clocks = [
            {**clock, "start_date": (clock.get("start_date") or {}).get("tz")} for clock in value["clocks"] or ()
        ]
        return {**value, "clocks": clocks}
    return value or None
