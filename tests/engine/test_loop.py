"""Attempts to break ``flow.run()``: whatever users' code does, one task fails and the run comes to its end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, Parameter, context, task, unmapped
from dagflow.configuration import config
from dagflow.engine.results import LocalResult
from dagflow.engine.state import Failed, State, Success, TriggerFailed
from dagflow.exceptions import WorkerLostError
from dagflow.executors import Executor, LocalDaskExecutor, LocalExecutor
from dagflow.utilities.configuration import set_temporary_config
from tests.engine.record import Changes, names

SCHEDULERS = ["synchronous", "threads", "processes"]


@pytest.fixture(params=SCHEDULERS)
def executor(request: pytest.FixtureRequest) -> LocalDaskExecutor:
    return LocalDaskExecutor(request.param, num_workers=2)


@task
def give(x: Any) -> Any:
    return x


@task
def kind(x: Any) -> str:
    return type(x).__name__


def run_beside(executor: Any, function: Any, **options: Any) -> State:
    """Run *function* beside a task that must not suffer, and return its state."""
    with Flow("f") as flow:
        one = task(function, **{"name": "one", **options})()
        fine = give(7)
    state = flow.run(executor=executor)

    assert state.result[fine].result == 7
    found: State = state.result[one]
    return found


# --- values ---


class Strange:
    """A value that answers no question."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __len__(self) -> int:
        raise RuntimeError("len")

    def __iter__(self) -> Any:
        raise RuntimeError("iter")


def test_values_that_answer_no_question_pass_through(executor: Any, tmp_path: Path) -> None:
    store = LocalResult(dir=str(tmp_path), location="{task_name}-{map_index}")
    with Flow("f", result=store) as flow:
        one = task(Strange, name="one")()
        seen = kind(one)
        cached = task(Strange, name="cached", cache_for=timedelta(1), max_retries=1, retry_delay=timedelta(0),
                      state_handlers=[Changes()])()  # fmt: skip
        children = task(lambda x: Strange(), name="children").map([1, 2])
        kinds = kind.map(children)
    state = flow.run(executor=executor, context={"checkpointing": True})

    assert state.is_successful()
    assert state.result[seen].result == "Strange" and state.result[kinds].result == ["Strange"] * 2
    assert state.result[cached].is_cached()
    assert flow.run(executor=executor).is_successful()


def test_arrays_and_frames_pass_through(executor: Any) -> None:
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    with Flow("f") as flow:
        array = give(numpy.zeros(3))
        frame = task(lambda x: pandas.DataFrame({"a": x}), name="frame", cache_for=timedelta(1))(array)
        total = task(lambda frame: float(frame.a.sum()), name="total")(frame)
    for _ in range(2):
        assert flow.run(executor=executor).result[total].result == 0.0


def test_states_with_arrays_can_be_compared() -> None:
    numpy = pytest.importorskip("numpy")

    assert Success(result=numpy.zeros(3)) == Success(result=numpy.zeros(3))
    assert Success(result=numpy.zeros(3)) != Success(result=numpy.ones(3))


def test_a_trigger_may_answer_with_something_neither_true_nor_false() -> None:
    state = run_beside(None, lambda: 1, trigger=lambda states: Strange())

    assert type(state) is TriggerFailed and isinstance(state.result, RuntimeError)


# --- exceptions ---


def test_endless_recursion_fails_its_task(executor: Any) -> None:
    def down() -> Any:
        def deeper(n: int) -> int:
            return deeper(n + 1) + 1

        return deeper(0)

    assert isinstance(run_beside(executor, down).result, RecursionError)


def test_an_exception_that_cannot_be_shown_or_sent_fails_its_task(executor: Any) -> None:
    def breaks() -> None:
        class Shy(Exception):
            def __repr__(self) -> str:
                raise RuntimeError("no")

            __str__ = __repr__

            def __reduce__(self) -> Any:
                raise RuntimeError("no")

        raise Shy

    assert run_beside(executor, breaks).is_failed()


def test_an_exception_of_the_system_kind_leaves_the_flow_in_process() -> None:
    class Mine(BaseException):
        pass

    def breaks() -> None:
        raise Mine

    for scheduler in ("synchronous", "threads"):
        with pytest.raises(Mine):
            run_beside(LocalDaskExecutor(scheduler), breaks)
    assert "flow_name" not in context


@pytest.mark.parametrize(
    "end",
    [lambda: os._exit(3), lambda: sys.exit(3), lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os.abort()],
    ids=["_exit", "exit", "kill", "abort"],
)
def test_the_death_of_a_worker_fails_the_task_it_ran(end: Callable[[], Any]) -> None:
    executor = LocalDaskExecutor("processes", num_workers=2)
    with Flow("f") as flow:
        one = task(end, name="one")()
        many = give.map(list(range(8)))
    state = flow.run(executor=executor)

    assert isinstance(state.result[one].result, WorkerLostError)
    assert state.result[many].result == list(range(8))


def test_a_lost_run_is_retried_and_its_handlers_hear_with_their_context() -> None:
    heard: list[Any] = []

    def dies() -> int:
        if context.task_run_count == 1:
            os._exit(3)
        return int(context.task_run_count)

    def note(subject: Any, old: State, new: State) -> None:
        heard.append((type(new).__name__, context.task_name))

    state = run_beside(
        LocalDaskExecutor("processes", num_workers=1), dies, max_retries=1, retry_delay=timedelta(0),
        state_handlers=[note],
    )  # fmt: skip

    assert state.result == 2
    assert heard == [("Failed", "one"), ("Retrying", "one")], "the others were told on the worker"


# --- what does not pickle ---


class Locked:
    """Something that cannot be sent."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Spoilt:
    """Something that can be sent, but not opened."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


def spoilt() -> Any:
    return Spoilt()


def test_nothing_that_does_not_pickle_ends_the_run() -> None:
    lock = threading.Lock()
    with Flow("f") as flow:
        results = task(Locked, name="results")()
        exceptions = task(lambda: (_ for _ in ()).throw(ValueError(threading.Lock())), name="exceptions")()
        inputs = kind(lock)
        closure = task(lambda: lock.locked(), name="closure")()
        triggered = task(lambda x: 1, name="triggered", trigger=lambda states: not lock.locked())(give(1))
        opened = kind(task(spoilt)())
        children = kind.map([1, lock, 3])
        fine = give(7)
    state = flow.run(executor=LocalDaskExecutor("processes", num_workers=2))

    for one in (results, exceptions, inputs, closure, triggered, opened):
        assert state.result[one].is_failed(), one
    assert names(state.result[children].map_states) == ["Success", "Failed", "Success"]
    assert state.result[fine].result == 7


def test_a_value_that_cannot_be_opened_fails_a_map_over_it_only() -> None:
    with Flow("f") as flow:
        one = give.map(task(spoilt)())
        fine = give(7)
    state = flow.run(executor=LocalDaskExecutor("processes", num_workers=1))

    assert type(state.result[one]) is Failed and state.result[fine].result == 7


# --- executors ---


class Unwilling(Executor):
    """An executor that fails at one of its methods, for one call in three."""

    def __init__(self, where: str) -> None:
        self.where, self.calls = where, 0

    def _maybe(self, where: str) -> None:
        if where == self.where:
            self.calls += 1
            if self.calls % 3 == 2:
                raise ConnectionError(f"in {where}")

    def submit(self, fn: Any, *args: Any, extra_context: Any = None, **kwargs: Any) -> Any:
        self._maybe("submit")
        return fn(*args, **kwargs)

    def wait(self, futures: Any) -> Any:
        self._maybe("wait")
        return futures

    def as_completed(self, futures: Any, timeout: float | None = None) -> Any:
        self._maybe("as_completed")
        return list(futures)[:1]


@pytest.mark.parametrize("where", ["submit", "wait"])
def test_a_run_that_an_executor_loses_fails_alone(where: str) -> None:
    with Flow("f") as flow:
        found = [give(number) for number in range(6)]
        many = give.map([1, 2, 3])
    state = flow.run(executor=Unwilling(where))

    kinds = [type(state.result[one]).__name__ for one in found]
    assert sorted(set(kinds)) == ["Failed", "Success"]
    assert all(isinstance(state.result[one].result, ConnectionError) for one in found if state.result[one].is_failed())
    assert state.result[many].is_mapped()


def test_an_executor_that_cannot_say_what_is_done_fails_the_flow() -> None:
    with Flow("f") as flow:
        for number in range(6):
            give(number)
    state = flow.run(executor=Unwilling("as_completed"))

    assert type(state) is Failed and isinstance(state.result, ConnectionError)


def test_an_executor_in_the_thread_that_cannot_submit_fails_the_flow() -> None:
    class Broken(LocalExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            raise ConnectionError

    with Flow("f") as flow:
        give(1)

    assert isinstance(flow.run(executor=Broken()).result, ConnectionError)


# --- stores ---


def test_a_full_disk_fails_the_tasks_that_write_and_the_flow_goes_on(executor: Any) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")

    class Full(LocalResult):
        def write(self, value_: Any, **kwargs: Any) -> Any:
            with open("/dev/full", "wb", buffering=0) as file:
                file.write(b"x")

    with Flow("f") as flow:
        one = task(lambda: 1, name="one", result=Full())()
        after, fine = give(one), give(7)
    state = flow.run(executor=executor, context={"checkpointing": True})

    assert isinstance(state.result[one].result, OSError) and type(state.result[after]) is TriggerFailed
    assert state.result[fine].result == 7


# --- what tasks change ---


def test_a_task_may_change_what_it_likes_without_others_noticing() -> None:
    @task
    def meddles(p: Any) -> None:
        context.parameters["p"] = "changed"
        context["parameters"] = {"p": "changed"}
        context["flow_name"] = "changed"
        context["caches"] = None
        context["task_name"] = "changed"

    with Flow("f") as flow:
        p = Parameter("p")
        first = meddles(p)
        after = task(lambda: (context.parameters, context.flow_name, context.task_name), name="after")(
            upstream_tasks=[first]
        )
    state = flow.run(p=1)

    assert state.result[after].result == ({"p": 1}, "f", "after")


def test_a_task_may_change_settings_for_what_comes_after_it() -> None:
    def changes() -> None:
        config.flows.checkpointing = True

    with set_temporary_config({"flows.checkpointing": False}):
        with Flow("f") as flow:
            first = task(changes)()
            after = task(lambda: config.flows.checkpointing, name="after")(upstream_tasks=[first])
        state = flow.run()

    assert state.result[after].result is True
    assert config.flows.checkpointing is False


# --- several runs at once ---


@pytest.mark.parametrize("scheduler", ["none", *SCHEDULERS])
def test_one_flow_may_run_several_times_at_once(scheduler: str) -> None:
    executor = None if scheduler == "none" else LocalDaskExecutor(scheduler, num_workers=2)
    with Flow("f", executor=executor) as flow:
        p = Parameter("p")
        many = task(lambda p, x: p * x, name="times").map(p=unmapped(p), x=[1, 2, 3])
        total = task(lambda xs: sum(xs), name="total")(many)
    found: dict[int, Any] = {}

    def run(value: int) -> None:
        found[value] = flow.run(p=value).result[total].result

    threads = [threading.Thread(target=run, args=(value,)) for value in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {value: value * 6 for value in range(1, 5)}


def test_a_flow_may_run_itself_inside_a_task_on_its_own_executor() -> None:
    executor = LocalDaskExecutor("threads", num_workers=1)
    with Flow("inner", executor=executor) as inner:
        one = give(3)

    @task
    def outer() -> Any:
        return inner.run().result[one].result

    with Flow("outer", executor=executor) as flow:
        o = outer()

    assert flow.run().result[o].result == 3


# --- size ---


def test_a_very_long_chain_and_a_very_wide_flow_run() -> None:
    with Flow("f") as flow:
        last = give(0)
        for _ in range(30_000):
            last = give(last)
        for _ in range(3_000):
            give(last)

    assert flow.run().is_successful()
