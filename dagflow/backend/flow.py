"""What a server knows of a flow, as it was when it was asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dagflow.backend._ask import asked, asked_list, only
from dagflow.client.connection import in_path
from dagflow.exceptions import near_match

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagflow.core.flow import Flow
    from dagflow.run_configs.base import RunConfig
    from dagflow.storage.base import Storage

__all__ = ["FlowView"]


@dataclass(frozen=True, repr=False)
class FlowView:
    """
    A registered version of a flow.

    Make one with :meth:`from_flow_id`, :meth:`from_flow_group_id`, :meth:`from_id` or :meth:`from_flow_name`. All of
    them raise ``ValueError``, with the question that was asked, when there is not exactly one such flow.

    Attributes:
        flow_id: of this version.
        settings: of the group of versions.
        run_config: how runs are started.
        serialized_flow: the metadata that was registered.
        archived: whether it may no longer be run.
        project_name: where it belongs.
        core_version: the version of dagflow that registered it.
        storage: where the code is.
        name: of the flow.
        flow_group_labels: labels that win over those of the flow, ``None`` when there are none.
        flow_group_id: the group of versions.
        version: counted from 1 in the group.
    """

    flow_id: str
    settings: dict[str, Any]
    run_config: RunConfig | None
    serialized_flow: dict[str, Any]
    archived: bool
    project_name: str | None
    core_version: str
    storage: Storage | None
    name: str
    flow_group_labels: list[str] | None = None
    flow_group_id: str = ""
    version: int = 0

    @cached_property
    def flow(self) -> Flow:
        """The graph: names, settings and edges, with tasks that do nothing."""
        from dagflow.serialization.flow import deserialize_flow

        return deserialize_flow(self.serialized_flow)

    @classmethod
    def from_flow_id(cls, flow_id: str) -> FlowView:
        """Return the version with this id."""
        return cls._of(asked(f"flows/{in_path(_text(flow_id, 'flow_id'))}"))

    @classmethod
    def from_flow_group_id(cls, flow_group_id: str) -> FlowView:
        """Return the newest version of a group."""
        path = f"flow_groups/{in_path(_text(flow_group_id, 'flow_group_id'))}"
        group = asked(path)
        if group.get("flow_id"):
            return cls.from_flow_id(group["flow_id"])
        newest = asked_list("flows", flow_group_id=group["id"], latest=True, limit=1)
        return cls.from_flow_id(only(newest, "flows", flow_group_id=group["id"])["id"])

    @classmethod
    def from_id(cls, flow_or_group_id: str) -> FlowView:
        """Return the version with this id, else the newest of the group with it."""
        _text(flow_or_group_id, "flow_or_group_id")
        try:
            return cls.from_flow_id(flow_or_group_id)
        except ValueError:
            return cls.from_flow_group_id(flow_or_group_id)

    @classmethod
    def from_flow_name(cls, flow_name: str, project_name: str | None = "", last_updated: bool = False) -> FlowView:
        """
        Return the live version of a flow by its name.

        Args:
            flow_name: the name.
            project_name: where to look; ``""`` is everywhere.
            last_updated: of several take the one that was registered last.
        """
        params: dict[str, Any] = {"name": _text(flow_name, "flow_name"), "archived": False}
        if project_name:
            params["project_name"] = project_name
        # Every flow of a server is in a project, so without one there is none.
        found = [] if project_name is None else asked_list("flows", **params)
        if not found:
            raise ValueError(
                f"Expected a live flow {flow_name!r}, found 0.{_elsewhere(flow_name)} List flows with `dagflow get "
                f"flows`. The question was: GET flows {params}"
            )
        if len(found) > 1 and not last_updated:
            places = ", ".join(sorted(repr(one["project_name"]) for one in found))
            raise ValueError(
                f"There are {len(found)} flows named {flow_name!r}, in the projects {places}. Say which by "
                f"project_name, or take the newest with last_updated=True. The question was: GET flows {params}"
            )
        newest = sorted(found, key=lambda one: str(one["created"]), reverse=True)[:1]
        return cls.from_flow_id(only(newest, "flows", **params)["id"])

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> FlowView:
        from dagflow.serialization.run_config import deserialize_run_config
        from dagflow.serialization.storage import deserialize_storage

        serialized = record.get("serialized_flow") or {}
        group = asked(f"flow_groups/{in_path(record['flow_group_id'])}")
        return cls(
            flow_id=record["id"],
            settings=dict(group.get("settings") or {}),
            run_config=deserialize_run_config(record["run_config"]) if record.get("run_config") else None,
            serialized_flow=serialized,
            archived=bool(record["archived"]),
            project_name=record.get("project_name"),
            core_version=record.get("core_version") or "",
            storage=deserialize_storage(record["storage"]) if record.get("storage") else None,
            name=record["name"],
            flow_group_labels=group.get("labels"),
            flow_group_id=record["flow_group_id"],
            version=record["version"],
        )

    def __repr__(self) -> str:
        return (
            f"FlowView(flow_id={self.flow_id!r}, name={self.name!r}, project_name={self.project_name!r}, "
            f"storage_type={type(self.storage).__name__ if self.storage else None})"
        )


def _elsewhere(flow_name: str) -> str:
    """Say in which projects a flow is that was not found where it was looked for, or which name is near."""
    known = asked_list("flows", archived=False)
    projects = ", ".join(sorted(repr(one["project_name"]) for one in known if one["name"] == flow_name))
    return f" There is one in {projects}." if projects else near_match(flow_name, [one["name"] for one in known])


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, found {value!r} of type {type(value).__name__}.")
    return value
