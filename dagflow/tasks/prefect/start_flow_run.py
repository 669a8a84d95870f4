"""A task that runs another flow, the way it was done before :func:`~dagflow.tasks.prefect.create_flow_run`."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from dagflow.core.task import Task
from dagflow.utilities.tasks import defaults_from_attrs

if TYPE_CHECKING:
    from dagflow.backend.flow_run import FlowRunView
    from dagflow.run_configs.base import RunConfig

__all__ = ["StartFlowRun"]

SHORTEST_POLL = datetime.timedelta(seconds=3)
_SETTINGS = (
    "flow_name", "project_name", "parameters", "run_config", "new_flow_context", "run_name", "scheduled_start_time",
)  # fmt: skip


class StartFlowRun(Task):
    """
    Run the live version of a registered flow; return the id of the run, or with *wait* take its final state.

    Args:
        flow_name: the flow.
        project_name: its project.
        parameters: values of its parameters.
        run_config: how it is started; default is the flow's.
        wait: wait for the end, and end as the run did.
        new_flow_context: keys of ``dagflow.context`` in the run.
        run_name: what the run is called.
        scheduled_start_time: when it starts; default is now.
        poll_interval: time between two looks, at least three seconds.
        **kwargs: as for :class:`~dagflow.core.task.Task`.

    Raises:
        TypeError: for a task among the *parameters*; bind tasks by ``parameters=`` when the task is called.
        ValueError: for a shorter interval.
    """

    def __init__(
        self,
        flow_name: str | None = None,
        project_name: str | None = None,
        parameters: dict[str, Any] | None = None,
        run_config: RunConfig | None = None,
        wait: bool = False,
        new_flow_context: dict[str, Any] | None = None,
        run_name: str | None = None,
        scheduled_start_time: datetime.datetime | None = None,
        poll_interval: datetime.timedelta = datetime.timedelta(seconds=10),
        **kwargs: Any,
    ) -> None:
        tasks = sorted(name for name, value in (parameters or {}).items() if isinstance(value, Task))
        if tasks:
            raise TypeError(
                f"StartFlowRun was given tasks as parameters: {', '.join(tasks)}. Their values are not known when the "
                "flow is built; pass them when the task is called: StartFlowRun(...)(parameters={...})."
            )
        if poll_interval < SHORTEST_POLL:
            raise ValueError(f"poll_interval is {poll_interval}; it must be at least {SHORTEST_POLL}.")
        self.flow_name = flow_name
        self.project_name = project_name
        self.parameters = parameters
        self.run_config = run_config
        self.wait = wait
        self.new_flow_context = new_flow_context
        self.run_name = run_name
        self.scheduled_start_time = scheduled_start_time
        self.poll_interval = poll_interval
        if flow_name:
            kwargs.setdefault("name", f"Flow {flow_name}")
        super().__init__(**kwargs)

    @defaults_from_attrs(*_SETTINGS)
    def run(
        self,
        flow_name: str | None = None,
        project_name: str | None = None,
        parameters: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
        run_config: RunConfig | None = None,
        new_flow_context: dict[str, Any] | None = None,
        run_name: str | None = None,
        scheduled_start_time: datetime.datetime | None = None,
    ) -> str | FlowRunView:
        """
        Start the run; arguments that are not given are those of the constructor.

        The idempotency key is by default the id of this task run, so that a retry does not start a second one.
        """
        from dagflow.backend.artifacts import create_link_artifact
        from dagflow.backend.flow import FlowView
        from dagflow.client.client import Client
        from dagflow.tasks.prefect.flow_run import start_child

        if not flow_name:
            raise ValueError("StartFlowRun has no flow: give StartFlowRun(flow_name='...') or run(flow_name='...').")
        if not project_name:
            raise ValueError(
                "StartFlowRun has no project: give StartFlowRun(project_name='...') or run(project_name='...')."
            )
        flow_run_id = start_child(
            FlowView.from_flow_name(flow_name, project_name, last_updated=True),
            {
                "parameters": parameters,
                "idempotency_key": idempotency_key,
                "run_config": run_config,
                "context": new_flow_context,
                "name": run_name,
                "scheduled_start_time": scheduled_start_time,
            },
        )
        create_link_artifact(Client().get_cloud_url("flow-run", flow_run_id))
        return self._waited(flow_run_id) if self.wait else flow_run_id

    def _waited(self, flow_run_id: str) -> FlowRunView:
        from dagflow.backend.flow_run import FlowRunView
        from dagflow.tasks.prefect import flow_run

        view = FlowRunView.from_flow_run_id(flow_run_id)
        while not view.state.is_finished():
            flow_run.CLOCK.sleep(self.poll_interval.total_seconds())
            view = view.get_latest()
        ending = flow_run.signal_of(view.state)
        raise ending(f"{flow_run_id} finished in state {view.state!r}", result=view.state.result)
