"""Runs that are executed for a server: what is recorded, what a second process repeats, how a run ends."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagflow.backend.execution import execute_flow_run
from dagflow.backend.runner import BackendFlowRunner
from dagflow.client.client import Client
from dagflow.core.flow import Flow
from dagflow.core.parameter import Parameter
from dagflow.engine import signals
from dagflow.engine.clock import Clock
from dagflow.engine.result import Result
from dagflow.engine.results import LocalResult
from dagflow.engine.state import State, Success
from dagflow.exceptions import FlowStorageError, StaleTokenError
from dagflow.storage import Local
from dagflow.tasks.core.resource_manager import resource_manager
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context
from dagflow.utilities.tasks import task

COUNTS: Counter[str] = Counter()
SWITCH: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    COUNTS.clear()
    SWITCH.clear()
    with set_temporary_config({"cloud.heartbeat_mode": "off", "cloud.logging_heartbeat": 0.05}):
        yield


@pytest.fixture
def server() -> Any:
    with InProcessServer() as running:
        SWITCH["client"] = running.client()
        yield running


def here() -> Client:
    """Return the client for bodies: a flow that is pickled cannot hold one."""
    client: Client = SWITCH["client"]
    return client


@pytest.fixture
def registered(server: InProcessServer, tmp_path: Path) -> Callable[..., str]:
    def register(flow: Flow, **settings: Any) -> str:
        flow.storage = Local(directory=str(tmp_path / "flows"), add_default_labels=False)
        flow.result = flow.result or flow.storage.result
        client = server.client()
        client.create_project("p")
        return client.register(flow, "p", no_url=True, **settings)

    return register


def fails() -> bool:
    return bool(SWITCH.get("fails"))


def count(name: str) -> None:
    COUNTS[name] += 1


def made(client: Client, flow_id: str, **parameters: Any) -> str:
    return client.create_flow_run(flow_id=flow_id, parameters=parameters or None)


def states_of(client: Client, run_id: str) -> dict[tuple[str, int], str]:
    rows = client.get(f"flow_runs/{run_id}/task_runs")["items"]
    return {(row["task_slug"], row["map_index"]): row["state"] for row in rows}


def history(client: Client, run_id: str, slug: str, index: int = -1) -> list[str]:
    rows = client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": slug, "map_index": index})["items"]
    return [one["state"] for one in client.get(f"task_runs/{rows[0]['id']}/states")["items"]]


def small_flow() -> Flow:
    @task
    def number(x: int) -> int:
        count("number")
        return x + 1

    @task
    def double(x: int) -> int:
        count("double")
        return 2 * x

    @task
    def total(values: list[int]) -> int:
        count("total")
        if fails():
            raise ValueError("not today")
        return sum(values)

    with Flow("small") as flow:
        start = Parameter("start", default=1)
        total(double.map([number(start), 10]))
    return flow


def test_every_state_is_recorded_with_its_history(server: InProcessServer, registered: Callable[..., str]) -> None:
    client = server.client()
    run_id = made(client, registered(small_flow()), start=2)

    state = execute_flow_run(run_id, client)

    assert state.is_successful()
    assert states_of(client, run_id) == {
        ("List-1", -1): "Success",
        ("double-1", -1): "Mapped",
        ("double-1", 0): "Success",
        ("double-1", 1): "Success",
        ("number-1", -1): "Success",
        ("start", -1): "Success",
        ("total-1", -1): "Success",
    }
    assert history(client, run_id, "double-1", 1) == ["Running", "Success"]
    assert [one["state"] for one in client.get(f"flow_runs/{run_id}/states")["items"]] == [
        "Scheduled",
        "Running",
        "Success",
    ]


def test_the_log_of_a_run_is_sent_with_the_runs_of_its_tasks(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()
    run_id = made(client, registered(small_flow()))

    execute_flow_run(run_id, client)

    lines = client.get(f"flow_runs/{run_id}/logs")["items"]
    of_total = [one for one in lines if "Task 'total': Starting" in one["message"]]
    (row,) = client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": "total-1"})["items"]
    assert [one["task_run_id"] for one in of_total] == [row["id"]]
    assert lines[-1]["message"].startswith("Flow run SUCCESS")


def test_a_run_that_has_finished_is_not_run_again(server: InProcessServer, registered: Callable[..., str]) -> None:
    client = server.client()
    run_id = made(client, registered(small_flow()))
    execute_flow_run(run_id, client)

    execute_flow_run(run_id, client)

    assert COUNTS["total"] == 1


def test_a_restart_repeats_nothing_that_succeeded_and_reads_its_values(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()
    SWITCH["fails"] = True
    run_id = made(client, registered(small_flow()), start=4)
    assert execute_flow_run(run_id, client).is_failed()
    SWITCH["fails"] = False

    answer = client.restart_flow_run(run_id)
    state = execute_flow_run(run_id, client)

    assert answer["warnings"] == []
    assert state.is_successful()
    assert COUNTS == {"number": 1, "double": 2, "total": 2}
    assert history(client, run_id, "total-1") == ["Running", "Failed", "Pending", "Running", "Success"]


def test_a_result_that_is_gone_fails_who_needs_it_with_task_place_and_kind(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()
    SWITCH["fails"] = True
    run_id = made(client, registered(small_flow()))
    execute_flow_run(run_id, client)
    (row,) = client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": "double-1", "map_index": 1})["items"]
    Path(row["state_result"]).unlink()
    client.restart_flow_run(run_id)

    execute_flow_run(run_id, client)

    (total,) = client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": "total-1"})["items"]
    assert total["state"] == "Failed"
    for words in ("double[1]", row["state_result"], "LocalResult", "failed to retrieve"):
        assert words in total["state_message"]
    assert COUNTS["double"] == 2


@pytest.mark.parametrize("damage", [b"", b"\x00" * 40, b"swapped"])
def test_a_result_that_was_changed_is_found_before_it_is_opened(
    server: InProcessServer, registered: Callable[..., str], damage: bytes
) -> None:
    client = server.client()
    SWITCH["fails"] = True
    run_id = made(client, registered(small_flow()))
    execute_flow_run(run_id, client)
    (row,) = client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": "double-1", "map_index": 0})["items"]
    Path(row["state_result"]).write_bytes(damage)
    client.restart_flow_run(run_id)

    execute_flow_run(run_id, client)

    (total,) = client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": "total-1"})["items"]
    assert total["state"] == "Failed"
    assert "sha256" in total["state_message"]


def test_a_process_whose_hold_was_taken_over_stops(server: InProcessServer, registered: Callable[..., str]) -> None:
    client = server.client()

    @task
    def first() -> None:
        count("first")
        run_id = context.flow_run_id
        # Meanwhile the server takes this process for lost and gives the run to another one.
        here().post(f"flow_runs/{run_id}/lost", {"token": context.run_token})
        here().post(f"flow_runs/{run_id}/begin", {})

    @task
    def second() -> None:
        count("second")

    with Flow("taken over") as flow:
        second(upstream_tasks=[first()])
    run_id = made(client, registered(flow))

    state = execute_flow_run(run_id, client)

    assert state.is_failed() and "other hands" in str(state.message)
    assert client.get(f"flow_runs/{run_id}")["state"] == "Scheduled"


def test_a_cancelled_run_ends_before_its_next_task(server: InProcessServer, registered: Callable[..., str]) -> None:
    client = server.client()

    @task
    def first() -> None:
        here().cancel_flow_run(context.flow_run_id)

    @task
    def second() -> None:
        time.sleep(0.1)  # long enough to be recorded before the next one begins

    @task
    def third() -> None:
        count("third")

    with Flow("to be cancelled") as flow:
        third(upstream_tasks=[second(upstream_tasks=[first()])])
    run_id = made(client, registered(flow))

    state = execute_flow_run(run_id, client)

    assert type(state).__name__ == "Cancelled"
    assert client.get(f"flow_runs/{run_id}")["state"] == "Cancelled"
    assert states_of(client, run_id)["third-1", -1] == "Cancelled"
    assert COUNTS["third"] == 0


def test_a_task_with_a_full_limit_waits_in_queued_and_runs_when_there_is_room(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()
    client.update_task_tag_limit("db", 0)

    @task
    def free() -> None:
        here().update_task_tag_limit("db", 1)

    @task(tags=["db"])
    def limited() -> None:
        count("limited")

    with Flow("limited") as flow:
        limited()
        free()
    run_id = made(client, registered(flow))

    with set_temporary_config({"cloud.queue_interval": 0.05}):
        state = execute_flow_run(run_id, client)

    assert state.is_successful()
    assert history(client, run_id, "limited-db-1")[0] in ("Queued", "Running")
    assert COUNTS["limited"] == 1


def test_a_long_retry_is_given_back_and_taken_up_by_another_process(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()

    @task(max_retries=1, retry_delay=datetime.timedelta(hours=1))
    def fails_once() -> int:
        count("fails_once")
        if context.task_run_count == 1:
            raise ValueError("the first time")
        return 5

    @task
    def beside() -> None:
        count("beside")

    with Flow("patient") as flow:
        fails_once()
        beside()
    run_id = made(client, registered(flow))
    agent = client.register_agent("local")

    first = execute_flow_run(run_id, client)
    row = client.get(f"flow_runs/{run_id}")
    early = client.post(f"agents/{agent}/claim", {})["runs"]
    server.clock.time += 3700
    (taken,) = client.post(f"agents/{agent}/claim", {})["runs"]

    assert not first.is_finished()
    assert (row["state"], row["held"]) == ("Running", False)
    assert early == []
    assert taken["continues"]
    assert history(client, run_id, "fails_once-1") == ["Running", "Retrying", "Submitted"]


def test_a_failed_flow_run_is_tried_again_as_often_as_the_flow_says(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()
    SWITCH["fails"] = True
    flow = small_flow()
    flow.retries = 1
    flow.retry_delay_seconds = datetime.timedelta(seconds=0)
    run_id = made(client, registered(flow))

    execute_flow_run(run_id, client)
    waiting = client.get(f"flow_runs/{run_id}")["state"]
    SWITCH["fails"] = False
    state = execute_flow_run(run_id, client)

    assert waiting == "Retrying"
    assert state.is_successful()
    assert COUNTS == {"number": 1, "double": 2, "total": 2}


def test_code_that_is_not_what_was_registered_is_refused_with_the_slug(
    server: InProcessServer, registered: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = server.client()
    run_id = made(client, registered(small_flow()))

    @task
    def other() -> None:
        count("other")

    with Flow("small") as changed:
        other()
    changed.storage = None
    begun = client.post(f"flow_runs/{run_id}/begin", {})
    runner = BackendFlowRunner(flow=changed)
    runner.client, runner.begun = client, begun

    state = runner.run()

    assert state.is_failed()
    for words in ("double-1", "re-register", "update storage"):
        assert words in str(state.message)
    assert client.get(f"flow_runs/{run_id}")["state"] == "Failed"


def test_a_flow_that_cannot_be_loaded_fails_its_run_with_the_cause(
    server: InProcessServer, registered: Callable[..., str], tmp_path: Path
) -> None:
    client = server.client()
    run_id = made(client, registered(small_flow()))
    for path in (tmp_path / "flows").rglob("*"):
        if path.is_file():
            path.unlink()

    with pytest.raises(FlowStorageError):
        execute_flow_run(run_id, client)

    run = client.get(f"flow_runs/{run_id}")
    assert run["state"] == "Failed"
    assert "FlowStorageError" in run["state_message"]
    assert any(one["level"] == "ERROR" for one in client.get(f"flow_runs/{run_id}/logs")["items"])


def test_an_unknown_run_is_refused(server: InProcessServer) -> None:
    with pytest.raises(ValueError, match="no flow run"):
        execute_flow_run("c0ffee00-0000-4000-8000-000000000001", server.client())


def test_a_stale_token_is_refused_at_once(server: InProcessServer, registered: Callable[..., str]) -> None:
    client = server.client()
    run_id = made(client, registered(small_flow()))
    client.post(f"flow_runs/{run_id}/begin", {})

    with pytest.raises(StaleTokenError):
        execute_flow_run(run_id, client, token=0)


def test_an_empty_map_and_a_signal_are_recorded(server: InProcessServer, registered: Callable[..., str]) -> None:
    client = server.client()

    @task
    def nothing() -> list[int]:
        return []

    @task
    def each(x: int) -> int:
        return x

    @task
    def skips() -> None:
        raise signals.SKIP("not needed")

    with Flow("edges") as flow:
        each.map(nothing())
        skips()
    run_id = made(client, registered(flow))

    state: State = execute_flow_run(run_id, client)

    assert state.is_successful()
    found = states_of(client, run_id)
    assert (found["each-1", -1], found["skips-1", -1]) == ("Mapped", "Skipped")


def test_a_round_of_a_loop_is_recorded(server: InProcessServer, registered: Callable[..., str]) -> None:
    client = server.client()

    @task
    def rounds() -> int:
        so_far = context.get("task_loop_result") or 0
        if so_far < 2:
            raise signals.LOOP(result=so_far + 1)
        return so_far

    with Flow("rounds") as flow:
        rounds()
    run_id = made(client, registered(flow))

    execute_flow_run(run_id, client)

    assert history(client, run_id, "rounds-1") == ["Running", "Looped", "Running", "Looped", "Running", "Success"]
    (row,) = client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": "rounds-1"})["items"]
    assert row["run_count"] == 1


def looping_flow(place: Path | None) -> Flow:
    @task(
        max_retries=1,
        retry_delay=datetime.timedelta(hours=1),
        result=None if place is None else LocalResult(dir=str(place)),
    )
    def climb() -> int:
        height = context.get("task_loop_result", 0)
        count(f"round {context.get('task_loop_count', 1)}")
        if height == 2:
            slip()
        if height < 3:
            raise signals.LOOP(result=height + 1)
        return int(height)

    with Flow("climber") as flow:
        climb()
    flow.result = Result()
    return flow


def slip() -> None:
    if SWITCH["fails"] == "process":
        run_id, end = context.flow_run_id, time.monotonic() + 10.0
        while history(here(), run_id, "climb-1").count("Looped") < 2:
            assert time.monotonic() < end
        raise Lost
    if fails():
        raise ValueError("slipped")


class Lost(BaseException):
    """Stands for what ends a process without a word."""


def climb_again(server: InProcessServer, run_id: str) -> State:
    """Execute a run an hour later, as the process of another agent does."""
    client = server.client()
    SWITCH["fails"] = False
    server.clock.time += 3700
    agent = client.register_agent("local")
    (taken,) = client.post(f"agents/{agent}/claim", {})["runs"]
    with later(4000.0):
        return execute_flow_run(run_id, client, token=taken["run_token"])


@contextlib.contextmanager
def later(seconds: float) -> Any:
    """Let the engine's clock be ahead."""

    class Ahead(Clock):
        @staticmethod
        def now() -> float:
            return time.time() + seconds

    before = BackendFlowRunner.clock
    BackendFlowRunner.clock = Ahead()
    try:
        yield
    finally:
        BackendFlowRunner.clock = before


def test_a_loop_that_waits_for_another_attempt_goes_on_in_its_round_in_another_process(
    server: InProcessServer, registered: Callable[..., str], tmp_path: Path
) -> None:
    SWITCH["fails"] = True
    run_id = made(server.client(), registered(looping_flow(tmp_path / "rounds")))

    execute_flow_run(run_id, server.client())
    state = climb_again(server, run_id)

    assert state.is_successful()
    assert COUNTS == {"round 1": 1, "round 2": 1, "round 3": 2, "round 4": 1}


def test_a_loop_whose_process_was_lost_goes_on_in_its_round(
    server: InProcessServer, registered: Callable[..., str], tmp_path: Path
) -> None:
    client = server.client()
    SWITCH["fails"] = "process"
    run_id = made(client, registered(looping_flow(tmp_path / "rounds")))

    with pytest.raises(Lost):
        execute_flow_run(run_id, client)
    client.post(f"flow_runs/{run_id}/release", {"token": 1, "reschedule": True})
    state = climb_again(server, run_id)

    assert state.is_successful()
    assert COUNTS == {"round 1": 1, "round 2": 1, "round 3": 2, "round 4": 1}


@pytest.mark.parametrize("kept", [False, True])
def test_a_loop_whose_value_is_gone_starts_over_and_says_why(
    server: InProcessServer, registered: Callable[..., str], tmp_path: Path, kept: bool
) -> None:
    client = server.client()
    SWITCH["fails"] = True
    run_id = made(client, registered(looping_flow(tmp_path / "rounds" if kept else None)))

    execute_flow_run(run_id, client)
    shutil.rmtree(tmp_path / "rounds", ignore_errors=True)
    state = climb_again(server, run_id)

    assert state.is_successful()
    assert COUNTS == {"round 1": 2, "round 2": 2, "round 3": 2, "round 4": 1}
    warnings = [
        one["message"] for one in client.get(f"flow_runs/{run_id}/logs")["items"] if "starts over" in one["message"]
    ]
    (warning,) = warnings
    assert ("cannot be read" if kept else "kept nowhere") in warning


def test_the_context_of_a_run_cannot_say_that_there_is_no_server(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()

    @task
    def look() -> None:
        if not context.running_with_backend or context.mine != 1:
            raise ValueError("it can")

    with Flow("contextual") as flow:
        look()
    run_id = client.create_flow_run(flow_id=registered(flow), context={"running_with_backend": False, "mine": 1})

    assert execute_flow_run(run_id, client).is_successful()


def test_of_a_map_only_those_children_fail_that_need_a_value_which_is_gone(
    server: InProcessServer, registered: Callable[..., str], tmp_path: Path
) -> None:
    client = server.client()
    SWITCH["fails"] = True

    @task
    def read(x: int) -> int:
        return x

    @task
    def use(x: int) -> int:
        if x and fails():
            raise ValueError("not today")
        return x

    with Flow("mapped") as flow:
        use.map(read.map([0, 1, 2]))
    flow.result = LocalResult(dir=str(tmp_path / "kept"))
    run_id = made(client, registered(flow))
    execute_flow_run(run_id, client)
    for row in client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": "read-1"})["items"]:
        if row["map_index"] in (0, 1):
            Path(row["serialized_state"]["_result"]["location"]).unlink()

    SWITCH["fails"] = False
    client.restart_flow_run(run_id)
    state = execute_flow_run(run_id, client)

    assert state.is_failed()
    found = {index: one for (slug, index), one in states_of(client, run_id).items() if slug == "use-1"}
    assert found == {-1: "Mapped", 0: "Success", 1: "Failed", 2: "Success"}


def named_flow() -> Flow:
    with Flow("monthly") as flow:
        Parameter("month")()
    flow.flow_run_name = "load {month}"
    return flow


@pytest.mark.parametrize(("given", "expected"), [(None, "load May"), ("by hand", "by hand")])
def test_a_run_that_nobody_named_gets_the_name_that_its_flow_says(
    server: InProcessServer, registered: Callable[..., str], given: str | None, expected: str
) -> None:
    client = server.client()
    run_id = client.create_flow_run(flow_id=registered(named_flow()), parameters={"month": "May"}, run_name=given)

    execute_flow_run(run_id, client)

    assert client.get(f"flow_runs/{run_id}")["name"] == expected


def held(client: Client, flow: Flow, run_id: str) -> BackendFlowRunner:
    """Return a runner that has taken hold of a run."""
    runner = BackendFlowRunner(flow=flow)
    runner.client = client
    runner.begun = client.post(f"flow_runs/{run_id}/begin", {"token": None})
    return runner


def test_arguments_win_over_what_is_recorded_and_the_recorded_context_over_that_given(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()
    seen: list[Any] = []
    with Flow("told") as flow:
        x = Parameter("x")
        look = task(lambda x: x, name="look")(x)
    flow.storage = None
    run_id = client.create_flow_run(flow_id=registered(flow), parameters={"x": 1}, context={"whose": "the server's"})

    def handler(flow: Flow, old: State, new: State) -> State:
        seen.append(context.whose)
        return new

    flow.state_handlers = [handler]
    runner = held(client, flow, run_id)
    state = runner.run(parameters={"x": 2}, context={"whose": "mine"}, return_tasks=[look])

    assert state.result[look].result == 2
    assert set(seen) == {"the server's"}


def test_a_state_that_is_given_wins_over_the_recorded_one(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()
    flow = small_flow()
    run_id = made(client, registered(flow))
    given = Success("Done elsewhere.")

    assert held(client, flow, run_id).run(state=given) is given
    assert COUNTS == {}


def test_handlers_are_called_before_a_state_is_recorded_and_their_failure_is_what_is(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()

    def of_task(task: Any, old: State, new: State) -> State:
        raise ValueError("the task's handler")

    def of_flow(flow: Any, old: State, new: State) -> State:
        if new.is_finished():
            raise ValueError("the flow's handler")
        return new

    with Flow("handled", state_handlers=[of_flow]) as flow:
        task(lambda: 1, name="handled", state_handlers=[of_task])()
    run_id = made(client, registered(flow))

    execute_flow_run(run_id, client)

    (row,) = client.get(f"flow_runs/{run_id}/task_runs")["items"]
    run = client.get(f"flow_runs/{run_id}")
    assert (row["state"], "the task's handler" in row["state_message"]) == ("Failed", True)
    assert (run["state"], "the flow's handler" in run["state_message"]) == ("Failed", True)


def test_resources_are_opened_and_closed_again_by_the_process_that_goes_on(
    server: InProcessServer, registered: Callable[..., str]
) -> None:
    client = server.client()

    @resource_manager
    class Connection:
        def setup(self) -> Any:
            count("open")
            return object()

        def cleanup(self, connection: Any) -> None:
            count("close")

    @task
    def read(connection: Any) -> int:
        count("read")
        return 1

    @task
    def write(connection: Any, number: int) -> None:
        count("write")
        if fails():
            raise ValueError("not today")

    with Flow("resources") as flow, Connection() as connection:
        write(connection, read(connection))
    run_id = made(client, registered(flow))

    SWITCH["fails"] = True
    execute_flow_run(run_id, client)
    SWITCH["fails"] = False
    client.restart_flow_run(run_id)
    state = execute_flow_run(run_id, client)

    assert state.is_successful()
    assert COUNTS == {"open": 2, "read": 1, "write": 2, "close": 2}


def test_nothing_comes_back_as_nothing(server: InProcessServer, registered: Callable[..., str]) -> None:
    client = server.client()

    @task
    def nothing() -> None:
        count("nothing")

    @task
    def take(value: Any) -> None:
        if fails():
            raise ValueError("not today")
        count(f"took {value}")

    with Flow("none") as flow:
        take(nothing())
    run_id = made(client, registered(flow))

    SWITCH["fails"] = True
    execute_flow_run(run_id, client)
    SWITCH["fails"] = False
    client.restart_flow_run(run_id)
    execute_flow_run(run_id, client)

    assert COUNTS == {"nothing": 1, "took None": 1}


def test_no_lines_are_sent_when_they_are_not_wanted(server: InProcessServer, registered: Callable[..., str]) -> None:
    client = server.client()
    run_id = made(client, registered(small_flow()))

    with set_temporary_config({"cloud.send_flow_run_logs": False}):
        execute_flow_run(run_id, client)

    assert client.get(f"flow_runs/{run_id}/logs")["items"] == []


def test_a_run_without_agent_begins_when_a_limit_on_its_label_lets_it(
    server: InProcessServer, registered: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = server.client()
    limit = client.update_flow_label_limit("gpu", 0)
    flow_id = registered(small_flow())
    run = client.post("flow_runs", {"flow_id": flow_id, "labels": ["gpu"], "agentless": True})["id"]
    answered, post = [], client.post

    def lifting(path: str, params: Any = None) -> Any:
        answer = post(path, params)
        if path == "states" and answer["flow_runs"]:
            answered.append((answer["flow_runs"][0]["status"], answer["flow_runs"][0]["state"]))
            if len(answered) == 2:
                client.delete_flow_label_limit(limit)
        return answer

    monkeypatch.setattr(client, "post", lifting)
    with set_temporary_config({"cloud.queue_interval": 0.01}):
        state = execute_flow_run(run, client)

    assert state.is_successful()
    assert answered == [*2 * [("QUEUED", "Scheduled")], ("SUCCESS", "Running"), ("SUCCESS", "Success")]
