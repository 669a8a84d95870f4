"""Triggers, as a table."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from dagflow import triggers
from dagflow.core.annotations import unmapped
from dagflow.core.edge import Edge
from dagflow.core.flow import Flow
from dagflow.core.task import Task
from dagflow.engine import TaskRunner
from dagflow.engine.signals import PAUSE, SKIP, TRIGGERFAIL
from dagflow.engine.state import (
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Pending,
    Resume,
    Skipped,
    State,
    Success,
    TriggerFailed,
)
from dagflow.tasks.control_flow import merge
from dagflow.utilities.context import context
from dagflow.utilities.tasks import task

S, F, K, C = Success, Failed, Skipped, Cancelled
CASES: dict[str, list[Any]] = {
    "S S": [S, S], "S F": [S, F], "F F": [F, F], "K K": [K, K], "K S": [K, S], "K F": [K, F], "C": [C],
    "Mapped[]": [Mapped], "none": [],
}  # fmt: skip
GO, TF, SK, PA = "go", "TRIGGERFAIL", "SKIP", "PAUSE"
EXPECTED = {
    "all_successful": [GO, TF, TF, GO, GO, TF, TF, GO, GO],
    "all_failed": [TF, TF, GO, TF, TF, TF, TF, GO, GO],
    "any_successful": [GO, GO, TF, GO, GO, GO, TF, TF, GO],
    "any_failed": [TF, GO, GO, TF, TF, GO, TF, TF, GO],
    "all_finished": [GO, GO, GO, GO, GO, GO, GO, GO, GO],
    "always_run": [GO, GO, GO, GO, GO, GO, GO, GO, GO],
    # A map without children has nothing that was not skipped; a task that waits for none goes, unlike in Prefect 0.15.
    "not_all_skipped": [GO, TF, TF, SK, GO, TF, TF, SK, GO],
    "manual_only": [PA] * 9,
}
ROWS = [(name, case, answers[i]) for name, answers in EXPECTED.items() for i, case in enumerate(CASES)]


def upstream(classes: list[type[State]]) -> dict[Edge, State]:
    return {Edge(Task(), Task()): cls() for cls in classes}


def answer(trigger: Any, states: dict[Edge, State]) -> str:
    try:
        return GO if trigger(states) else "false"
    except (TRIGGERFAIL, SKIP, PAUSE) as signal:
        return type(signal).__name__


@pytest.mark.parametrize(("name", "case", "expected"), ROWS)
def test_the_table_holds(name: str, case: str, expected: str) -> None:
    assert answer(getattr(triggers, name), upstream(CASES[case])) == expected


def test_manual_only_goes_when_resumed() -> None:
    with context(resume=True):
        assert answer(triggers.manual_only, upstream([F])) == GO


@pytest.mark.parametrize(("at_least", "at_most", "failed", "expected"), [
    (None, None, 2, GO), (1, None, 1, GO), (2, None, 1, TF), (None, 0, 0, GO), (None, 0, 1, TF), (0.5, None, 2, GO),
    (0.5, None, 1, TF), (1.0, None, 1, GO), (None, 0.5, 2, GO), (None, 0.5, 3, TF), (1, 2, 2, GO), (1, 2, 3, TF),
])  # fmt: skip
def test_some_failed_counts_with_both_bounds_included(
    at_least: Any, at_most: Any, failed: int, expected: str
) -> None:
    states = upstream([F] * failed + [S] * (4 - failed))

    assert answer(triggers.some_failed(at_least, at_most), states) == expected
    assert answer(triggers.some_successful(at_least, at_most), upstream([S] * failed + [F] * (4 - failed))) == expected


def test_some_triggers_pickle_and_go_without_upstream() -> None:
    trigger = pickle.loads(pickle.dumps(triggers.some_failed(at_least=2)))

    assert trigger == triggers.some_failed(at_least=2) != triggers.some_successful(at_least=2)
    assert answer(trigger, {}) == GO
    assert repr(trigger) == "some_failed(at_least=2, at_most=None)"


def test_children_stand_for_a_mapped_task() -> None:
    mapped: dict[Edge, State] = {Edge(Task(), Task()): Mapped(map_states=[Success(), Failed()])}

    assert answer(triggers.all_successful, mapped) == TF
    assert answer(triggers.any_failed, mapped) == GO


def test_one_task_that_feeds_two_arguments_counts_once() -> None:
    one, state, taker = Task(), Failed(), Task()
    states: dict[Edge, State] = {Edge(one, taker, key="a"): state, Edge(one, taker, key="b"): state}

    assert answer(triggers.some_failed(at_least=2), states) == TF


@pytest.mark.parametrize("falsy", [False, None, 0])
def test_a_false_answer_is_trigger_failed(falsy: Any) -> None:
    state = TaskRunner(Task(trigger=lambda states: falsy)).run()

    assert type(state) is TriggerFailed and state.message == "Trigger failed"


def test_an_exception_in_a_trigger_is_its_result() -> None:
    state = TaskRunner(Task(trigger=lambda states: 1 / 0)).run()

    assert type(state) is TriggerFailed and isinstance(state.result, ZeroDivisionError)


def test_a_trigger_sees_the_context_of_the_run() -> None:
    seen = []

    @task(trigger=lambda states: seen.append((context.task_name, context.map_index)) or True)
    def watched(x: int) -> int:
        return x

    with Flow("f") as flow:
        watched.map([1, 2])

    flow.run()

    assert seen == [("watched", 0), ("watched", 1)]


def test_a_manual_task_pauses_and_goes_on_when_resumed() -> None:
    @task(trigger=triggers.manual_only)
    def manual() -> int:
        return 1

    with Flow("f") as flow:
        m = manual()

    paused = flow.run(task_states={m: Pending()})
    resumed = flow.run(task_states={m: Resume()})

    assert isinstance(paused.result[m], Paused) and paused.is_running()
    assert resumed.result[m].result == 1


def test_a_task_whose_upstreams_were_all_skipped_hands_on_nothing() -> None:
    with pytest.raises(SKIP) as raised:
        triggers.not_all_skipped({Edge(Task("a"), Task("b")): Skipped()})

    assert raised.value.state.result is None


def test_a_value_bound_to_an_argument_counts_as_an_upstream_task_that_succeeded() -> None:
    @task(trigger=triggers.all_failed)
    def all_failed(x: Any) -> str:
        return "ran"

    @task(trigger=triggers.any_successful)
    def any_successful(x: Any) -> str:
        return "ran"

    with Flow("constants") as flow:
        broken = task(lambda: 1 / 0, name="broken")()
        refused = all_failed(1, upstream_tasks=[broken])
        free = any_successful(1, upstream_tasks=[broken])
        child = any_successful.map([2], upstream_tasks=[unmapped(broken)])

    state = flow.run()

    assert type(state.result[refused]) is TriggerFailed
    assert state.result[free].result == "ran"
    assert state.result[child].result == ["ran"]


def test_a_merge_falls_back_on_a_value() -> None:
    @task
    def skips() -> None:
        raise SKIP("not today")

    with Flow("fallback") as flow:
        merged = merge(skips(), "default")

    assert flow.run().result[merged].result == "default"
