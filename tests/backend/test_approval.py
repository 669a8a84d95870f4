"""Runs that wait for somebody: for a word, or for a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from dagflow.backend import FlowRunView
from dagflow.cli import cli
from dagflow.core.flow import Flow
from dagflow.engine.results import PrefectResult
from dagflow.engine.signals import PAUSE
from dagflow.exceptions import InvalidRequestError
from dagflow.harness import Harness
from dagflow.storage import Module
from dagflow.testing import flow_test_harness
from dagflow.utilities.context import context
from dagflow.utilities.tasks import pause_task, task


class Order(BaseModel):
    """What somebody is asked for."""

    number: int
    colour: str = "red"


@task(name="ask")
def ask() -> str:
    order = pause_task("How many?", wait_for_input=Order)
    return f"{order.number} {order.colour}"


@task(name="raw")
def raw() -> Any:
    if not context.get("resume"):
        raise PAUSE("Which?", wait_for_input=list[int])
    return context.resume_input


with Flow("asking", result=PrefectResult()) as asking:
    ask()
with Flow("raw", result=PrefectResult()) as waiting:
    raw()


@pytest.fixture
def harness() -> Iterator[Harness]:
    asking.storage, waiting.storage = Module(__name__), Module(__name__)
    with flow_test_harness() as one:
        yield one


def result_of(harness: Harness, run: FlowRunView, slug: str) -> Any:
    """Let an agent take the run up, and return the value of a task."""
    assert harness.agent(run.labels).work() == [run.flow_run_id]
    now = run.get_latest()
    assert now.state.is_successful()
    return now.get_task_run(slug).get_result()


def test_a_task_goes_on_with_the_value_that_it_waited_for(harness: Harness) -> None:
    run = harness.run(asking)
    paused = run.get_task_run("ask-1").state

    assert type(paused).__name__ == "Paused" and paused.message == "How many?"
    assert harness.agent(run.labels).work() == [], "nobody works on it meanwhile"
    assert harness.client.approve_flow_run(run.flow_run_id, value={"number": "3"}) == 1

    assert result_of(harness, run, "ask-1") == "3 red"


def test_the_value_is_in_the_context_of_the_attempt_that_goes_on(harness: Harness) -> None:
    run = harness.run(waiting)

    harness.client.approve_flow_run(run.flow_run_id, value=[1, 2])

    assert result_of(harness, run, "raw-1") == [1, 2]


def test_a_value_that_does_not_fit_leaves_the_task_waiting(harness: Harness) -> None:
    run = harness.run(asking)

    with pytest.raises(InvalidRequestError, match="number"):
        harness.client.approve_flow_run(run.flow_run_id, value={"colour": "blue"})

    assert type(run.get_latest().get_task_run("ask-1").state).__name__ == "Paused"


def test_a_value_is_given_on_the_command_line(harness: Harness) -> None:
    run = harness.run(asking)

    wrong = CliRunner().invoke(cli, ["flow-run", "approve", run.flow_run_id, "--input", "five"])
    right = CliRunner().invoke(cli, ["flow-run", "approve", run.flow_run_id, "--input", '{"number": 5}'])

    assert wrong.exit_code != 0 and "expected an object" in wrong.stderr
    assert right.exit_code == 0 and "1 task runs" in right.stderr
    assert result_of(harness, run, "ask-1") == "5 red"
