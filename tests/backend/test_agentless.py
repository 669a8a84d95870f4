"""Runs that are executed without an agent: when a process is started for them, and with which environment."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dagflow import Flow, task, triggers
from dagflow.backend.agentless import execute_flow_run_in_subprocess, run_environment
from dagflow.backend.execution import execute_flow_run
from dagflow.backend.runner import BackendFlowRunner
from dagflow.harness import Harness
from dagflow.run_configs import UniversalRun
from dagflow.testing import FakeClock, flow_test_harness
from dagflow.utilities.context import context

START = 1_795_000_000.0
CALLS: list[int] = []


class World:
    """A server, and what happens while somebody waits."""

    def __init__(self, harness: Harness, clock: FakeClock) -> None:
        self.harness = harness
        self.client = harness.client
        self.clock = clock
        self.started: list[float] = []
        self.code = 0

    def made(self, flow: Flow, **wanted: Any) -> str:
        return self.client.create_flow_run(flow_id=self.harness.register(flow), **wanted)

    def start(self, environment: Mapping[str, str]) -> int:
        self.started.append(self.clock.time - START)
        assert len(self.started) < 10, "it is started again and again"
        execute_flow_run(environment["DAGFLOW__CONTEXT__FLOW_RUN_ID"], self.client)
        return self.code

    def execute(self, run_id: str) -> str:
        execute_flow_run_in_subprocess(run_id, clock=self.clock, start=self.start)
        return str(self.client.get(f"flow_runs/{run_id}")["state"])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    CALLS.clear()
    clock = FakeClock(START)
    monkeypatch.setattr(BackendFlowRunner, "clock", clock)
    with flow_test_harness(clock) as harness:
        yield World(harness, clock)


def work() -> None:
    CALLS.append(1)


def plain(**options: Any) -> Flow:
    with Flow("plain") as flow:
        task(work, **options)()
    return flow


def test_a_run_is_executed_when_it_is_due(world: World) -> None:
    due = datetime.datetime.fromtimestamp(START + 3600, datetime.UTC)

    state = world.execute(world.made(plain(), scheduled_start_time=due))

    assert (state, world.started) == ("Success", [3600.0])


def test_a_long_retry_is_waited_for_here(world: World) -> None:
    @task(max_retries=1, retry_delay=datetime.timedelta(hours=1))
    def fails_once() -> None:
        if context.task_run_count == 1:
            raise ValueError("the first time")

    with Flow("patient") as flow:
        fails_once()

    state = world.execute(world.made(flow))

    assert state == "Success"
    assert len(world.started) == 2 and 3600 <= world.started[1] <= 3610


def test_an_approval_is_waited_for_and_nothing_is_started_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.made(plain(trigger=triggers.manual_only))
    sleep = world.clock.sleep

    def sleeps(seconds: float) -> None:
        sleep(seconds)
        if len(world.clock.slept) == 20:
            world.client.post(f"flow_runs/{run_id}/approve", {})

    monkeypatch.setattr(world.clock, "sleep", sleeps)

    assert world.execute(run_id) == "Success"
    assert len(world.started) == 2
    assert CALLS == [1]


def test_a_cancellation_ends_the_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    due = datetime.datetime.fromtimestamp(START + 3600, datetime.UTC)
    run_id = world.made(plain(), scheduled_start_time=due)
    monkeypatch.setattr(world.clock, "sleep", lambda seconds: world.client.cancel_flow_run(run_id))

    assert world.execute(run_id) == "Cancelled"
    assert world.started == []


def test_a_run_that_is_not_scheduled_is_refused_with_the_command_that_restarts_it(world: World) -> None:
    run_id = world.made(plain())
    world.client.cancel_flow_run(run_id)

    with pytest.raises(RuntimeError, match=f"is Cancelled; only one .* `dagflow flow-run restart {run_id}`"):
        world.execute(run_id)


def test_a_process_that_fails_is_told_of_with_its_code(world: World) -> None:
    world.code = 3

    with pytest.raises(RuntimeError, match="ended with exit code 3"):
        world.execute(world.made(plain()))


def test_an_interruption_fails_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = world.made(plain())

    def interrupted(environment: Mapping[str, str]) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_flow_run_in_subprocess(run_id, clock=world.clock, start=interrupted)

    run = world.client.get(f"flow_runs/{run_id}")
    assert (run["state"], "interrupt" in run["state_message"]) == ("Failed", True)


def test_the_run_config_cannot_say_another_run_and_a_token_from_outside_is_not_handed_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGFLOW__CONTEXT__RUN_TOKEN", "7")
    flow = plain()
    flow.run_config = UniversalRun(env={"MINE": "1", "DAGFLOW__CONTEXT__FLOW_RUN_ID": "another"})
    run_id = world.made(flow)

    environment = run_environment(world.client, world.client.get(f"flow_runs/{run_id}"))

    assert environment["MINE"] == "1"
    assert environment["DAGFLOW__CONTEXT__FLOW_RUN_ID"] == run_id
    assert "DAGFLOW__CONTEXT__RUN_TOKEN" not in environment


def test_the_run_config_of_the_group_wins_over_that_of_the_flow(world: World) -> None:
    run_id = world.made(plain())
    run = world.client.get(f"flow_runs/{run_id}")
    config = {"type": "UniversalRun", "env": {"FROM": "group"}}
    world.client.post(f"flow_groups/{run['flow_group_id']}/run_config", {"run_config": config})

    assert run_environment(world.client, run, include_local_env=False)["FROM"] == "group"
