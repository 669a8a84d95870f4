"""``raise_on_exception``: the first error leaves ``flow.run()``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from dagflow import Flow, context, task
from dagflow.core.edge import Edge
from dagflow.engine import FlowRunner, TaskRunner
from dagflow.engine.signals import FAIL, LOOP, PAUSE, SKIP
from dagflow.engine.state import Failed, Skipped
from dagflow.exceptions import TaskTimeoutSignal
from dagflow.executors import LocalDaskExecutor
from dagflow.utilities.debug import raise_on_exception
from tests.engine.record import Changes


@pytest.fixture(autouse=True)
def debugging() -> Iterator[None]:
    with raise_on_exception():
        yield


@pytest.fixture(params=["synchronous", "threads", "processes"])
def executor(request: pytest.FixtureRequest) -> LocalDaskExecutor:
    return LocalDaskExecutor(request.param, num_workers=1)


def breaks(*args: Any) -> Any:
    raise ZeroDivisionError


def flow_of(function: Any, **options: Any) -> Flow:
    with Flow("f") as flow:
        task(function, **{"name": "one", **options})()
    return flow


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (lambda: 1 / 0, {}),
        (lambda: 1, {"state_handlers": [breaks]}),
        (lambda: 1, {"trigger": breaks}),
        (lambda: 1, {"task_run_name": lambda **given: 1 / 0}),
        (lambda: 1 / 0, {"max_retries": 3, "retry_delay": timedelta(0)}),
    ],
    ids=["task", "handler", "trigger", "name", "retries"],
)
def test_the_first_error_leaves_the_run(function: Any, options: dict[str, Any], executor: Any) -> None:
    flow = flow_of(function, **options)

    with pytest.raises(ZeroDivisionError):
        flow.run(executor=executor)
    with pytest.raises(ZeroDivisionError):
        TaskRunner(task(function, **{"name": "one", **options})).run()


def test_a_childs_error_leaves_the_run(executor: Any) -> None:
    with Flow("f") as flow:
        task(lambda x: 1 / x, name="one").map([1, 0, 2])

    with pytest.raises(ZeroDivisionError):
        flow.run(executor=executor)


def test_a_run_out_of_time_leaves_the_run(executor: Any) -> None:
    def endless() -> None:
        while True:
            pass

    with pytest.raises(TaskTimeoutSignal):
        flow_of(endless, timeout=1).run(executor=executor)


@pytest.mark.parametrize("handler", ["flow", "terminal"])
def test_an_error_in_a_handler_of_the_flow_leaves_the_run(handler: str) -> None:
    flow = flow_of(lambda: 1)
    if handler == "flow":
        flow.state_handlers = [breaks]
    else:
        flow.terminal_state_handler = breaks

    with pytest.raises(ZeroDivisionError):
        flow.run()


def test_a_cycle_leaves_the_run() -> None:
    flow = flow_of(lambda: 1)
    a = task(lambda x: x, name="a")
    flow.add_task(a)
    b = task(lambda x: x, name="b")
    flow.add_task(b)
    flow.add_edge(a, b, key="x", validate=False)
    flow.add_edge(b, a, key="x", validate=False)

    with pytest.raises(ValueError, match="cycle"):
        FlowRunner(flow).run()
    assert Edge(a, b, key="x") in flow.edges


@pytest.mark.parametrize(("signal", "kind"), [(FAIL, Failed), (SKIP, Skipped)])
def test_signals_stay_inside(signal: Any, kind: Any) -> None:
    def signals() -> None:
        raise signal

    with Flow("f") as flow:
        one = task(signals)()

    assert type(flow.run().result[one]) is kind
    assert FlowRunner(flow_of(lambda: 1, state_handlers=[lambda *args: _raise(PAUSE)])).run().is_running()


def _raise(error: Any) -> Any:
    raise error


def test_a_failing_signal_is_retried_as_ever() -> None:
    changes = Changes()

    def flaky() -> int:
        if context.task_run_count == 1:
            raise FAIL
        return 1

    flow = flow_of(flaky, max_retries=1, retry_delay=timedelta(0), state_handlers=[changes])

    assert flow.run().is_successful()
    assert ("Failed", "Retrying") in changes


def test_loops_go_round_as_ever() -> None:
    def loops() -> int:
        count: int = context.get("task_loop_count", 1)
        if count < 3:
            raise LOOP
        return count

    assert flow_of(loops).run().is_successful()


def test_the_context_is_as_before_afterwards() -> None:
    with pytest.raises(ZeroDivisionError):
        flow_of(lambda: 1 / 0).run()

    assert "task_name" not in context and "flow_name" not in context
