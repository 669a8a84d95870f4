"""
Recording runs that happen here, by ``flow.run(track=True)``: the server is told of them, and nothing else changes.

The flow's metadata go to the project ``local``, its code nowhere, so nobody else can run it: an interrupted run is not
taken up again. When there is no server the run goes on without a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.backend.runner import BackendFlowRunner
from dagflow.client.client import Client
from dagflow.engine.state import State
from dagflow.exceptions import AuthorizationError, ServerUnreachableError
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task

__all__ = ["PROJECT", "TrackedFlowRunner", "tracked"]

PROJECT = "local"
"""The project of flows that are run where they are written."""


class TrackedFlowRunner(BackendFlowRunner):
    """Runs a flow here and records it as a run that belongs to no agent; each date of a schedule is one of its own."""

    flow_id = ""
    hands_back = False
    _run_id: str | None = None

    def run(  # type: ignore[override]
        self,
        state: State | None = None,
        task_states: Mapping[Task, State] | None = None,
        parameters: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> State:
        """Run the flow; a run that is tried again stays the same run."""
        assert self.client is not None
        if self._run_id is None:
            self._run_id = self._created(dict(parameters or {}), dict(context or {}))
        self.begun = self.client.post(f"flow_runs/{self._run_id}/begin", {})
        final = super().run(task_states=task_states, parameters=parameters, context=context, **options)
        if final.is_finished():
            self._run_id = None
        return final

    def _created(self, parameters: dict[str, Any], given: dict[str, Any]) -> str:
        """Create the run that is recorded, and return its id."""
        assert self.client is not None
        wanted = {
            "flow_id": self.flow_id,
            "parameters": {**(given.get("parameters") or {}), **parameters},
            "name": given.get("flow_run_name"),
            "agentless": True,
        }
        run: dict[str, Any] = self.client.post("flow_runs", {k: v for k, v in wanted.items() if v is not None})
        get_logger("Flow").info("The run is recorded: %s", self.client.get_cloud_url("flow-run", run["id"]))
        return str(run["id"])


def tracked(flow: Flow, runner_cls: type | None = None) -> type | None:
    """
    Return the class that runs *flow* and records it; *runner_cls* when there is no server to record it.

    Raises:
        ValueError: for another runner, which would not be told to whom its states go.
    """
    if runner_cls is not None:
        raise ValueError(
            f"flow.run() takes track=True or runner_cls, found both with {runner_cls.__name__}. Leave out one of them."
        )
    client = Client()
    try:
        # Asked once only: somebody waits for the run, and it does not need a server.
        client._request("GET", "health", retries=0)
        client.create_project(PROJECT)
        digest = flow.serialized_hash()
        # The dates of its schedule are kept here: the server is to plan no runs that nobody could execute.
        body = {"flow": flow.serialize(), "project_name": PROJECT, "idempotency_key": digest}
        known = client.post("flows/register", {**body, "set_schedule_active": False})["id"]
    except (ServerUnreachableError, AuthorizationError) as error:
        client.close()
        get_logger("Flow").warning("The run is not recorded: %s", error)
        return None
    return type("TrackedFlowRunner", (TrackedFlowRunner,), {"client": client, "flow_id": known})
