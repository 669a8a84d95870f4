"""Tasks that make and follow runs of other flows, against a server in this process; time is pretended."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from typing import Any

import pytest

import dagflow.tasks.dagflow
import dagflow.tasks.prefect
from dagflow.backend import FlowRunView
from dagflow.core.task import Task
from dagflow.engine.results import PrefectResult
from dagflow.engine.signals import FAIL, SUCCESS
from dagflow.engine.state import Cancelled, Failed, Running, Scheduled, Success
from dagflow.tasks.prefect import (
    CancelFlowRun,
    RenameFlowRun,
    StartFlowRun,
    create_flow_run,
    flow_run,
    get_task_run_result,
    run_deployment,
    wait_for_flow_run,
)
from dagflow.testing import FakeClock, InProcessServer
from dagflow.utilities.context import context
from tests.served import registered

PARENT = "c0ffee00-0000-4000-8000-000000000001"


class Script(FakeClock):
    """A clock on which things happen while somebody sleeps."""

    def __init__(self, *steps: Callable[[], Any]) -> None:
        super().__init__()
        self.steps = list(steps)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.steps.pop(0)()


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Script]:
    """Let things happen while a task waits."""

    def script(*steps: Callable[[], Any]) -> Script:
        clock = Script(*steps)
        monkeypatch.setattr(flow_run, "CLOCK", clock)
        return clock

    return script


# --- making --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"flow_id": "a", "flow_name": "b"}])
def test_exactly_one_of_id_and_name_is_needed(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="one of flow_id and flow_name"):
        create_flow_run.run(**given)


@pytest.mark.parametrize("by", ["name", "id", "group"])
def test_a_run_is_made_by_name_version_or_group(served: InProcessServer, by: str) -> None:
    flow_id = registered(served)
    group = served.client().get(f"flows/{flow_id}")["flow_group_id"]
    given: dict[str, Any] = {
        "name": {"flow_name": "etl", "project_name": "night"},
        "id": {"flow_id": flow_id},
        "group": {"flow_id": group},
    }[by]

    run_id = create_flow_run.run(**given, run_name="mine", labels=["a"], context={"x": 1})

    view = FlowRunView.from_flow_run_id(run_id)
    assert (view.flow_id, view.name, view.labels, view.context) == (flow_id, "mine", {"a"}, {"x": 1})


def test_a_retry_finds_the_child_that_it_made(served: InProcessServer) -> None:
    flow_id = registered(served)

    with context(task_run_id=PARENT, flow_run_name="parent"):
        first, again = create_flow_run.run(flow_id=flow_id), create_flow_run.run(flow_id=flow_id)
    other = create_flow_run.run(flow_id=flow_id)

    assert first == again != other
    assert FlowRunView.from_flow_run_id(first).name == "parent-etl"


def test_a_child_knows_its_parent(served: InProcessServer) -> None:
    flow_id, client = registered(served), served.client()
    parent = client.create_flow_run(flow_id)
    task = client.get(f"flows/{flow_id}/tasks")["items"][0]
    task_run_id = client.get_task_run_info(parent, task["id"]).id

    with context(task_run_id=task_run_id, running_with_backend=True):
        child = create_flow_run.run(flow_id=flow_id)

    assert client.get(f"flow_runs/{child}")["parent_task_run_id"] == task_run_id


def test_a_run_may_start_after_a_while(served: InProcessServer) -> None:
    before = datetime.datetime.now(datetime.UTC)

    run_id = create_flow_run.run(
        flow_id=registered(served), scheduled_start_time=datetime.timedelta(hours=3)
    )

    state = FlowRunView.from_flow_run_id(run_id).state
    assert isinstance(state, Scheduled) and state.start_time is not None
    start = state.start_time
    assert datetime.timedelta(0) <= start - before - datetime.timedelta(hours=3) < datetime.timedelta(minutes=1)


# --- waiting -------------------------------------------------------------------------------------------------


def test_waiting_logs_what_happens_and_returns_what_is_known(
    served: InProcessServer, during: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client, flow_id = served.client(), registered(served)
    run_id = client.create_flow_run(flow_id, run_name="child")
    during(lambda: client.set_flow_run_state(run_id, Success("over")))

    with caplog.at_level(logging.INFO):
        view = wait_for_flow_run.run(run_id)

    assert view.state.is_successful()
    assert "Flow 'child': Entered state <Success>: over" in caplog.text


@pytest.mark.parametrize(("state", "signal"), [(Success("a"), SUCCESS), (Failed("b"), FAIL), (Cancelled("c"), FAIL)])
def test_the_final_state_can_be_taken_on(served: InProcessServer, state: Any, signal: Any) -> None:
    client = served.client()
    run_id = client.create_flow_run(registered(served))
    client.set_flow_run_state(run_id, state)

    with pytest.raises(signal) as caught:
        wait_for_flow_run.run(run_id, raise_final_state=True)

    assert type(caught.value) is signal and caught.value.state.result.flow_run_id == run_id


def test_a_result_of_another_run_is_taken_when_that_has_finished(served: InProcessServer, during: Any) -> None:
    client, flow_id = served.client(), registered(served)
    run_id = client.create_flow_run(flow_id)
    client.set_flow_run_state(run_id, Running())
    [task] = [one for one in client.get(f"flows/{flow_id}/tasks")["items"] if one["slug"] == "extract-1"]
    task_run = client.get_task_run_info(run_id, task["id"])
    client.set_task_run_state(task_run.id, Running())
    client.set_task_run_state(task_run.id, Success(result=PrefectResult().write([1, 2])))
    clock = during(lambda: None, lambda: client.set_flow_run_state(run_id, Success()))

    assert get_task_run_result.run(run_id, "extract-1", poll_time=7) == [1, 2]
    assert clock.slept == [7, 7]


def test_a_result_needs_a_slug_and_another_run() -> None:
    with pytest.raises(ValueError, match="slug"):
        get_task_run_result.run(PARENT, "")
    with context(flow_run_id=PARENT), pytest.raises(ValueError, match="its own flow run"):
        get_task_run_result.run(PARENT, "extract-1")


# --- the older way -------------------------------------------------------------------------------------------


def test_tasks_among_parameters_are_refused_when_it_is_made() -> None:
    with pytest.raises(TypeError, match="tasks as parameters: day"):
        StartFlowRun(parameters={"day": Task()})


def test_it_does_not_ask_too_often() -> None:
    with pytest.raises(ValueError, match="at least 0:00:03"):
        StartFlowRun(poll_interval=datetime.timedelta(seconds=2))


def test_it_is_called_after_its_flow() -> None:
    assert StartFlowRun(flow_name="etl").name == "Flow etl"
    assert StartFlowRun().name == "StartFlowRun"


@pytest.mark.parametrize("given", [{}, {"flow_name": "etl"}])
def test_flow_and_project_must_be_known_when_it_runs(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="StartFlowRun has no"):
        StartFlowRun(**given).run()


def test_it_starts_the_newest_live_version_once(served: InProcessServer) -> None:
    registered(served)
    newest = registered(served)
    start = StartFlowRun("etl", "night", run_name="mine", new_flow_context={"x": 1})

    with context(task_run_id=PARENT):
        first, again = start.run(), start.run()

    view = FlowRunView.from_flow_run_id(first)
    assert first == again and (view.flow_id, view.name, view.context) == (newest, "mine", {"x": 1})


@pytest.mark.parametrize(("state", "signal"), [(Success("a"), SUCCESS), (Failed("b"), FAIL)])
def test_waiting_it_ends_like_the_run(served: InProcessServer, during: Any, state: Any, signal: Any) -> None:
    client = served.client()
    registered(served)

    def finish() -> None:
        [run] = client.get("flow_runs")["items"]
        client.set_flow_run_state(run["id"], state)

    clock = during(lambda: None, finish)

    with pytest.raises(signal):
        StartFlowRun("etl", "night", wait=True).run()
    assert clock.slept == [10.0, 10.0]


# --- names and ends ------------------------------------------------------------------------------------------


def test_a_run_is_renamed(served: InProcessServer) -> None:
    run_id = served.client().create_flow_run(registered(served))

    RenameFlowRun(run_id, "first").run()
    with context(flow_run_id=run_id):
        RenameFlowRun(flow_run_name="second").run()

    assert FlowRunView.from_flow_run_id(run_id).name == "second"
    with pytest.raises(ValueError, match="knows no flow run"):
        RenameFlowRun(flow_run_name="third").run()
    with pytest.raises(ValueError, match="has no name"):
        RenameFlowRun(run_id).run()


def test_a_run_is_cancelled(served: InProcessServer) -> None:
    run_id = served.client().create_flow_run(registered(served))

    with context(flow_run_id=run_id):
        assert CancelFlowRun().run() == "Cancelled"
    with pytest.raises(ValueError, match="knows no flow run"):
        CancelFlowRun().run()


# --- deployments ---------------------------------------------------------------------------------------------


def test_a_deployment_is_run_by_its_name(served: InProcessServer, during: Any) -> None:
    client, flow_id = served.client(), registered(served)
    group = client.get(f"flows/{flow_id}")["flow_group_id"]
    client._upsert_deployment(group, "paris", {"labels": ["eu"]})

    def finish() -> None:
        [run] = client.get("flow_runs")["items"]
        client.set_flow_run_state(run["id"], Success())

    during(finish)

    view = run_deployment("etl/paris", run_name="mine")

    assert view.state.is_successful() and view.name == "mine" and view.labels == {"eu"}


def test_a_deployment_need_not_be_waited_for(served: InProcessServer, during: Any) -> None:
    registered(served)
    during()

    assert run_deployment("night/etl/default", timeout=0).state.is_scheduled()


def test_waiting_for_a_deployment_ends_in_time(served: InProcessServer, during: Any) -> None:
    registered(served)
    clock = during(*[lambda: None] * 9)

    assert run_deployment("etl/default", timeout=12).state.is_scheduled()
    assert sum(clock.slept) == pytest.approx(12)


def test_a_task_may_run_one_deployment_many_times_and_a_retry_finds_them(served: InProcessServer, during: Any) -> None:
    flow_id = registered(served)
    during()

    def attempt(loop: int | None = None) -> list[str]:
        with context(task_run_id=PARENT, **({} if loop is None else {"task_loop_count": loop})):
            return [run_deployment("etl/default", timeout=0).flow_run_id for _ in range(2)]

    first, retried, looped = attempt(), attempt(), attempt(loop=2)

    assert first == retried and len({*first, *looped}) == 4
    assert len(served.client().get("flow_runs", {"flow_id": flow_id})["items"]) == 4


def test_a_deployment_may_be_run_after_a_while(served: InProcessServer, during: Any) -> None:
    registered(served)
    during()

    view = run_deployment("etl/default", timeout=0, scheduled_start_time=datetime.timedelta(hours=1))

    due = view.state.start_time  # type: ignore[attr-defined]
    assert due > datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=59)


def test_the_tasks_have_two_homes() -> None:
    assert dagflow.tasks.dagflow.__all__ == dagflow.tasks.prefect.__all__
    assert dagflow.tasks.dagflow.StartFlowRun is StartFlowRun
