"""What a run writes to the log."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from dagflow import Flow, context, task
from dagflow.engine.signals import FAIL
from dagflow.executors import LocalDaskExecutor
from dagflow.utilities.logging import temporary_logger_config
from tests.engine.record import Waits


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "dagflow")
    return caplog


def found(lines: pytest.LogCaptureFixture, name: str, level: int) -> list[str]:
    return [record.getMessage() for record in lines.records if record.name == name and record.levelno == level]


def run(function: Any, **options: Any) -> None:
    with Flow("my flow") as flow:
        task(function, **{"name": "one", **options})()
    flow.run(runner_cls=Waits().runner)


def test_a_run_says_when_flow_and_tasks_start_and_how_they_end(lines: pytest.LogCaptureFixture) -> None:
    run(lambda: 1)

    assert found(lines, "dagflow.FlowRunner", logging.INFO) == [
        "Beginning Flow run for 'my flow'",
        "Flow run SUCCESS: All reference tasks succeeded.",
    ]
    assert found(lines, "dagflow.TaskRunner", logging.INFO) == [
        "Task 'one': Starting task run...",
        "Task 'one': Finished task run for task with final state: 'Success'",
    ]


def test_changes_of_state_are_for_those_who_look_closely(lines: pytest.LogCaptureFixture) -> None:
    run(lambda: 1)

    changes = found(lines, "dagflow.TaskRunner", logging.DEBUG)
    assert any("from Pending to Running" in line for line in changes)
    assert any("from Running to Success" in line for line in changes)


def test_an_exception_is_an_error_with_its_traceback(lines: pytest.LogCaptureFixture) -> None:
    run(lambda: 1 / 0)

    (record,) = [one for one in lines.records if one.levelno == logging.ERROR]
    assert "'one'" in record.getMessage() and record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_a_signal_is_no_error(lines: pytest.LogCaptureFixture) -> None:
    def signals() -> None:
        raise FAIL("on purpose")

    run(signals)

    assert [one for one in lines.records if one.levelno >= logging.ERROR] == []


def test_waiting_is_announced(lines: pytest.LogCaptureFixture) -> None:
    def flaky() -> None:
        if context.task_run_count == 1:
            raise ValueError

    run(flaky, max_retries=1, retry_delay=timedelta(seconds=90))

    assert any("90.0 s" in line for line in found(lines, "dagflow.FlowRunner", logging.INFO)) or any(
        "90.0 s" in line for line in found(lines, "dagflow.TaskRunner", logging.INFO)
    )


def test_children_are_named_with_their_number(lines: pytest.LogCaptureFixture) -> None:
    with Flow("f") as flow:
        task(lambda x: x, name="one").map([1, 2])
    flow.run()

    assert "Task 'one[1]': Starting task run..." in found(lines, "dagflow.TaskRunner", logging.INFO)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_prints_become_records_of_the_task_that_printed(
    scheduler: str, lines: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def talks(x: int) -> None:
        import sys

        print("word", x)
        print("  ")
        print("aside", file=sys.stderr)

    def silent() -> None:
        print("not logged")

    with Flow("f") as flow:
        task(talks, log_stdout=True).map([0, 1, 2])
        task(silent)()
    flow.run(executor=LocalDaskExecutor(scheduler, num_workers=3))

    printed = [(one.name, one.getMessage()) for one in lines.records if "word" in one.getMessage()]
    assert sorted(printed) == [(f"dagflow.talks[{x}]", f"word {x}") for x in range(3)]
    captured = capsys.readouterr()
    assert "not logged" in captured.out and captured.err.count("aside") == 3


def test_a_level_above_info_keeps_the_start_and_end_of_tasks_out(lines: pytest.LogCaptureFixture) -> None:
    lines.set_level(logging.WARNING, "dagflow")

    run(lambda: 1)

    assert lines.records == []


def test_a_task_that_is_held_back_says_so_too(lines: pytest.LogCaptureFixture) -> None:
    with Flow("held back") as flow:
        broken = task(lambda: 1 / 0, name="broken")()
        task(lambda x: x, name="waits")(broken)

    flow.run()

    assert "Task 'waits': Finished task run for task with final state: 'TriggerFailed'" in found(
        lines, "dagflow.TaskRunner", logging.INFO
    )


def test_the_lines_of_a_task_carry_its_name() -> None:
    seen: list[tuple[str, str | None]] = []

    class Names(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.getMessage().split(": ")[-1], context.get("task_name")))

    logger, names = logging.getLogger("dagflow.TaskRunner"), Names(logging.INFO)
    logger.addHandler(names)
    try:
        with temporary_logger_config(level="INFO"):
            run(lambda: 1)
    finally:
        logger.removeHandler(names)

    assert seen == [("Starting task run...", "one"), ("'Success'", "one")]
