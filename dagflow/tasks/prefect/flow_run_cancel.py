"""A task that cancels a flow run."""

from __future__ import annotations

from typing import Any

from dagflow.core.task import Task
from dagflow.utilities.context import context
from dagflow.utilities.tasks import defaults_from_attrs

__all__ = ["CancelFlowRun"]


class CancelFlowRun(Task):
    """
    Cancel a flow run, by default the one that this task is part of.

    Args:
        flow_run_id: the run.
        **kwargs: as for :class:`~dagflow.core.task.Task`.
    """

    def __init__(self, flow_run_id: str | None = None, **kwargs: Any) -> None:
        self.flow_run_id = flow_run_id
        super().__init__(**kwargs)

    @defaults_from_attrs("flow_run_id")
    def run(self, flow_run_id: str | None = None) -> str:
        """Cancel the run and return the name of the state it is in now; `ValueError` when no run is known."""
        from dagflow.client.client import Client

        flow_run_id = flow_run_id or context.get("flow_run_id")
        if not flow_run_id:
            raise ValueError("CancelFlowRun knows no flow run: give flow_run_id, or run it in a flow under a server.")
        with Client() as client:
            return client.cancel_flow_run(flow_run_id)
