"""What a client does with projects, flows and groups of their versions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.client.connection import Connection, in_path
from dagflow.exceptions import ClientError, ObjectNotFoundError

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["FlowCalls"]


class FlowCalls(Connection):
    """Projects, registration, archive, schedules and the settings of groups."""

    # --- projects --------------------------------------------------------------------------------------------

    def create_project(self, project_name: str, project_description: str | None = None) -> str:
        """Make a project and return its id; that of the existing one when there is one of this name."""
        answer = self.post("projects", {"name": project_name, "description": project_description})
        return str(answer["id"])

    def delete_project(self, project_name: str) -> bool:
        """
        Delete a project with its flows and their runs.

        Raises:
            TypeError: without a name.
            ValueError: when there is no such project.
        """
        if project_name is None:
            raise TypeError("delete_project needs the name of a project, found None.")
        return bool(self.delete(f"projects/{self._project_id(project_name)}")["deleted"])

    def _project_id(self, project_name: str) -> str:
        for project in self._items("projects", {"name": project_name}):
            if project["name"] == project_name:
                return str(project["id"])
        raise ValueError(
            f"Project {project_name!r} does not exist. Make it with `dagflow create project {project_name!r}`."
        )

    # --- registration ----------------------------------------------------------------------------------------

    def register(
        self,
        flow: Flow,
        project_name: str | None = None,
        build: bool = True,
        set_schedule_active: bool | None = True,
        version_group_id: str | None = None,
        compressed: bool = True,
        no_url: bool = False,
        idempotency_key: str | None = None,
    ) -> str:
        """
        Send the metadata of *flow* and return the id of its version.

        Args:
            flow: the flow.
            project_name: the project it belongs to.
            build: bring the flow to its storage first.
            set_schedule_active: follow the schedule, or not; ``None`` leaves it as it is for the group.
            version_group_id: the group of versions it belongs to; default is that of its name in the project.
            compressed: accepted for older scripts; what is large is always packed.
            no_url: print nothing.
            idempotency_key: registering again with the key of the live version changes nothing.

        Raises:
            TypeError: without a project.
            ValueError: for a project that does not exist, and a flow that cannot be read back.
            ClientError: for a schedule whose runs would lack a parameter, and when the server refuses.
        """
        answer = self._register(flow, project_name, build, set_schedule_active, version_group_id, idempotency_key)
        if not no_url:
            labels = sorted(flow.run_config.labels) if flow.run_config is not None else []
            print(f"Flow URL: {self.get_cloud_url('flow', answer['flow_group_id'])}")
            print(f" └── ID: {answer['id']}\n └── Project: {project_name}\n └── Labels: {labels}")
        return str(answer["id"])

    def _register(
        self,
        flow: Flow,
        project_name: str | None,
        build: bool = True,
        set_schedule_active: bool | None = True,
        version_group_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Return the whole answer to a registration."""
        if project_name is None:
            raise TypeError(f"Flow {flow.name!r} needs a project: flow.register(project_name='...').")
        check_schedule(flow)
        # First, so that nothing is built for a server or a project that is not there.
        project_id = self._project_id(project_name)
        warn_about_restart(flow)
        # Before the build: the location of a pickle holds the time, so a hash made after it never repeats.
        before = flow.serialized_hash()
        document = flow.serialize(build=build)
        check_document(document, flow.name)
        answer: dict[str, Any] = self.post(
            "flows/register",
            {
                "flow": document,
                "project_id": project_id,
                "set_schedule_active": set_schedule_active,
                "version_group_id": version_group_id,
                "idempotency_key": idempotency_key,
                "serialized_hash": before,
            },
        )
        if answer.get("schedule_problem"):
            warnings.warn(f"Flow {flow.name!r} will not be scheduled: {answer['schedule_problem']}", stacklevel=3)
        return answer

    # --- flows -----------------------------------------------------------------------------------------------

    def archive_flow(self, flow_id: str) -> bool:
        """Archive a version: it is neither scheduled nor run any more. ``False`` when there is no such version."""
        return self._answered(f"flows/{in_path(flow_id)}/archive")

    def unarchive_flow(self, flow_id: str) -> bool:
        """Take a version out of the archive; ``False`` when there is no such version."""
        return self._answered(f"flows/{in_path(flow_id)}/unarchive")

    def _answered(self, path: str) -> bool:
        try:
            self.post(path)
        except ObjectNotFoundError:
            return False
        return True

    def delete_flow(self, flow_id: str) -> bool:
        """Delete a version with its runs."""
        return bool(self.delete(f"flows/{in_path(flow_id)}")["deleted"])

    def set_schedule_active(self, flow_id: str) -> bool:
        """Follow the schedule of a flow; ``False`` when it has none."""
        return bool(self.post(f"flows/{in_path(flow_id)}/schedule_active", {"active": True})["active"])

    def set_schedule_inactive(self, flow_id: str) -> bool:
        """Stop following the schedule of a flow; its scheduled runs go."""
        self.post(f"flows/{in_path(flow_id)}/schedule_active", {"active": False})
        return True

    # --- groups ----------------------------------------------------------------------------------------------

    def set_flow_group_schedule(self, flow_group_id: str, schedule: Any, timezone: str | None = None) -> None:
        """Let *schedule* win over the schedules of the group's versions; ``None`` takes that back."""
        from dagflow.serialization.schedule import serialize_schedule

        document = schedule if schedule is None or isinstance(schedule, Mapping) else serialize_schedule(schedule)
        self._set_in_group(flow_group_id, "schedule", {"schedule": document, "timezone": timezone})

    def set_flow_group_labels(self, flow_group_id: str, labels: Iterable[str] | None) -> None:
        """Let *labels* win over those of the flow; ``None`` takes that back."""
        self._set_in_group(flow_group_id, "labels", {"labels": None if labels is None else sorted(labels)})

    def set_flow_group_default_parameters(self, flow_group_id: str, parameters: Mapping[str, Any]) -> None:
        """Set parameters that win over the flow's own defaults."""
        self._set_in_group(flow_group_id, "parameters", {"parameters": dict(parameters)})

    def set_flow_group_run_config(self, flow_group_id: str, run_config: Any) -> None:
        """Let *run_config* win over that of the flow; ``None`` takes that back."""
        document = run_config.serialize() if hasattr(run_config, "serialize") else run_config
        self._set_in_group(flow_group_id, "run_config", {"run_config": document})

    def set_flow_group_settings(self, flow_group_id: str, **settings: Any) -> None:
        """Change settings of the group, such as ``heartbeat_enabled=False``."""
        self._set_in_group(flow_group_id, "settings", settings)

    def set_flow_group_description(self, flow_group_id: str, description: str | None) -> None:
        """Describe the group."""
        self._request("PATCH", f"flow_groups/{in_path(flow_group_id)}", body={"description": description})

    def _set_in_group(self, flow_group_id: str, what: str, body: dict[str, Any]) -> None:
        self.post(f"flow_groups/{in_path(flow_group_id)}/{what}", body)


# --- what is checked before anything is sent --------------------------------------------------------------------


def check_schedule(flow: Flow) -> None:
    """
    Refuse a schedule whose runs would lack a required parameter.

    Raises:
        ClientError: naming the parameters.
    """
    if flow.schedule is None:
        return
    required = {one.name for one in flow.parameters() if one.required}
    lacking = sorted(
        {name for name in required for clock in flow.schedule.clocks if name not in (clock.parameter_defaults or {})}
    )
    if lacking:
        raise ClientError(
            f"Flow {flow.name!r} has a schedule, but its runs would lack the required parameters {', '.join(lacking)}. "
            "Give each clock parameter_defaults with them, or give the parameters defaults."
        )


def warn_about_restart(flow: Flow) -> None:
    """Warn when a failed run could not be restarted in the middle, because no result of a task is kept."""
    if flow.result is not None or not any(edge.key is not None for edge in flow.edges):
        return
    if all(edge.upstream_task.result is not None for edge in flow.edges if edge.key is not None):
        return
    warnings.warn(
        f"Flow {flow.name!r} hands values from task to task but keeps no results, so a failed run cannot be taken up "
        "where it failed. Give the flow a result, such as flow.result = LocalResult(), or a storage that has one.",
        stacklevel=4,
    )


def check_document(document: Mapping[str, Any], name: str) -> None:
    """
    Refuse a flow whose metadata could not be read back.

    Raises:
        ValueError: naming each fault.
    """
    from dagflow.serialization.common import checked
    from dagflow.serialization.models import FlowDocument

    try:
        checked(FlowDocument, document, "flow")
    except ValueError as error:
        raise ValueError(f"Flow {name!r} cannot be registered, because it could not be read back: {error}") from error
