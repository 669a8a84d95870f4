"""A task that renames a flow run."""

from __future__ import annotations

from typing import Any

from dagflow.core.task import Task
from dagflow.utilities.context import context
from dagflow.utilities.tasks import defaults_from_attrs

__all__ = ["RenameFlowRun"]


class RenameFlowRun(Task):
    """
    Rename a flow run, by default the one that this task is part of.

    Args:
        flow_run_id: the run.
        flow_run_name: its new name.
        **kwargs: as for :class:`~dagflow.core.task.Task`.
    """

    def __init__(self, flow_run_id: str | None = None, flow_run_name: str | None = None, **kwargs: Any) -> None:
        self.flow_run_id = flow_run_id
        self.flow_run_name = flow_run_name
        super().__init__(**kwargs)

    @defaults_from_attrs("flow_run_id", "flow_run_name")
    def run(self, flow_run_id: str | None = None, flow_run_name: str | None = None) -> bool:
        """Rename the run; `ValueError` when no run is known, or no name."""
        from dagflow.client.client import Client

        flow_run_id = flow_run_id or context.get("flow_run_id")
        if not flow_run_id:
            raise ValueError("RenameFlowRun knows no flow run: give flow_run_id, or run it in a flow under a server.")
        if not flow_run_name:
            raise ValueError("RenameFlowRun has no name: give flow_run_name.")
        with Client() as client:
            return client.set_flow_run_name(flow_run_id, flow_run_name)
