"""Flows that are called inside others with ``nested="run"``, under a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, flow, task
from dagflow.backend.execution import execute_flow_run
from dagflow.engine.results import LocalResult
from dagflow.harness import Harness
from dagflow.testing import flow_test_harness

FAILS: list[Exception] = []


@pytest.fixture
def harness() -> Iterator[Harness]:
    FAILS.clear()
    with flow_test_harness() as here:
        yield here


def failing() -> None:
    if FAILS:
        raise FAILS.pop()


@task
def add(x: int, y: int = 1) -> int:
    failing()
    return x + y


@flow(nested="run")
def child(x: int, y: int = 10) -> Any:
    return {"sums": add.map([x, y]), "y": y, "one": add(x)}


@flow
def parent(start: int = 5) -> Any:
    return child(start)


def registered(harness: Harness, made: Flow, project: str = "p") -> str:
    made = made.copy()
    made.result = LocalResult(dir=str(Path(harness.folder) / "results"))
    return harness.register(made, project)


@pytest.fixture
def executed(harness: Harness) -> Iterator[Any]:
    """Return a function that executes a run while an agent beside takes the runs of the child."""
    ended = threading.Event()
    agent = harness.client.register_agent("beside")

    def work(flow_id: str) -> None:
        while not ended.wait(0.05):
            for taken in harness.client.post(f"agents/{agent}/claim", {"flow_ids": [flow_id]})["runs"]:
                execute_flow_run(taken["flow_run"]["id"], harness.client, token=taken["run_token"])

    def execute(run_id: str, child_id: str) -> Any:
        thread = threading.Thread(target=work, args=(child_id,))
        thread.start()
        try:
            return execute_flow_run(run_id, harness.client)
        finally:
            ended.set()
            thread.join()
            ended.clear()

    yield execute


def value_of(harness: Harness, run_id: str) -> Any:
    from dagflow.backend import FlowRunView

    return FlowRunView.from_flow_run_id(run_id).get_task_run("child-1").get_result()


def children(harness: Harness, flow_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = harness.client.get("flow_runs", {"flow_id": flow_id})["items"]
    return rows


def test_the_child_is_a_run_of_its_own_and_its_values_come_back(harness: Harness, executed: Any) -> None:
    child_id, parent_id = registered(harness, child), registered(harness, parent)
    run_id = harness.client.create_flow_run(flow_id=parent_id)

    state = executed(run_id, child_id)

    (made,) = children(harness, child_id)
    (caller,) = harness.client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": "child-1"})["items"]
    assert state.is_successful()
    assert value_of(harness, run_id) == {"sums": [6, 11], "y": 10, "one": 6}
    assert made["parent_task_run_id"] == caller["id"]


def test_a_child_that_fails_fails_the_task_and_is_run_anew_when_the_parent_is_restarted(
    harness: Harness, executed: Any
) -> None:
    FAILS.append(ValueError("not today"))
    child_id, parent_id = registered(harness, child), registered(harness, parent)
    run_id = harness.client.create_flow_run(flow_id=parent_id)

    failed = executed(run_id, child_id)
    harness.client.restart_flow_run(run_id)
    state = executed(run_id, child_id)

    assert failed.is_failed()
    assert state.is_successful()
    assert sorted(one["state"] for one in children(harness, child_id)) == ["Failed", "Success"]


def test_a_child_that_is_not_registered_in_the_project_is_named(harness: Harness, executed: Any) -> None:
    child_id, parent_id = registered(harness, child, "elsewhere"), registered(harness, parent)
    run_id = harness.client.create_flow_run(flow_id=parent_id)

    state = executed(run_id, child_id)

    (row,) = harness.client.get(f"flow_runs/{run_id}/task_runs", {"task_slug": "child-1"})["items"]
    assert state.is_failed()
    assert "not registered in project 'p'. Register it there, or use nested='inline'." in row["state_message"]
