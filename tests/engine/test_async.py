"""Tasks that are ``async def``."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from dagflow import Flow, context, task
from dagflow.engine.coroutines import called, complete
from dagflow.engine.signals import SKIP
from dagflow.executors import LocalDaskExecutor


@task
async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_a_coroutine_is_run_to_its_end(scheduler: str) -> None:
    with Flow("f") as flow:
        one = double(double(1))
        many = double.map([1, 2])
    state = flow.run(executor=LocalDaskExecutor(scheduler, num_workers=1))

    assert state.result[one].result == 4 and state.result[many].result == [2, 4]


def test_a_coroutine_sees_the_context_and_may_signal_and_fail_and_be_retried() -> None:
    async def skips() -> None:
        raise SKIP("no")

    async def flaky() -> Any:
        await asyncio.sleep(0)
        if context.task_run_count == 1:
            raise ValueError
        return context.task_name

    with Flow("f") as flow:
        s = task(skips)()
        f = task(flaky, max_retries=1, retry_delay=timedelta(0))()
    state = flow.run()

    assert state.result[s].is_skipped() and state.result[f].result == "flaky"


def test_a_flow_runs_where_an_event_loop_runs_already() -> None:
    with Flow("f") as flow:
        one = double(3)

    async def notebook() -> Any:
        return flow.run().result[one].result

    assert asyncio.run(notebook()) == 6


def test_a_coroutine_that_is_cancelled_fails_its_task_only() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with Flow("f") as flow:
        one, two = task(cancelled)(), double(1)
    state = flow.run()

    assert state.result[one].is_failed() and "cancelled" in str(state.result[one].result)
    assert state.result[two].result == 2


def test_what_is_no_coroutine_is_handed_on() -> None:
    async def later() -> int:
        return 1

    assert called(int, {}) == 0 and called(later, {}) == complete(later()) == 1
