"""The backend that users test their flows with."""

from __future__ import annotations

import datetime

import pytest

from dagflow.client import Client
from dagflow.configuration import config
from dagflow.core.flow import Flow
from dagflow.core.parameter import Parameter
from dagflow.schedules import IntervalSchedule
from dagflow.testing import assert_flow_structure, flow_test_harness
from dagflow.utilities.context import context
from dagflow.utilities.tasks import task


def summing() -> Flow:
    with Flow("summing") as flow:
        x = Parameter("x", default=1)
        task(lambda x, y: x + y, name="add")(x, 2)
    return flow


def test_a_flow_is_registered_run_and_looked_at() -> None:
    with flow_test_harness() as harness:
        run = harness.run(summing(), x=5)

        assert run.state.is_successful()
        assert run.parameters == {"x": 5}
        assert run.get_task_run("add-1").get_result() == 7


def test_the_flow_itself_is_run_so_that_its_functions_can_tell_the_test() -> None:
    told = []
    with Flow("telling") as flow:
        task(lambda: told.append(context.flow_run_id), name="tell")()

    with flow_test_harness() as harness:
        first, second = harness.run(flow), harness.run(flow)

    assert told == [first.flow_run_id, second.flow_run_id]


def test_a_failure_is_seen_and_restarted() -> None:
    broken = [True]

    def work() -> int:
        if broken[0]:
            raise ValueError("not yet")
        return 3

    with Flow("mending") as flow:
        task(work, name="work")()

    with flow_test_harness() as harness:
        assert harness.run(flow).state.is_failed()
        broken[0] = False
        assert harness.run(flow).state.is_successful()


def test_time_stands_still_until_a_tick_and_then_schedules_make_runs_that_an_agent_executes() -> None:
    flow = summing()
    flow.schedule = IntervalSchedule(interval=datetime.timedelta(hours=1))

    with flow_test_harness() as harness:
        harness.register(flow)
        agent = harness.agent()
        assert agent.work() == []

        harness.tick(3_600)
        (run_id,) = agent.work()

        assert harness.client.get(f"flow_runs/{run_id}")["state"] == "Success"


def test_everything_is_as_it_was_after_an_error_and_blocks_may_be_nested() -> None:
    before = (config.home_dir, config.cloud.api)

    with pytest.raises(KeyError), flow_test_harness() as outer:
        outer.client.create_project("outer")
        with flow_test_harness():
            assert Client().get("projects")["items"] == []
        assert [one["name"] for one in Client().get("projects")["items"]] == ["outer"]
        raise KeyError

    assert (config.home_dir, config.cloud.api) == before


def test_a_structure_that_differs_is_told_edge_by_edge() -> None:
    words = r"missing edges: \[\('add', 'x'\)\]; unexpected edges: \[\('x', 'add'\)\]"

    with pytest.raises(AssertionError, match=words):
        assert_flow_structure(summing(), [("add", "x")])
