"""
Runs of other flows as tasks: make one, wait for it, take what one of its tasks returned.

A child is made once: its idempotency key is the id of the task run that makes it, so a retry finds the first one.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagflow.client.client import Client
from dagflow.core.parameter import Parameter
from dagflow.core.returned import exchanged
from dagflow.engine.clock import Clock
from dagflow.engine.signals import FAIL, SUCCESS, PrefectStateSignal, signal_from_state
from dagflow.utilities.context import context
from dagflow.utilities.logging import get_logger
from dagflow.utilities.tasks import task

if TYPE_CHECKING:
    from dagflow.backend.flow import FlowView
    from dagflow.backend.flow_run import FlowRunView
    from dagflow.core.task import Task
    from dagflow.core.traced import TracedFlow
    from dagflow.engine.state import State
    from dagflow.run_configs.base import RunConfig

__all__ = ["create_flow_run", "get_task_run_result", "run_deployment", "signal_of", "start_child", "wait_for_flow_run"]

POLL_SECONDS = 5.0
REQUESTS = "flow_runs_asked_for"
"""Where the context of a task run counts the runs that it asked for."""
CLOCK = Clock()


@task
def create_flow_run(
    flow_id: str | None = None,
    flow_name: str | None = None,
    project_name: str = "",
    parameters: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    labels: Iterable[str] | None = None,
    run_name: str | None = None,
    run_config: RunConfig | None = None,
    scheduled_start_time: datetime.datetime | datetime.timedelta | None = None,
    idempotency_key: str | None = None,
) -> str:
    """
    Make a run of a registered flow and return its id.

    Args:
        flow_id: of a version, or of a group, whose live version is run then.
        flow_name: of the flow, instead of *flow_id*.
        project_name: where to look for the name; ``""`` is everywhere.
        parameters: values of parameters.
        context: keys of ``dagflow.context`` in the run.
        labels: what an agent must have; default is the flow's.
        run_name: default is the name of this run and that of the flow.
        run_config: default is the flow's.
        scheduled_start_time: when, or how long from now.
        idempotency_key: default is the id of this task run.

    Raises:
        ValueError: unless exactly one of *flow_id* and *flow_name* is given.
    """
    from dagflow.backend.flow import FlowView

    if bool(flow_id) == bool(flow_name):
        found = "both" if flow_id else "neither"
        raise ValueError(f"create_flow_run needs one of flow_id and flow_name, found {found}.")
    flow = FlowView.from_id(flow_id) if flow_id else FlowView.from_flow_name(str(flow_name), project_name)
    wanted = {
        "parameters": parameters,
        "context": context,
        "labels": labels,
        "name": run_name,
        "run_config": run_config,
        "scheduled_start_time": scheduled_start_time,
        "idempotency_key": idempotency_key,
    }
    return start_child(flow, wanted)


def start_child(flow: FlowView, wanted: dict[str, Any]) -> str:
    """Make a run of *flow* that knows the running task as its parent, and return its id."""
    wanted["scheduled_start_time"] = _moment(wanted.get("scheduled_start_time"))
    parent = context.get("flow_run_name")
    wanted["name"] = wanted.get("name") or (f"{parent}-{flow.name}" if parent else None)
    wanted["idempotency_key"] = wanted.get("idempotency_key") or context.get("task_run_id")
    wanted["flow_id"] = flow.flow_id
    if context.get("running_with_backend"):
        wanted["parent_task_run_id"] = context.get("task_run_id")
    with Client() as client:
        made = client._create_flow_run(wanted)
        url = client.get_cloud_url("flow-run", made["id"])
    _logger().info("Created flow run %r of %r: %s", made["name"], flow.name, url)
    return str(made["id"])


@task
def wait_for_flow_run(
    flow_run_id: str, stream_states: bool = True, stream_logs: bool = False, raise_final_state: bool = False
) -> FlowRunView:
    """
    Wait until a flow run has finished, and return what is known of it.

    Args:
        flow_run_id: the run.
        stream_states: log each of its states.
        stream_logs: log each of its log lines.
        raise_final_state: take the state in which it ends as the state of this task; the view is its result.
    """
    return followed(flow_run_id, stream_states, stream_logs, raise_final_state)


def followed(flow_run_id: str, stream_states: bool, stream_logs: bool, raise_final_state: bool) -> FlowRunView:
    """Wait for a run, logging what happens to it."""
    from dagflow.backend.flow_run import FlowRunView
    from dagflow.backend.watch import watch_flow_run

    view = FlowRunView.from_flow_run_id(flow_run_id)
    logger = _logger()
    for line in watch_flow_run(flow_run_id, stream_states, stream_logs, clock=CLOCK):
        logger.log(line.level, "Flow %r: %s", view.name, line.message)
    view = view.get_latest(load_static_tasks=True)
    if raise_final_state:
        raise signal_of(view.state)(f"{view.name} finished in state {view.state!r}", result=view)
    return view


def signal_of(state: State) -> type[PrefectStateSignal]:
    """Return the signal that makes a task end like a run that ended in *state*; the nearest where there is none."""
    try:
        return signal_from_state(state)
    except ValueError:  # such as Cancelled and TimedOut, which no task can ask for
        return SUCCESS if state.is_successful() else FAIL


@task
def get_task_run_result(flow_run_id: str, task_slug: str, map_index: int = -1, poll_time: float = POLL_SECONDS) -> Any:
    """
    Return what a task of another flow run returned, once that run has finished.

    Args:
        flow_run_id: the other run.
        task_slug: the task, such as ``extract-1``.
        map_index: the child, for one child of a map.
        poll_time: seconds between two looks.

    Raises:
        ValueError: without slug, for the run that asks, and when the value was not kept.
    """
    if not task_slug:
        raise ValueError("get_task_run_result needs the slug of a task, such as 'extract-1'; it is empty.")
    if flow_run_id == context.get("flow_run_id"):
        raise ValueError(
            "get_task_run_result was asked for a result of its own flow run, which cannot finish before it. Pass the "
            "task itself as an argument instead."
        )
    from dagflow.backend.flow_run import FlowRunView

    view = FlowRunView.from_flow_run_id(flow_run_id)
    while not view.state.is_finished():
        _logger().debug("Flow run %r is %s; waiting.", view.name, type(view.state).__name__)
        CLOCK.sleep(poll_time)
        view = view.get_latest()
    return view.get_task_run(task_slug=task_slug, map_index=map_index).get_result()


def run_nested(flow: TracedFlow, values: dict[str, Any]) -> Any:
    """
    Run *flow*, as it is registered in the project of this run, and return what a call of it returns.

    A process that takes the calling task up again finds the run that was made before; one that failed is not used
    again.

    Raises:
        ValueError: when it is not registered there, or a value was not kept.
        FAIL: when its run does not succeed.
    """
    from dagflow.backend.flow import FlowView

    project = str(context.get("project_name") or "")
    try:
        registered = FlowView.from_flow_name(flow.name, project)
    except ValueError as error:
        raise ValueError(
            f"Flow {flow.name!r} is called with nested='run', which makes a run of its own of it, but it is not "
            f"registered in project {project!r}. Register it there, or use nested='inline'."
        ) from error
    view = followed(_child_of(registered, values), True, False, False)
    if not view.state.is_successful():
        raise FAIL(f"The run {view.name!r} of flow {flow.name!r} ended in {view.state!r}", result=view)

    def value(task: Task) -> Any:
        if isinstance(task, Parameter):
            return view.parameters.get(task.name, task.default)
        if task.is_constant:
            return task.value  # type: ignore[attr-defined]
        return view.get_task_run(flow.slugs[task]).get_result()

    return exchanged(flow._returned, value)


def _child_of(flow: FlowView, values: dict[str, Any]) -> str:
    """Return the id of the run of *flow* that the running task made or makes, the first that has not failed."""
    from dagflow.backend.flow_run import FlowRunView

    for number in itertools.count(1):
        key = f"{context.get('task_run_id')}:{number}"
        run_id = start_child(flow, {"parameters": values, "idempotency_key": key})
        state = FlowRunView.from_flow_run_id(run_id).state
        if not state.is_finished() or state.is_successful():
            break
    return run_id


def run_deployment(
    name: str,
    parameters: dict[str, Any] | None = None,
    timeout: float | datetime.timedelta | None = None,
    idempotency_key: str | None = None,
    **wanted: Any,
) -> FlowRunView:
    """
    Run a deployment, ``flow/deployment``, and return what is known of the run when it has finished.

    Args:
        name: of the flow and the deployment; the project may stand in front: ``project/flow/deployment``.
        parameters: values that win over those of the deployment.
        timeout: seconds to wait; 0 returns at once, ``None`` waits until the run has finished.
        idempotency_key: default is the id of the task run that calls, if there is one, and which of its calls it is.
        **wanted: ``labels``, ``run_config``, ``scheduled_start_time``, ``context``, ``run_name``.

    Raises:
        ObjectNotFoundError: when there is no such deployment.
    """
    from dagflow.backend.flow_run import FlowRunView

    seconds = timeout.total_seconds() if isinstance(timeout, datetime.timedelta) else timeout
    if "run_name" in wanted:
        wanted["name"] = wanted.pop("run_name")
    wanted["idempotency_key"] = idempotency_key or _own_key()
    wanted["scheduled_start_time"] = _moment(wanted.get("scheduled_start_time"))
    if context.get("running_with_backend"):
        wanted["parent_task_run_id"] = context.get("task_run_id")
    with Client() as client:
        deployment = client._deployment(name)
        made = client._create_flow_run({"deployment_id": deployment["id"], "parameters": parameters, **wanted})
    view = FlowRunView.from_flow_run_id(made["id"])
    end = None if seconds is None else CLOCK.now() + seconds
    while not view.state.is_finished() and (end is None or CLOCK.now() < end):
        CLOCK.sleep(POLL_SECONDS if end is None else min(POLL_SECONDS, max(end - CLOCK.now(), 0.01)))
        view = view.get_latest()
    return view


def _own_key() -> str | None:
    """
    Return the key under which a task that calls asks for a run when it names none; ``None`` outside a task.

    It is the id of the task run, so that a retry finds what the attempt before it made. Here a task may ask several
    times, in a loop of its own or by looping, so its requests are counted: the same one of a retry has the same count.
    """
    task_run_id = context.get("task_run_id")
    if task_run_id is None:
        return None
    loop = context.get("task_loop_count") or 1
    before, count = context.get(REQUESTS) or (loop, 0)
    count = count + 1 if before == loop else 1
    context[REQUESTS] = (loop, count)
    return str(task_run_id) + (f"-loop-{loop}" if loop > 1 else "") + (f"-{count}" if count > 1 else "")


def _moment(start: Any) -> Any:
    """Return when to start; how long from now is counted from now."""
    return datetime.datetime.now(datetime.UTC) + start if isinstance(start, datetime.timedelta) else start


def _logger() -> Any:
    return context.get("logger") or get_logger("flow_run")
