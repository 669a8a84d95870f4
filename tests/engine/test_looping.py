"""Looping: a task that sends itself round again."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, context, task
from dagflow.core.edge import Edge
from dagflow.engine import FlowRunner, TaskRunner
from dagflow.engine.results import LocalResult
from dagflow.engine.serializers import JSONSerializer
from dagflow.engine.signals import FAIL, LOOP
from dagflow.engine.state import Failed, Looped, State, Success
from dagflow.executors import LocalDaskExecutor
from tests.engine.record import Changes


def count_to(n: int) -> Any:
    """Count, one round at a time, and return what the rounds found in their context."""
    rounds = context.get("task_loop_result", [])
    found = [*rounds, (context.get("task_loop_count"), context.task_run_count)]
    if len(found) < n:
        raise LOOP(result=found)
    return found


def test_a_loop_finds_its_number_and_its_result_in_the_context() -> None:
    assert TaskRunner(task(count_to)).run(upstream_states=given(n=3)).result == [(None, 1), (2, 1), (3, 1)]


def given(**values: Any) -> dict[Edge, State]:
    one = task(count_to)
    return {Edge(task(lambda: None, name=key), one, key=key): Success(result=value) for key, value in values.items()}


def test_a_loop_may_go_round_for_long() -> None:
    @task
    def endless() -> int:
        done: int = context.get("task_loop_result", 0)
        if done == 5000:
            return done
        raise LOOP(result=done + 1)

    assert TaskRunner(endless).run().result == 5000


def test_a_loop_may_start_anywhere() -> None:
    @task
    def late() -> Any:
        if context.get("task_loop_count", 1) < 12:
            raise LOOP(loop_count=max(context.get("task_loop_count", 0), 10))
        return context.task_loop_count

    assert TaskRunner(late).run().result == 12


def test_a_loop_without_a_result_hands_on_what_the_signal_says() -> None:
    @task
    def once() -> Any:
        if "task_loop_count" not in context:
            raise LOOP("round and round")
        return context.task_loop_result

    assert TaskRunner(once).run().result == "LOOP('round and round')"


def test_handlers_see_every_round_and_the_log_one_run(caplog: pytest.LogCaptureFixture) -> None:
    changes = Changes()
    caplog.set_level(logging.INFO)

    TaskRunner(task(count_to, state_handlers=[changes])).run(upstream_states=given(n=2))

    assert changes == [
        ("Pending", "Running"),
        ("Running", "Looped"),
        ("Pending", "Running"),
        ("Running", "Success"),
    ]
    assert sum("Starting task run" in message for message in caplog.messages) == 1
    assert sum("Finished task run" in message for message in caplog.messages) == 1


def test_a_handler_may_end_a_loop() -> None:
    def enough(subject: Any, old: State, new: State) -> State | None:
        return Success("enough", result=new.result) if isinstance(new, Looped) and len(new.result) == 2 else None

    state = TaskRunner(task(count_to, state_handlers=[enough])).run(upstream_states=given(n=9))

    assert state.message == "enough" and len(state.result) == 2


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_each_child_loops_for_itself(scheduler: str) -> None:
    @task
    def factorial(n: int) -> Any:
        i, product = context.get("task_loop_count", 1), context.get("task_loop_result", 1)
        if i > n:
            return product
        raise LOOP(result=product * i)

    with Flow("f") as flow:
        f = factorial.map([3, 5, 0])

    assert flow.run(executor=LocalDaskExecutor(scheduler, num_workers=1)).result[f].result == [6, 120, 1]


# --- with retries ---


def flaky_rounds() -> Any:
    """Three rounds; the first attempt of each fails."""
    rounds = context.get("task_loop_result", [])
    if context.task_run_count == 1:
        raise ValueError("again")
    found = [*rounds, (context.get("task_loop_count", 1), context.task_run_count)]
    if len(found) < 3:
        raise LOOP(result=found)
    return found


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_every_round_has_retries_of_its_own_and_goes_on_where_it_failed(mapped: bool, scheduler: str) -> None:
    with Flow("f") as flow:
        one = task(flaky_rounds, max_retries=1, retry_delay=timedelta(0))
        bound = one.map(upstream_tasks=[[1, 2]]) if mapped else one()

    state = flow.run(executor=LocalDaskExecutor(scheduler, num_workers=1))

    expected = [(1, 2), (2, 2), (3, 2)]
    assert state.result[bound].result == ([expected, expected] if mapped else expected)


def test_a_round_that_runs_out_of_retries_fails_the_task() -> None:
    def breaks() -> Any:
        if context.get("task_loop_count", 1) == 2:
            raise FAIL("the second round")
        raise LOOP(result=1)

    with Flow("f") as flow:
        one = task(breaks, max_retries=1, retry_delay=timedelta(0))()
    state = flow.run().result[one]

    assert type(state) is Failed and state.message == "the second round"
    assert [kind for _, _, kind in state.earlier_attempts] == ["Retrying"]


# --- with results ---


def test_every_round_is_written(tmp_path: Path) -> None:
    store = LocalResult(dir=str(tmp_path), location="{task_loop_count}.json", serializer=JSONSerializer())

    def rounds() -> Any:
        count = context.get("task_loop_count", 1)
        if count < 3:
            raise LOOP(result=count * 10)
        return count * 10

    with Flow("f") as flow:
        task(rounds, result=store, task_run_name="x")()
    FlowRunner(flow).run(context={"checkpointing": True, "task_loop_count": 1})

    assert {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()} == {
        "1.json": 10,
        "2.json": 20,
        "3.json": 30,
    }


def test_a_rounds_result_is_written_before_its_retry(tmp_path: Path) -> None:
    store = LocalResult(dir=str(tmp_path), location="one")

    def rounds() -> Any:
        if "task_loop_count" not in context:
            raise LOOP(result="first")
        raise ValueError

    with Flow("f") as flow:
        one = task(rounds, result=store, max_retries=1, retry_delay=timedelta(minutes=1))()
    state = FlowRunner(flow).run(context={"checkpointing": True}, return_tasks=[one])

    assert state.result[one].is_retrying() and state.result[one].loop == (2, "first")
    assert store.read(str(tmp_path / "one")).value == "first"
