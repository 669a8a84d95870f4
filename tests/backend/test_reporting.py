"""States on their way to the server that it will not take as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dagflow import Flow, Task, task
from dagflow.backend import FlowRunView
from dagflow.engine import signals
from dagflow.engine.results import PrefectResult
from dagflow.engine.state import State, Success
from dagflow.harness import Harness
from dagflow.testing import flow_test_harness
from dagflow.utilities.configuration import set_temporary_config

HUGE = 2_000_000


@pytest.fixture(autouse=True)
def harness() -> Iterator[Harness]:
    # Whatever is taken for an outage stops the run at once, instead of holding up the test.
    with flow_test_harness() as here, set_temporary_config({"cloud.outage_patience": 0.0}):
        yield here


def run_of(harness: Harness, function: Any, **options: Any) -> tuple[FlowRunView, dict[str, Any]]:
    with Flow("odd", result=PrefectResult()) as flow:
        task(function, name="odd", **options)()
        task(lambda: 1, name="beside")()
    run = harness.run(flow)
    (row,) = harness.client.get(f"flow_runs/{run.flow_run_id}/task_runs", {"task_slug": "odd-1"})["items"]
    return run, row["serialized_state"]


def test_a_long_message_is_cut_and_says_so(harness: Harness) -> None:
    def fails() -> None:
        raise ValueError("x" * HUGE)

    run, document = run_of(harness, fails)

    assert (run.state.is_failed(), document["type"]) == (True, "Failed")
    assert document["message"].endswith("characters, cut here)")


def test_a_message_with_letters_that_no_text_can_hold_is_recorded(harness: Harness) -> None:
    def fails() -> None:
        raise signals.FAIL("no file \udcff.txt")

    run, document = run_of(harness, fails)

    assert run.state.is_failed()
    assert document["message"] == "no file \\udcff.txt"


def test_a_result_that_is_too_large_for_a_state_is_left_out_and_the_log_says_so(harness: Harness) -> None:
    run, document = run_of(harness, lambda: "x" * HUGE)

    assert run.state.is_successful()
    assert (document["type"], document["context"]) == ("Success", {"result_kept": False})


@pytest.mark.parametrize("context", [{"text": "\udcff"}, {"text": "x" * HUGE}])
def test_a_context_that_cannot_be_sent_costs_the_context_and_nothing_else(
    harness: Harness, context: dict[str, Any]
) -> None:
    def noted(task: Task, old: State, new: State) -> State:
        if new.is_successful():
            new.context.update(context)
        return new

    run, document = run_of(harness, lambda: 1, state_handlers=[noted])

    assert run.state.is_successful()
    assert document["type"] == "Success"
    rows = harness.client.get(f"flow_runs/{run.flow_run_id}/task_runs")["items"]
    assert {row["state"] for row in rows} == {"Success"}


class Reviewed(Success):
    """A kind of state of a user's own."""


def test_a_state_of_a_users_own_is_recorded_as_what_it_was_made_from(harness: Harness) -> None:
    def reviewed(task: Task, old: State, new: State) -> State:
        return Reviewed("Looked at twice.", result=new.result) if new.is_successful() else new

    run, document = run_of(harness, lambda: 1, state_handlers=[reviewed])

    assert run.state.is_successful()
    assert (document["type"], document["message"]) == ("Success", "Looked at twice.")
