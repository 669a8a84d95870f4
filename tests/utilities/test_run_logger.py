"""``get_run_logger`` and ``log_prints``."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dagflow import Flow, disable_run_logger, flow, get_run_logger, task
from dagflow.engine.state import State
from dagflow.executors import LocalDaskExecutor
from dagflow.utilities.configuration import set_temporary_config


def messages(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == f"dagflow.{name}"]


def test_in_a_task_it_is_the_logger_of_the_task_run_and_in_a_handler_that_of_the_flow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def handler(subject: Flow, old: State, new: State) -> None:
        get_run_logger().info("flow is %s", type(new).__name__)

    @task
    def work(x: int) -> None:
        get_run_logger(colour="red").info("working on %s", x)

    @flow(state_handlers=[handler])
    def logged():
        return work.map([1, 2])

    with caplog.at_level(logging.INFO, "dagflow"):
        logged()

    assert "working on 1" in messages(caplog, "work[0]")
    assert "working on 2" in messages(caplog, "work[1]")
    of_flow = [one for one in messages(caplog, "logged") if one.startswith("flow is")]
    assert of_flow == ["flow is Running", "flow is Success"]
    assert [record.colour for record in caplog.records if "working" in record.getMessage()] == ["red", "red"]  # type: ignore[attr-defined]


def test_outside_a_run_there_is_none_unless_that_is_allowed(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError, match="disable_run_logger"):
        get_run_logger()

    with caplog.at_level(logging.DEBUG), disable_run_logger():
        get_run_logger().error("nobody reads this")

    assert caplog.records == []


@pytest.mark.parametrize(
    ("of_flow", "of_task", "setting", "logged"),
    [
        (None, {}, False, False),
        (True, {}, False, True),
        (True, {"log_prints": False}, False, False),
        (False, {"log_prints": True}, False, True),
        (None, {"log_prints": True}, False, True),
        (None, {"log_stdout": True}, False, True),
        (None, {}, True, True),
        (False, {}, True, False),
        (None, {"log_prints": False}, True, False),
    ],
)
@pytest.mark.parametrize("executor", [None, LocalDaskExecutor("threads")])
def test_prints_become_log_lines_where_the_task_or_else_the_flow_says_so(
    of_flow: bool | None,
    of_task: dict[str, Any],
    setting: bool,
    logged: bool,
    executor: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @flow(log_prints=of_flow)
    def prints():
        return task(lambda: print("hello"), name="speaks", **of_task)()

    with set_temporary_config({"logging.log_prints": setting}), caplog.at_level(logging.INFO, "dagflow"):
        prints.run(executor=executor)

    assert ("hello" in messages(caplog, "speaks")) is logged


def test_prints_while_tracing_go_to_the_console(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    @flow(log_prints=True)
    def chatty():
        print("wiring")
        return task(lambda: 1, name="one")()

    with caplog.at_level(logging.INFO, "dagflow"):
        chatty.tasks  # noqa: B018

    assert "wiring" in capsys.readouterr().out
    assert caplog.records == []
