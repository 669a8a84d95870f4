"""Following runs, and saying whether there is an agent for them; time is pretended."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from typing import Any

import pytest

from dagflow.backend import check_for_compatible_agents, stream_flow_run_logs, watch_flow_run
from dagflow.backend.watch import LONGEST_WATCH
from dagflow.client import Client
from dagflow.engine.state import Failed, Running, Submitted, Success
from dagflow.testing import FakeClock, InProcessServer
from tests.served import registered


class Script(FakeClock):
    """A clock on which things happen while somebody sleeps."""

    def __init__(self, start: float, *steps: Callable[[], Any]) -> None:
        super().__init__(start)
        self.steps = list(steps)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.steps:
            self.steps.pop(0)()


def nothing() -> None:
    """Let time pass."""


@pytest.fixture
def run(served: InProcessServer) -> tuple[Client, str]:
    client = served.client()
    return client, client.create_flow_run(registered(served))


def test_states_and_logs_come_in_the_order_of_time_until_the_end(
    served: InProcessServer, run: tuple[Client, str]
) -> None:
    client, run_id = run

    def step(state: Any, message: str) -> Callable[[], None]:
        def act() -> None:
            served.clock.time += 1
            client.set_flow_run_state(run_id, state)
            client.write_run_logs([{"flow_run_id": run_id, "level": "WARNING", "message": message}])

        return act

    clock = Script(served.clock.time, step(Running("on"), "first"), nothing, step(Success("over"), "second"))

    lines = list(watch_flow_run(run_id, clock=clock))

    told = [line.message for line in lines]
    assert [one for one in told if "Entered" in one] == [
        "Entered state <Scheduled>: Flow run scheduled.",
        "Entered state <Running>: on",
        "Entered state <Success>: over",
    ]
    assert {"first", "second"} <= set(told)
    assert [line.timestamp for line in lines] == sorted(line.timestamp for line in lines)
    assert next(line.level for line in lines if line.message == "first") == logging.WARNING


def test_one_kind_of_lines_can_be_left_out(run: tuple[Client, str]) -> None:
    client, run_id = run

    def finish() -> None:
        client.write_run_logs([{"flow_run_id": run_id, "message": "hello"}])
        client.set_flow_run_state(run_id, Success("over"))

    states = [line.message for line in watch_flow_run(run_id, stream_logs=False, clock=Script(0, finish))]

    assert "hello" not in states and len(states) == 2


def test_looks_come_less_often_while_nothing_happens(run: tuple[Client, str]) -> None:
    client, run_id = run
    client.set_flow_run_state(run_id, Running())
    clock = Script(0, *[nothing] * 9, lambda: client.set_flow_run_state(run_id, Success()))

    list(watch_flow_run(run_id, clock=clock))

    assert [round(seconds, 2) for seconds in clock.slept[:3]] == [2.0, 2.6, 3.38]
    assert max(clock.slept) == 10.0


def test_a_run_that_has_finished_is_one_line(served: InProcessServer, run: tuple[Client, str]) -> None:
    client, run_id = run
    client.set_flow_run_state(run_id, Success())
    finished = served.clock.time + 7300

    assert [line.message for line in watch_flow_run(run_id, clock=FakeClock(finished))] == [
        "Your flow run finished 2 hours ago."
    ]


def test_no_agent_is_warned_of_again_and_again(served: InProcessServer, run: tuple[Client, str]) -> None:
    client, run_id = run
    finish = lambda: client.set_flow_run_state(run_id, Failed("no"))  # noqa: E731
    clock = Script(served.clock.time, *[nothing] * 10, finish)

    warnings = [line for line in watch_flow_run(run_id, clock=clock) if line.level == logging.WARNING]

    assert len(warnings) == 2 and "There is no healthy agent" in warnings[0].message
    first, second = (line.timestamp.timestamp() - served.clock.time for line in warnings)
    assert first >= 15 and second - first >= 30


def test_a_run_that_starts_later_misses_no_agent(served: InProcessServer) -> None:
    client = served.client()
    later = datetime.datetime.fromtimestamp(served.clock.time + 3600, datetime.UTC)
    run_id = client.create_flow_run(registered(served), scheduled_start_time=later)
    clock = Script(served.clock.time, *[nothing] * 8, lambda: client.set_flow_run_state(run_id, Failed("no")))

    assert [line for line in watch_flow_run(run_id, clock=clock) if line.level == logging.WARNING] == []


def test_a_submitted_run_misses_no_agent(served: InProcessServer, run: tuple[Client, str]) -> None:
    client, run_id = run
    client.set_flow_run_state(run_id, Submitted(state=client.get_flow_run_state(run_id)))
    clock = Script(served.clock.time, *[nothing] * 8, lambda: client.set_flow_run_state(run_id, Failed("no")))

    assert [line for line in watch_flow_run(run_id, clock=clock) if line.level == logging.WARNING] == []


def test_only_what_happened_after_a_time_is_told(served: InProcessServer, run: tuple[Client, str]) -> None:
    client, run_id = run
    client.write_run_logs([{"flow_run_id": run_id, "message": "before"}])
    start_time = datetime.datetime.fromtimestamp(served.clock.time, datetime.UTC)
    served.clock.time += 60

    def finish() -> None:
        client.write_run_logs([{"flow_run_id": run_id, "message": "after"}])
        client.set_flow_run_state(run_id, Failed("no"))

    lines = watch_flow_run(run_id, start_time=start_time, clock=Script(served.clock.time, finish))

    assert sorted(line.message for line in lines) == ["Entered state <Failed>: no", "after"]


def test_watching_ends_at_some_time(run: tuple[Client, str]) -> None:
    client, run_id = run
    client.set_flow_run_state(run_id, Running())
    clock = FakeClock()

    with pytest.raises(RuntimeError, match=r"watched for 0:05:00 and is still Running"):
        list(watch_flow_run(run_id, max_duration=datetime.timedelta(minutes=5), clock=clock))

    assert 300 <= sum(clock.slept) <= 310
    assert datetime.timedelta(hours=12) == LONGEST_WATCH


def test_lines_are_printed_without_steering_the_terminal(
    run: tuple[Client, str], capsys: pytest.CaptureFixture[str]
) -> None:
    client, run_id = run

    def finish() -> None:
        client.write_run_logs([{"flow_run_id": run_id, "message": "\x1b[31mred\nline", "level": "ERROR"}])
        client.set_flow_run_state(run_id, Success())

    stream_flow_run_logs(run_id, clock=Script(0, finish))

    said = capsys.readouterr().out
    assert r"ERROR   | \x1b[31mred\nline" in said and "\x1b" not in said


# --- agents --------------------------------------------------------------------------------------------------


def agent(served: InProcessServer, name: str, *labels: str, healthy: bool = True, **more: str) -> str:
    client = served.client()
    agent_id = client.register_agent("local", name=name, labels=labels, **more)
    if healthy:
        client.post(f"agents/{agent_id}/heartbeat", {})
    return agent_id


def pass_by(served: InProcessServer, minutes: int) -> None:
    served.clock.time += minutes * 60


def test_one_agent_that_matches(served: InProcessServer) -> None:
    agent_id = agent(served, "ann", "a", "b")

    assert check_for_compatible_agents(["a"]) == (
        f"Agent ann ({agent_id}) has the labels ['a', 'b'] that the run needs: ['a']. It should take the run soon."
    )


def test_several_agents_that_match(served: InProcessServer) -> None:
    for name in ("ann", "bob"):
        agent(served, name, "a")

    assert "Found 2 healthy agents that match the labels ['a']" in check_for_compatible_agents(["a"])


def test_agents_that_match_but_are_away(served: InProcessServer) -> None:
    agent(served, "ann", "a")
    pass_by(served, 10)
    assert "Agent ann" in (said := check_for_compatible_agents(["a"])) and "has not asked for work recently" in said

    agent(served, "bob", "a")
    pass_by(served, 10)
    assert "Found 2 agents that match" in (said := check_for_compatible_agents(["a"])) and "none of them" in said


def test_no_agent_at_all(served: InProcessServer) -> None:
    assert "There is no healthy agent" in (said := check_for_compatible_agents(["a"]))
    assert "dagflow agent local start --label a" in said


def test_agents_that_do_not_match_are_told_with_what_is_missing(served: InProcessServer) -> None:
    agent(served, "ann", "a")

    said = check_for_compatible_agents(["a", "b"])

    assert "none matches the labels ['a', 'b']" in said and "Agent ann" in said and "['b'] missing" in said


def test_an_agent_with_labels_takes_no_run_without(served: InProcessServer) -> None:
    agent(served, "ann", "a")

    said = check_for_compatible_agents([])

    assert "none matches no labels of the run" in said and "takes no run without" in said


def test_an_agent_of_a_pool_takes_the_runs_of_it_and_no_others(served: InProcessServer) -> None:
    agent(served, "ann", "a", pool="big")

    in_pool, elsewhere = check_for_compatible_agents(["pool:big"]), check_for_compatible_agents(["a"])

    assert "It should take the run soon" in in_pool and "['a', 'pool:big']" in in_pool
    assert "takes only runs of it" in elsewhere and "dagflow agent local start --label a" in elsewhere


def test_a_run_of_a_pool_without_agent_is_told_how_to_serve_the_pool(served: InProcessServer) -> None:
    agent(served, "ann", "pool:big")

    said = check_for_compatible_agents(["pool:big", "eu"])

    assert "`dagflow worker start --pool big --label eu`" in said and "should take the run" not in said
