"""What the states of its tasks make of a flow."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dagflow import Flow, task
from dagflow.engine.outcome import cancelled_among, flow_outcome
from dagflow.engine.signals import ENDRUN
from dagflow.engine.state import (
    Cached,
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Skipped,
    State,
    Success,
    TimedOut,
    TriggerFailed,
)
from dagflow.triggers import always_run

OK, BAD = Success(), Failed()


@pytest.mark.parametrize(
    ("terminal", "reference", "kind", "message"),
    [
        ([], [], Success, "All reference tasks succeeded."),
        ([OK], [OK], Success, "All reference tasks succeeded."),
        ([OK, Cached(), Skipped()], [OK, Cached(), Skipped()], Success, "All reference tasks succeeded."),
        ([OK], [BAD, OK], Failed, "Some reference tasks failed."),
        ([BAD], [OK], Success, "All reference tasks succeeded."),
        ([OK], [TimedOut()], Failed, "Some reference tasks failed."),
        ([OK], [TriggerFailed()], Failed, "Some reference tasks failed."),
        ([Mapped(map_states=[OK, BAD])], [Mapped(map_states=[OK, BAD])], Failed, "Some reference tasks failed."),
        ([Mapped()], [Mapped()], Success, "All reference tasks succeeded."),
        ([Cancelled()], [Cancelled(), OK], Success, "No reference tasks failed."),
        ([Cancelled()], [Cancelled(), BAD], Failed, "Some reference tasks failed."),
    ],
)
def test_reference_tasks_decide(
    terminal: list[State], reference: list[State], kind: type[State], message: str
) -> None:
    state = flow_outcome(terminal, reference)

    assert type(state) is kind and state.message == message


@pytest.mark.parametrize("unfinished", [Pending(), Running(), Retrying(), Paused(), Mapped(map_states=[OK, None])])
def test_an_unfinished_end_leaves_the_flow_running(unfinished: State) -> None:
    assert type(flow_outcome([OK, unfinished], [BAD])) is Running
    assert type(flow_outcome([OK], [OK])) is Success


@task
def boom() -> None:
    raise ValueError


@task(trigger=always_run)
def tidy() -> int:
    return 1


def test_a_last_task_that_always_runs_hides_a_failure_unless_references_are_set() -> None:
    with Flow("f") as flow:
        b = boom()
        tidy(upstream_tasks=[b])

    assert flow.run().is_successful()
    flow.set_reference_tasks([b])
    assert flow.run().is_failed()


def test_an_empty_flow_succeeds_with_nothing() -> None:
    state = Flow("empty").run()

    assert state.is_successful() and state.result == {}


def test_a_cancelled_reference_task_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def cancelled() -> Any:
        raise ENDRUN(Cancelled("stopped"))

    with Flow("f") as flow:
        c = cancelled()
    with caplog.at_level(logging.WARNING):
        state = flow.run()

    assert type(state) is Success and state.message == "No reference tasks failed."
    assert type(state.result[c]) is Cancelled
    assert any("cancelled" in message for message in caplog.messages)
    assert cancelled_among([Mapped(map_states=[OK, Cancelled()])])
