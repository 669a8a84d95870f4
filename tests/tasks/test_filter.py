"""``FilterTask``."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dagflow import Flow, task
from dagflow.engine.signals import FAIL, SKIP, TRIGGERFAIL
from dagflow.tasks.control_flow import FilterTask
from dagflow.triggers import all_finished, all_successful


def test_it_runs_whatever_became_of_its_upstream_tasks() -> None:
    one = FilterTask()

    assert (one.trigger, one.skip_on_upstream_skip, one.name) == (all_finished, False, "FilterTask")
    assert FilterTask(trigger=all_successful, name="mine").trigger is all_successful


def test_by_default_none_exceptions_and_signals_are_dropped() -> None:
    items = [1, None, 0, "", ValueError(), FAIL("f"), SKIP("s"), TRIGGERFAIL("t"), [None], KeyboardInterrupt()]

    assert FilterTask().run(items) == [1, 0, "", [None]]


def test_a_function_of_ones_own_decides() -> None:
    assert FilterTask(filter_func=lambda item: item > 1).run([1, 2, 3]) == [2, 3]


def test_it_cleans_up_after_a_map() -> None:
    @task
    def inverse(x: int) -> float:
        if x == 2:
            raise SKIP("no two")
        return 1 / x

    with Flow("f") as flow:
        kept = FilterTask()(inverse.map([0, 1, 2, 4]))

    assert flow.run().result[kept].result == [1.0, 0.25]


def test_what_is_kept_can_be_logged(caplog: pytest.LogCaptureFixture) -> None:
    def say(kept: list[Any]) -> str:
        return f"{len(kept)} kept"

    with Flow("f") as flow:
        FilterTask(log_func=say)([1, None])
    with caplog.at_level(logging.INFO):
        flow.run()

    assert "2 kept" not in caplog.text
    assert "1 kept" in caplog.text
