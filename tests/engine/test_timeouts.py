"""Time limits: in the main thread, in worker threads, and where nothing can be stopped."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
import warnings
from datetime import timedelta
from typing import Any

import pytest

from dagflow import Flow, context, task
from dagflow.engine import TaskRunner
from dagflow.engine.results import LocalResult
from dagflow.engine.signals import FAIL, LOOP, PAUSE, RETRY, SKIP, SUCCESS
from dagflow.engine.state import Failed, Paused, Retrying, Skipped, State, Success, TimedOut
from dagflow.exceptions import TaskTimeoutSignal
from dagflow.executors import LocalDaskExecutor

PLACES = ["synchronous", "threads", "processes"]


@pytest.fixture(params=PLACES)
def executor(request: pytest.FixtureRequest) -> LocalDaskExecutor:
    """Give the three ways: the main thread, a worker thread, the main thread of a worker process."""
    return LocalDaskExecutor(request.param, num_workers=2)


def run_one(executor: Any, function: Any, *args: Any, **options: Any) -> State:
    with Flow("f") as flow:
        one = task(function, **{"name": "one", "timeout": 30, **options})(*args)
    state: State = flow.run(executor=executor).result[one]
    return state


def test_a_run_past_its_limit_is_timed_out_with_the_signal_as_result(executor: Any) -> None:
    def endless() -> None:
        while True:
            pass

    state = run_one(executor, endless, timeout=1)

    assert type(state) is TimedOut and state.is_failed() and isinstance(state.result, TaskTimeoutSignal)
    assert "'one'" in str(state.result) and "1 s" in str(state.result)


def test_a_run_within_its_limit_gives_what_it_returns(executor: Any) -> None:
    assert run_one(executor, lambda x: [x, x], 4).result == [4, 4]


def test_a_length_of_time_is_a_limit_too(executor: Any) -> None:
    def endless() -> None:
        while True:
            pass

    assert type(run_one(executor, endless, timeout=timedelta(seconds=1))) is TimedOut


@pytest.mark.parametrize(
    ("raised", "kind"),
    [(SKIP("s"), Skipped), (FAIL("f"), Failed), (PAUSE("p"), Paused), (RETRY("r", run_count=3), Retrying),
     (SUCCESS("ok", result=5), Success)],
    ids=["skip", "fail", "pause", "retry", "success"],
)  # fmt: skip
def test_signals_arrive_as_signals_from_a_worker_thread(raised: Any, kind: type[State]) -> None:
    def signals() -> None:
        if "task_run_count" in context and context.task_run_count > 1:
            raise SKIP("second")
        raise raised

    state = run_one(LocalDaskExecutor("threads"), signals)

    if kind is Retrying:
        assert isinstance(state, Skipped) and state.message == "second"
    else:
        assert type(state) is kind and state.message == raised.state.message


def test_a_loop_goes_round_under_a_limit(executor: Any) -> None:
    def rounds() -> Any:
        count = context.get("task_loop_count", 1)
        if count < 3:
            raise LOOP(result=count)
        return count

    assert run_one(executor, rounds).result == 3


def test_exceptions_come_back(executor: Any) -> None:
    def breaks() -> None:
        raise ValueError("broken", 3)

    state = run_one(executor, breaks)

    assert isinstance(state.result, ValueError) and state.result.args == ("broken", 3)


def test_a_result_that_does_not_pickle_is_a_failure_in_a_worker_thread() -> None:
    state = run_one(LocalDaskExecutor("threads"), lambda: threading.Lock())

    assert type(state) is Failed and "could not be sent back" in str(state.result)


def test_an_argument_that_does_not_pickle_is_a_failure_in_a_worker_thread() -> None:
    with Flow("f") as flow:
        one = task(lambda lock: 1, name="one", timeout=30)(task(lambda: threading.Lock(), name="lock")())

    state = flow.run(executor=LocalDaskExecutor("threads")).result[one]

    assert type(state) is Failed and "pickle" in str(state.result)


def test_an_exception_that_does_not_pickle_is_a_failure_in_a_worker_thread() -> None:
    class Held(Exception):
        def __init__(self) -> None:
            self.lock = threading.Lock()

    def breaks() -> None:
        raise Held

    assert type(run_one(LocalDaskExecutor("threads"), breaks)) is Failed


def test_the_end_of_the_process_is_a_failure_of_the_task_in_a_worker_thread() -> None:
    def leaves() -> None:
        import os

        os._exit(7)

    state = run_one(LocalDaskExecutor("threads"), leaves)

    assert type(state) is Failed and "exit code 7" in str(state.result)


def test_prints_under_a_limit_reach_the_log_from_everywhere(executor: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    def talks() -> None:
        print("a word from inside")

    run_one(executor, talks, log_stdout=True)

    if not executor.remote:  # the log of a worker process goes to its own output
        assert [record.name for record in caplog.records if "a word from inside" in record.message] == ["dagflow.one"]


def test_what_was_printed_before_the_time_was_up_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    def talks() -> None:
        print("so far")
        while True:
            pass

    run_one(LocalDaskExecutor("threads"), talks, log_stdout=True, timeout=1)

    assert [record.name for record in caplog.records if record.message == "so far"] == ["dagflow.one"]


@pytest.mark.parametrize("timeout", [None, 30])
def test_coroutines_run_under_a_limit_too(executor: Any, timeout: int | None) -> None:
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    assert run_one(executor, later, 4, timeout=timeout).result == 5


def test_a_coroutine_past_its_limit_is_timed_out(executor: Any) -> None:
    async def endless() -> None:
        while True:
            await asyncio.sleep(0.01)

    assert type(run_one(executor, endless, timeout=1)) is TimedOut


def test_the_context_is_there_under_a_limit(executor: Any) -> None:
    def look() -> tuple[Any, ...]:
        return context.task_name, context.flow_name, context.parameters

    assert run_one(executor, look).result == ("one", "f", {})


def test_a_timer_and_a_handler_of_somebody_else_are_given_back() -> None:
    def mine(number: int, frame: Any) -> None:
        raise AssertionError("too soon")

    before = signal.signal(signal.SIGALRM, mine)
    signal.setitimer(signal.ITIMER_REAL, 500)
    try:
        run_one(None, lambda: 1)

        assert signal.getsignal(signal.SIGALRM) is mine
        assert 400 < signal.getitimer(signal.ITIMER_REAL)[0] <= 500
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_value_in_time_is_written_and_one_too_late_is_not(tmp_path: Any) -> None:
    def endless() -> None:
        while True:
            pass

    with Flow("f") as flow:
        task(lambda: 1, name="in_time", timeout=30, result=LocalResult(dir=str(tmp_path), location="a"))()
        task(endless, timeout=1, result=LocalResult(dir=str(tmp_path), location="b"))()
    flow.run(context={"checkpointing": True})

    assert [path.name for path in tmp_path.iterdir()] == ["a"]


# --- where nothing can be stopped ---


@pytest.fixture
def unstoppable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")


def test_a_soft_limit_warns_and_lets_go(unstoppable: None) -> None:
    release = threading.Event()

    with pytest.warns(UserWarning, match="cannot be stopped"):
        state = TaskRunner(task(release.wait, name="one", timeout=1)).run()
    release.set()

    assert type(state) is TimedOut


@pytest.mark.parametrize("error", [SKIP("s"), TimeoutError("its own"), ValueError("v")])
def test_under_a_soft_limit_everything_raised_arrives(unstoppable: None, error: BaseException) -> None:
    def breaks() -> None:
        raise error

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = TaskRunner(task(breaks, timeout=30)).run()

    assert state.result is error and type(state) is (Skipped if isinstance(error, SKIP) else Failed)


def test_under_a_soft_limit_the_context_is_there(unstoppable: None) -> None:
    with pytest.warns(UserWarning, match="cannot be stopped"):
        state = TaskRunner(task(lambda: context.task_name, name="one", timeout=30)).run()

    assert state.result == "one"


def test_a_limit_costs_about_as_much_time_as_it_grants() -> None:
    began = time.monotonic()

    run_one(LocalDaskExecutor("threads"), lambda: time.sleep(60), timeout=1)

    assert time.monotonic() - began < 10
