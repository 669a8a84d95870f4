"""``dagflow.runtime``: what a line of code may ask about its run."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import dagflow
from dagflow import Flow, flow, runtime, tags, task
from dagflow.executors import LocalDaskExecutor


@task
def facts(x: int, y: int = 2) -> dict[str, Any]:
    own, whole = runtime.task_run, runtime.flow_run
    return {
        "task": (own.task_name, own.slug, own.tags, own.run_count, own.map_index, own.parameters),
        "flow": (whole.flow_name, whole.name, whole.parameters, whole.run_count),
        "ids": (own.id, whole.id),
    }


@flow(flow_run_name="run of {n}")
def asks(n):
    with tags("b", "a"):
        return facts.map([n, 5])


@pytest.mark.parametrize("executor", [None, LocalDaskExecutor("threads"), LocalDaskExecutor("processes")])
def test_a_task_can_ask_about_itself_and_its_flow(executor: Any) -> None:
    state = asks.run(n=1, flow_run_id="the-id", executor=executor)
    (made,) = asks.reference_tasks()
    first, second = state.result[made].result

    assert first["task"] == ("facts", "facts-a-b-1", ["a", "b"], 1, 0, {"x": 1})
    assert second["task"][4:] == (1, {"x": 5})
    assert first["flow"] == ("asks", "run of 1", {"n": 1}, 1)
    assert first["ids"][1] == "the-id"
    assert first["ids"][0] != second["ids"][0]


def test_outside_a_run_there_is_nothing() -> None:
    assert (runtime.flow_run.id, runtime.flow_run.name, runtime.flow_run.parameters) == (None, None, {})
    assert (runtime.task_run.id, runtime.task_run.tags, runtime.task_run.parameters) == (None, [], {})


def test_facts_are_read_only_and_known_by_name() -> None:
    with pytest.raises(AttributeError, match="read-only"):
        runtime.flow_run.name = "x"
    with pytest.raises(AttributeError, match="Did you mean 'parameters'"):
        runtime.flow_run.paramters  # noqa: B018
    assert "run_count" in dir(runtime.task_run)


def test_a_snapshot_can_be_kept_and_sent() -> None:
    with dagflow.context(flow_run_id="1", flow_run_name="one"):
        kept = runtime.snapshot("flow")

    there = pickle.loads(pickle.dumps(kept))

    assert (kept.id, there.id, there.name, there.state) == ("1", "1", "one", None)
    assert repr(kept) == "<flow run: one>"


def test_a_task_that_a_flow_calls_inside_another_sees_the_inner_run() -> None:
    @flow
    def inner(n):
        return facts(n)

    @task
    def outer() -> Any:
        return inner(7)["flow"]

    with Flow("outer") as built:
        made = outer()

    found = built.run().result[made].result
    assert found[0] == "inner"
    assert found[2] == {"n": 7}
