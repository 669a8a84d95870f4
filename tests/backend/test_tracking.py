"""Local runs that are recorded with a server."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from dagflow.backend import FlowRunView
from dagflow.backend.tracking import tracked
from dagflow.core.flow import Flow
from dagflow.core.parameter import Parameter
from dagflow.engine.flow_runner import FlowRunner
from dagflow.schedules import IntervalSchedule
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.tasks import task


def adding(**settings: Any) -> Flow:
    with Flow("adding", **settings) as flow:
        task(lambda x, y: x + y, name="add")(Parameter("x", default=1), 2)
    return flow


def recorded(server: InProcessServer) -> list[dict[str, Any]]:
    return list(server.client()._items("flow_runs", {}))


def test_a_local_run_is_recorded_and_gives_its_value_here(served: InProcessServer) -> None:
    flow = adding()

    state = flow.run(x=40, track=True)

    assert state.result[flow.get_tasks("add")[0]].result == 42
    [run] = recorded(served)
    assert (run["state"], run["parameters"], run["agentless"]) == ("Success", {"x": 40}, True)
    view = FlowRunView.from_flow_run_id(run["id"])
    assert view.get_flow_metadata().project_name == "local"
    assert view.get_task_run("add-1").state.is_successful()


def test_no_server_is_talked_to_without_being_told(served: InProcessServer) -> None:
    adding().run()

    assert recorded(served) == []


def test_a_setting_records_all_runs_as_runs_of_one_version(served: InProcessServer) -> None:
    with set_temporary_config({"flows.track_local_runs": True}):
        adding().run()
        adding().run()
        adding().run(track=False)

    assert len(recorded(served)) == 2 and len({run["flow_id"] for run in recorded(served)}) == 1


def test_a_parameter_of_that_name_is_a_parameter(served: InProcessServer) -> None:
    with Flow("train") as flow:
        task(lambda track: track, name="tell")(Parameter("track"))

    state = flow.run(track=9)

    assert state.result[flow.get_tasks("tell")[0]].result == 9 and recorded(served) == []


def test_no_agent_takes_a_recorded_run(served: InProcessServer) -> None:
    flow = adding()
    flow.run(track=True)
    client = served.client()
    [run] = recorded(served)
    client.restart_flow_run(run["id"], from_task_run=client.get(f"flow_runs/{run['id']}/task_runs")["items"][0]["id"])

    agent = client.register_agent("LocalAgent", "a", [])

    assert client.post(f"agents/{agent}/claim", {"labels": [], "limit": 1, "wait_seconds": 0})["runs"] == []


def test_a_retry_stays_the_same_run(served: InProcessServer) -> None:
    calls = []

    def flaky() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("the first attempt fails")

    with Flow("flaky") as flow:
        task(flaky, name="flaky")()
    flow.retries = 1

    state = flow.run(track=True)

    assert state.is_successful() and len(calls) == 2
    assert [run["state"] for run in recorded(served)] == ["Success"]


def test_each_run_of_a_schedule_is_one_of_its_own_and_the_server_plans_none(served: InProcessServer) -> None:
    flow = adding(schedule=IntervalSchedule(interval=datetime.timedelta(hours=1)))
    kind = tracked(flow)
    assert kind is not None
    runner = kind(flow=flow)

    runner.run()
    runner.run()

    assert [run["state"] for run in recorded(served)] == ["Success", "Success"]


def test_without_a_server_the_run_goes_on_and_says_that_it_is_not_recorded(caplog: pytest.LogCaptureFixture) -> None:
    with set_temporary_config({"cloud.api": "http://127.0.0.1:9"}):
        state = adding().run(track=True)

    assert state.is_successful()
    assert "The run is not recorded" in caplog.text and "dagflow server start" in caplog.text


def test_a_runner_of_ones_own_is_not_recorded() -> None:
    with pytest.raises(ValueError, match="track=True or runner_cls, found both with FlowRunner"):
        adding().run(track=True, runner_cls=FlowRunner)
