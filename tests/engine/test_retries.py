"""Retries: how many, when, and what handlers see of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pendulum
import pytest

from dagflow import Flow, Task, context, task
from dagflow.engine import FlowRunner, TaskRunner
from dagflow.engine.results import LocalResult
from dagflow.engine.settle import retry_delay_seconds
from dagflow.engine.signals import FAIL, PAUSE, RETRY, SKIP, TRIGGERFAIL, VALIDATIONFAIL
from dagflow.engine.state import Failed, Paused, Resume, Retrying, TimedOut, TriggerFailed
from dagflow.triggers import all_failed
from dagflow.utilities.datetimes import retry_delay
from tests.engine.record import Changes, Waits, names


def failing_until(count: int, **options: Any) -> Task:
    """Return a task that succeeds at attempt number *count*."""

    def flaky() -> int:
        if context.task_run_count < count:
            raise ValueError("again")
        return int(context.task_run_count)

    return task(flaky, **{"retry_delay": timedelta(0), **options})


def run(*tasks: Task, clock: Waits | None = None) -> Any:
    with Flow("f") as flow:
        bound = [one() for one in tasks]
    state = flow.run(runner_cls=(clock or Waits()).runner)
    return [state.result[one] for one in bound]


# --- how many ---


@pytest.mark.parametrize(("retries", "needed", "ends_well"), [(1, 2, True), (2, 3, True), (2, 4, False), (1, 3, False)])
def test_there_is_one_attempt_more_than_there_are_retries(retries: int, needed: int, ends_well: bool) -> None:
    changes = Changes()

    (state,) = run(failing_until(needed, max_retries=retries, state_handlers=[changes]))

    assert state.is_successful() is ends_well
    assert changes.count(("Running", "Failed")) == min(needed - 1, retries + 1)


def test_handlers_see_every_step_of_a_retry() -> None:
    changes = Changes()

    run(failing_until(2, max_retries=2, state_handlers=[changes]))

    assert changes == [
        ("Pending", "Running"),
        ("Running", "Failed"),
        ("Failed", "Retrying"),
        ("Retrying", "Running"),
        ("Running", "Success"),
    ]


def test_the_last_failure_stays() -> None:
    changes = Changes()

    (state,) = run(failing_until(9, max_retries=1, state_handlers=[changes]))

    assert type(state) is Failed and isinstance(state.result, ValueError)
    assert changes[-1] == ("Running", "Failed")


def test_one_pass_returns_what_waits() -> None:
    clock = Waits()
    with Flow("f") as flow:
        one = failing_until(2, max_retries=1, retry_delay=timedelta(minutes=3))()

    runner = clock.runner(flow)
    first = runner.run(return_tasks=[one])
    retry = first.result[one]
    early = runner.run(task_states={one: retry}, return_tasks=[one])
    clock.sleep(180)
    second = runner.run(task_states={one: retry}, return_tasks=[one])

    assert first.is_running() and type(retry) is Retrying and retry.run_count == 1
    assert retry.start_time == pendulum.from_timestamp(1_700_000_180)
    assert early.result[one] is retry, "its time has not come"
    assert second.is_successful() and second.result[one].result == 2


# --- which failures ---


@pytest.mark.parametrize("signal", [FAIL, TRIGGERFAIL, VALIDATIONFAIL])
def test_failing_signals_are_retried(signal: Any) -> None:
    def flaky() -> int:
        if context.task_run_count == 1:
            raise signal("again")
        return 5

    (state,) = run(task(flaky, max_retries=1, retry_delay=timedelta(0)))

    assert state.result == 5


def test_a_run_out_of_time_is_retried() -> None:
    changes = Changes()

    def slow() -> int:
        while context.task_run_count == 1:
            pass
        return 5

    (state,) = run(task(slow, timeout=1, max_retries=1, retry_delay=timedelta(0), state_handlers=[changes]))

    assert state.result == 5
    assert ("Running", "TimedOut") in changes and ("TimedOut", "Retrying") in changes


def test_a_failed_trigger_is_not_retried() -> None:
    changes = Changes()
    with Flow("f") as flow:
        task(lambda: 1, name="one", trigger=lambda states: False, max_retries=3, retry_delay=timedelta(0),
             state_handlers=[changes])()  # fmt: skip
    flow.run()

    assert changes == [("Pending", "TriggerFailed")]


@pytest.mark.parametrize(
    ("retry_on", "error", "retried"),
    [
        (ValueError, ValueError, True),
        (ValueError, UnicodeError, True),
        ((KeyError, ValueError), KeyError, True),
        (ValueError, KeyError, False),
        (None, KeyError, True),
    ],
)
def test_only_chosen_errors_may_be_retried(retry_on: Any, error: type[Exception], retried: bool) -> None:
    def flaky() -> None:
        raise error

    one = task(flaky, max_retries=1, retry_delay=timedelta(0), retry_on=retry_on)

    assert TaskRunner(one).run().is_retrying() is retried


def test_a_task_may_ask_to_be_retried_without_limit_and_without_retries_of_its_own() -> None:
    def patient() -> int:
        if context.task_run_count < 6:
            raise RETRY("not yet")
        return int(context.task_run_count)

    plain, limited = run(task(patient), task(patient, name="limited", max_retries=1, retry_delay=timedelta(0)))

    assert (plain.result, limited.result) == (6, 6)


@pytest.mark.parametrize(
    ("given", "due"),
    [
        (datetime(2024, 5, 1, 12), "2024-05-01T12:00:00+00:00"),
        (pendulum.datetime(2024, 5, 1, tz="Europe/Paris"), "2024-05-01T00:00:00+02:00"),
    ],
)
def test_a_task_may_say_when_it_wants_to_be_retried(given: datetime, due: str) -> None:
    @task
    def later() -> None:
        raise RETRY(start_time=given)

    state = TaskRunner(later).run()

    assert isinstance(state, Retrying) and state.start_time == pendulum.parse(due)


def test_a_retry_asked_for_waits_on_the_clock() -> None:
    clock = Waits()

    def later() -> int:
        if context.task_run_count == 1:
            raise RETRY(start_time=pendulum.from_timestamp(clock.now() + 90))
        return 1

    (state,) = run(task(later), clock=clock)

    assert state.result == 1 and clock.slept == [90]


def test_a_skip_and_a_pause_are_not_retried() -> None:
    changes = Changes()

    def skips() -> None:
        raise SKIP

    (state,) = run(task(skips, max_retries=2, retry_delay=timedelta(0), state_handlers=[changes]))

    assert state.is_skipped() and len(changes) == 2


def test_a_pause_between_attempts_keeps_their_count() -> None:
    def flaky() -> int:
        if context.task_run_count == 1:
            raise ValueError
        if not context.get("resume"):
            raise PAUSE
        return int(context.task_run_count)

    with Flow("f") as flow:
        one = task(flaky, max_retries=1, retry_delay=timedelta(0))()
    paused = flow.run().result[one]
    resumed = flow.run(task_states={one: Resume(context=paused.context)}).result[one]

    assert isinstance(paused, Paused) and paused.context["task_run_count"] == 2
    assert resumed.result == 2


# --- when ---


@pytest.mark.parametrize(
    ("delay", "slept"),
    [
        (timedelta(seconds=10), [10, 10, 10]),
        ([timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4)], [1, 2, 4]),
        ([1, 2], [1, 2, 2]),
        (lambda count: timedelta(seconds=count * 100), [100, 200, 300]),
        (lambda count: 10**count, [10, 100, 1000]),
        (retry_delay(seconds=5, exponential_backoff=True), [5, 10, 20]),
        (timedelta(0), []),
    ],
    ids=["length", "list", "short-list", "function", "numbers", "backoff", "none"],
)
def test_delays_may_be_a_length_a_list_or_a_function(delay: Any, slept: list[float]) -> None:
    clock = Waits()

    (state,) = run(failing_until(4, max_retries=3, retry_delay=delay), clock=clock)

    assert state.result == 4
    assert [round(seconds) for seconds in clock.slept] == slept


def test_a_delay_is_asked_for_by_the_number_of_the_attempt() -> None:
    asked: list[int] = []

    def delay(count: int) -> timedelta:
        asked.append(count)
        return timedelta(0)

    run(failing_until(3, max_retries=5, retry_delay=delay))

    assert asked == [1, 2]
    assert retry_delay_seconds(Task(max_retries=1, retry_delay=timedelta(minutes=1)), 1) == 60


# --- beside other things ---


def test_who_follows_waits_for_the_retries() -> None:
    with Flow("f") as flow:
        one = failing_until(3, max_retries=2)()
        after = task(lambda x: x * 10, name="after")(one)
        failed = task(lambda x: x, name="failed", trigger=all_failed)(one)
    state = flow.run(runner_cls=Waits().runner)

    assert state.result[after].result == 30
    assert type(state.result[failed]) is TriggerFailed


def test_only_the_children_that_failed_run_again() -> None:
    ran: list[int] = []

    def flaky(x: int) -> int:
        ran.append(x)
        if x == 1 and context.task_run_count == 1:
            raise ValueError
        return x * 10

    with Flow("f") as flow:
        one = task(flaky, max_retries=1, retry_delay=timedelta(minutes=1)).map([0, 1, 2])
        two = task(lambda x: x + 1, name="two").map(one)
        whole = task(lambda xs: xs, name="whole")(one)
    clock = Waits()
    first = clock.runner(flow).run(return_tasks=[one, two, whole])
    children = first.result[one].map_states
    state = flow.run(runner_cls=clock.runner)

    assert names(children) == ["Success", "Retrying", "Success"]
    assert names(first.result[two].map_states)[::2] == ["Success", "Success"], "finished siblings go on"
    assert first.is_running() and first.result[whole].is_pending(), "who takes the whole waits"
    assert ran == [0, 1, 2, 0, 1, 2, 1]
    assert state.result[two].result == [1, 11, 21] and state.result[whole].result == [0, 10, 20]


def test_a_later_pass_runs_the_waiting_children_only() -> None:
    ran: list[int] = []

    def flaky(x: int) -> int:
        ran.append(x)
        if x == 1 and context.task_run_count == 1:
            raise ValueError
        return x * 10

    with Flow("f") as flow:
        one = task(flaky, max_retries=1, retry_delay=timedelta(0)).map([0, 1, 2])
    first = FlowRunner(flow).run(return_tasks=[one])
    kept = first.result[one].map_states[0]
    second = FlowRunner(flow).run(task_states=first.result, return_tasks=[one])

    assert ran == [0, 1, 2, 1]
    assert second.result[one].map_states[0] is kept and second.result[one].result == [0, 10, 20]


def test_a_value_is_written_by_the_attempt_that_made_it(tmp_path: Any) -> None:
    one = failing_until(2, max_retries=1, result=LocalResult(dir=str(tmp_path), location="{task_run_count}"))
    with Flow("f") as flow:
        one()

    flow.run(context={"checkpointing": True})

    assert [path.name for path in tmp_path.iterdir()] == ["2"]


@pytest.mark.parametrize("delay", [lambda count: 1 / 0, lambda count: "soon"])
def test_a_delay_that_cannot_be_had_fails_the_task_only(delay: Callable[[int], Any]) -> None:
    broken, fine = run(failing_until(2, max_retries=1, retry_delay=delay), task(lambda: 1, name="fine"))

    assert type(broken) is Failed and fine.is_successful()
    assert not isinstance(broken, TimedOut)
