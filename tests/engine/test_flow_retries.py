"""Retries, time limits and hooks of whole flows; jitter and conditions of tasks' retries."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from dagflow import Flow, Parameter, flow, runtime, task
from dagflow.engine.again import states_to_keep
from dagflow.engine.flow_runner import FlowRunner
from dagflow.engine.settle import retry_state
from dagflow.engine.state import Failed, Mapped, State, Success
from dagflow.executors import LocalDaskExecutor, LocalExecutor
from dagflow.testing import FakeClock, ScriptedExecutor
from dagflow.triggers import all_finished


def runner() -> Any:
    """Return a runner class with a clock of its own."""

    class Own(FlowRunner):
        clock = FakeClock()

    return Own


class Log(list[Any]):
    """Notes what hooks were told."""

    def hook(self, event: str) -> Callable[[Any, Any, State], None]:
        return lambda subject, run, state: self.append((event, subject.name, type(state).__name__))


@task
def start() -> list[int]:
    calls.append("start")
    return [1, 2, 3]


@task
def fragile(item: int) -> int:
    calls.append(("fragile", item))
    if item == 2 and runtime.flow_run.run_count < 3:
        raise OSError("not yet")
    return item * 10


@task(trigger=all_finished)
def gather(items: list[Any]) -> list[Any]:
    calls.append("gather")
    return items


@task
def beside() -> int:
    calls.append("beside")
    return 1


calls: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    calls.clear()


# --- retries of flows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", [None, LocalDaskExecutor("threads"), ScriptedExecutor()])
def test_only_what_failed_and_what_follows_runs_again(executor: Any) -> None:
    @flow(retries=3, retry_delay_seconds=[1, 5])
    def strict():
        children = fragile.map(start())
        return children, gather(children), beside()

    own = runner()
    state = strict.run(runner_cls=own, executor=executor)

    assert state.is_successful()
    assert sorted(map(str, calls)) == sorted(
        map(str, ["start", *(("fragile", n) for n in (1, 2, 3, 2, 2)), "gather", "gather", "gather", "beside"])
    )
    assert own.clock.slept == pytest.approx([1.0, 5.0], abs=0.1)


def test_a_flow_that_goes_on_to_fail_fails_after_its_last_attempt() -> None:
    @task
    def broken() -> None:
        calls.append("broken")
        raise ValueError("always")

    log = Log()

    @flow(retries=2, on_failure=[log.hook("failure")], on_running=log.hook("running"))
    def hopeless():
        return broken()

    own = runner()
    state = hopeless.run(runner_cls=own)

    assert type(state) is Failed
    assert calls == ["broken"] * 3
    assert [event for event, *_ in log] == ["running", "running", "running", "failure"]
    with pytest.raises(ValueError, match="always"):
        hopeless()


def test_an_attempt_that_will_be_repeated_ends_in_retrying() -> None:
    seen: list[str] = []

    def handler(subject: Any, old: State, new: State) -> None:
        seen.append(type(new).__name__)

    @task
    def once() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError

    @flow(retries=1, state_handlers=[handler])
    def twice():
        return once()

    assert twice.run(runner_cls=runner()).is_successful()
    assert seen == ["Running", "Failed", "Retrying", "Running", "Success"]


def test_a_flow_without_retries_ends_at_once() -> None:
    @flow
    def single():
        return fragile(2)

    assert single.run().is_failed()
    assert calls == [("fragile", 2)]


def test_a_plain_flow_may_have_these_settings_too() -> None:
    with Flow("plain") as built:
        fragile(Parameter("x", default=2))
    built.retries = 2

    assert built.run().is_successful()
    assert len(calls) == 3


def test_what_is_kept_is_what_no_failure_reaches() -> None:
    with Flow("f") as built:
        first = start()
        children = fragile.map(first)
        after = beside.copy(name="after")(upstream_tasks=[children])
        other = beside()
        then = fragile.copy(name="then").map(children)
    states: dict[Any, State] = {
        first: Success(result=[1, 2]),
        children: Mapped(map_states=[Success(result=1), Failed()]),
        after: Success(),
        other: Success(),
        then: Mapped(map_states=[Success(result=1), Success(result=2)]),
    }

    kept = states_to_keep(built, states)

    assert set(kept) == {first, children, other, then}
    assert [one is None for one in kept[children].map_states] == [False, True]  # type: ignore[attr-defined]
    assert [one is None for one in kept[then].map_states] == [False, True]  # type: ignore[attr-defined]
    assert states[children].map_states[1] is not None  # type: ignore[attr-defined]


# --- time limits of flows ----------------------------------------------------------------------------------------


@task
def endless(x: Any) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        time.sleep(0.005)


@task
def quick(x: Any) -> Any:
    return x


@flow(timeout_seconds=0.2)
def limited():
    return quick(endless(quick(1)))


@pytest.mark.parametrize("executor", [LocalExecutor(), LocalDaskExecutor("threads"), LocalDaskExecutor("processes")])
def test_a_flow_past_its_time_limit_is_stopped(executor: Any) -> None:
    began = time.monotonic()
    state = limited.run(executor=executor)

    assert type(state).__name__ == "TimedOut"
    assert time.monotonic() - began < 10
    found = {limited.slugs[one]: type(state.result[one]).__name__ for one in limited.tasks}
    assert found["quick-2"] == "Cancelled"
    assert found["endless-1"] in ("TimedOut", "Cancelled")  # a process may take its time to start
    with pytest.raises(TimeoutError, match=r"longer than its timeout of 0\.2 s"):
        limited()


def test_a_retry_that_would_come_after_the_limit_is_not_waited_for() -> None:
    @task(retries=3, retry_delay_seconds=60)
    def later() -> None:
        raise ValueError

    @flow(timeout_seconds=30)
    def waits():
        return later()

    own = runner()
    state = waits.run(runner_cls=own)

    assert type(state).__name__ == "TimedOut"
    assert own.clock.slept == pytest.approx([30], abs=0.1)


def test_a_flow_within_its_limit_is_left_alone() -> None:
    @flow(timeout_seconds=30)
    def in_time():
        return quick.map([1, 2])

    assert in_time() == [1, 2]


# --- hooks -------------------------------------------------------------------------------------------------------


def test_hooks_of_tasks_are_told_once_how_the_run_ended() -> None:
    log = Log()
    events = ("on_running", "on_completion", "on_failure", "on_cancellation", "on_crashed")

    @task(retries=2, **{event: [log.hook(event)] for event in events})
    def second_time_lucky(item: int) -> int:
        calls.append(item)
        if item == 1 or calls.count(item) == 1:
            raise ValueError
        return item

    with Flow("f") as built:
        second_time_lucky.map([1, 2])
    built.run()

    assert sorted(log) == sorted(
        [("on_running", "second_time_lucky", "Running")] * 5
        + [("on_failure", "second_time_lucky", "Failed"), ("on_completion", "second_time_lucky", "Success")]
    )


def test_a_task_that_is_not_run_tells_its_failure_too() -> None:
    log = Log()

    with Flow("f") as built:
        after = task(lambda x: x, name="after", on_failure=[log.hook("failure")])(fragile(2))
    built.run()

    assert log == [("failure", after.name, "TriggerFailed")]


def test_what_a_hook_raises_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(subject: Any, run: Any, state: State) -> None:
        raise RuntimeError("the hook's own")

    @flow(on_completion=broken, on_running=broken)
    def fine():
        return task(lambda: 1, name="one", on_completion=broken)()

    with caplog.at_level(logging.ERROR, "dagflow"):
        assert fine() == 1

    assert sum("the hook's own" in record.getMessage() for record in caplog.records) == 3


def test_hooks_get_facts_that_can_be_kept() -> None:
    kept: list[Any] = []

    @task(on_completion=lambda subject, run, state: kept.append(run))
    def work(x: int) -> int:
        return x

    @flow(on_completion=lambda subject, run, state: kept.append(run), flow_run_name="for {n}")
    def told(n):
        return work(n)

    told(4)
    of_task, of_flow = kept

    assert (of_task.task_name, of_task.parameters, of_task.state.result) == ("work", {"x": 4}, 4)
    assert (of_flow.name, of_flow.parameters) == ("for 4", {"n": 4})


def test_lost_workers_are_crashes() -> None:
    from dagflow.exceptions import WorkerLostError

    lost = Failed("gone", result=WorkerLostError())
    marked = Failed("gone")
    marked.context["reason"] = "infrastructure"

    assert lost.is_crashed()
    assert marked.is_crashed()
    assert not Failed("wrong", result=ValueError()).is_crashed()
    assert not Success().is_crashed()


def test_on_failure_of_two_arguments_goes_on_to_be_called_for_each_attempt() -> None:
    told: list[Any] = []

    @flow(on_failure=lambda subject, state: told.append(type(state).__name__), retries=1)
    def old_fashioned():
        return task(lambda: 1 / 0, name="broken")()

    old_fashioned.run()

    assert told == ["Failed", "Failed"]


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"), [("day {day}, {limit}", "day 3, 10"), (lambda: "made", "made"), (None, None)]
)
def test_a_run_is_named_by_a_template_of_parameters(name: Any, expected: str | None) -> None:
    @task
    def read() -> Any:
        return runtime.flow_run.name

    @flow(flow_run_name=name)
    def named(day, limit=10):
        return read()

    found = named(3)

    assert found == expected or (expected is None and len(found) == 36)
    state = named.run(day=3, flow_run_name="by hand")
    assert state.result[next(iter(named.reference_tasks()))].result == "by hand"


def test_a_template_that_names_no_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match=r"flow_run_name '\{dya\}'.*Parameters: day"):
        flow(flow_run_name="{dya}", name="f")(lambda day: None)(1)


# --- retries of tasks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("luck", "seconds"), [(0.0, 10.0), (0.5, 12.5), (1.0, 15.0)])
def test_jitter_makes_delays_longer_by_up_to_its_share(luck: float, seconds: float) -> None:
    made = task(lambda: None, name="t", retries=1, retry_delay_seconds=10, retry_jitter_factor=0.5)

    retry = retry_state(made, Failed(), 1, now=100.0, luck=luck)

    assert retry.due() == 100 + seconds  # type: ignore[attr-defined]


def test_a_condition_decides_about_another_attempt() -> None:
    asked: list[Any] = []

    def again(subject: Any, run: Any, state: State) -> bool:
        asked.append((subject.name, run.run_count, type(state.result)))
        return run.run_count < 2

    @task(retries=5, retry_condition_fn=again)
    def broken() -> None:
        raise OSError

    with Flow("f") as built:
        broken()

    assert built.run().is_failed()
    assert asked == [("broken", 1, OSError), ("broken", 2, OSError)]


def test_a_condition_that_raises_says_no(caplog: pytest.LogCaptureFixture) -> None:
    @task(retries=5, retry_condition_fn=lambda subject, run, state: 1 / 0)
    def broken() -> None:
        calls.append(1)
        raise OSError

    with Flow("f") as built:
        broken()
    with caplog.at_level(logging.ERROR, "dagflow"):
        built.run()

    assert calls == [1]
    assert any("no other attempt" in record.getMessage() for record in caplog.records)
