"""One suite for all executors: the same flows, the same states, the same promises."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from dagflow.core.annotations import unmapped
from dagflow.core.flow import Flow
from dagflow.engine.signals import FAIL, SKIP
from dagflow.engine.state import Failed, Skipped, TimedOut
from dagflow.executors import DaskExecutor, Executor, LocalDaskExecutor, LocalExecutor
from dagflow.testing import ScriptedExecutor
from dagflow.utilities.context import context
from dagflow.utilities.tasks import task
from tests.engine.flows import everything, told

Make = Callable[[], Executor]


class ThreeMethods(Executor):
    """An executor as people wrote them for Prefect 0.15."""

    def submit(self, fn: Any, *args: Any, extra_context: Any = None, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    def wait(self, futures: Any) -> Any:
        return futures


EXECUTORS: dict[str, Make] = {
    "local": LocalExecutor,
    "threads": lambda: LocalDaskExecutor("threads", num_workers=3),
    "processes": lambda: LocalDaskExecutor("processes", num_workers=2),
    "synchronous": lambda: LocalDaskExecutor("synchronous"),
    "scripted": lambda: ScriptedExecutor(seed=5),
    "three-methods": ThreeMethods,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as started:
        yield started


@pytest.fixture(params=[*EXECUTORS, "dask"])
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "dask":
        return DaskExecutor(address=request.getfixturevalue("cluster").scheduler_address)
    return EXECUTORS[request.param]()


@pytest.fixture(scope="module")
def expected() -> Iterator[dict[str, Any]]:
    flow = everything()
    state = flow.run()
    yield told({flow.slugs[one]: found for one, found in state.result.items()})


def test_a_flow_of_every_kind_runs_the_same(executor: Executor, expected: dict[str, Any]) -> None:
    flow = everything()

    state = flow.run(executor=executor)

    assert told({flow.slugs[one]: found for one, found in state.result.items()}) == expected
    assert state.is_successful(), "the failures lie upstream of what decides"


@pytest.mark.parametrize("seed", range(40))
def test_a_flow_ends_the_same_in_any_order(seed: int, expected: dict[str, Any]) -> None:
    flow = everything()

    state = flow.run(executor=ScriptedExecutor(seed=seed, hands=1 + seed % 4))

    assert told({flow.slugs[one]: found for one, found in state.result.items()}) == expected


def test_values_of_any_nesting_are_waited_for(executor: Executor) -> None:
    with executor.start():
        one = executor.submit(int, "1")
        two = executor.submit(int, "2")

        assert executor.wait({"a": [one, (two, 3)]}) == {"a": [1, (2, 3)]}
        assert executor.wait(one) == 1, "a second look gives the same"


def test_a_future_may_be_an_argument(executor: Executor) -> None:
    with executor.start():
        one = executor.submit(int, "1")
        total = executor.submit(sum, [one, 4])

        assert executor.wait(total) == 5


def test_an_executor_pickles_before_during_and_after_a_run(executor: Executor) -> None:
    before = pickle.loads(pickle.dumps(executor)) if not isinstance(executor, ThreeMethods) else executor
    with executor.start():
        during = cloudpickle.loads(cloudpickle.dumps(executor))

    assert type(before) is type(during) is type(executor)
    assert repr(executor) == f"<Executor: {type(executor).__name__}>"


def test_signals_become_states(executor: Executor) -> None:
    @task
    def skipped() -> None:
        raise SKIP("not today")

    @task
    def failed() -> None:
        raise FAIL("no", result=4)

    with Flow("signals") as flow:
        s, f = skipped(), failed()

    state = flow.run(executor=executor)

    assert isinstance(state.result[s], Skipped)
    assert isinstance(state.result[f], Failed) and state.result[f].result == 4


def test_signals_under_a_timeout_become_states_too(executor: Executor) -> None:
    @task(timeout=60)
    def skipped() -> None:
        raise SKIP("not today")

    with Flow("signals") as flow:
        s = skipped()

    assert isinstance(flow.run(executor=executor).result[s], Skipped)


def test_a_task_past_its_timeout_is_stopped_and_fails_alone(executor: Executor) -> None:
    @task(timeout=1)
    def endless() -> None:
        while True:
            pass

    @task
    def quick() -> int:
        return 1

    with Flow("limits") as flow:
        e, q = endless(), quick()

    state = flow.run(executor=executor)

    assert isinstance(state.result[e], TimedOut) and state.result[q].result == 1


def test_each_run_sees_its_own_context(executor: Executor) -> None:
    @task(task_run_name="run-{x}")
    def seen(x: int) -> tuple[Any, ...]:
        return context.task_full_name, context.map_index, context.task_run_name, context.flow_run_id, context.mine

    with Flow("context") as flow:
        s = seen.map([7, 8])

    state = flow.run(executor=executor, flow_run_id="abc", context={"mine": 5})

    assert state.result[s].result == [("seen[0]", 0, "run-7", "abc", 5), ("seen[1]", 1, "run-8", "abc", 5)]


def test_state_handlers_are_called_in_order(executor: Executor, tmp_path: Any) -> None:
    log = tmp_path / "log"

    def note(which: Any, old: Any, new: Any) -> None:
        with log.open("a") as file:
            file.write(f"{type(old).__name__}>{type(new).__name__} ")

    @task(state_handlers=[note])
    def work() -> int:
        return 1

    with Flow("handlers") as flow:
        work()

    flow.run(executor=executor)

    assert log.read_text() == "Pending>Running Running>Success "


def test_a_constant_shared_by_children_survives_their_changes(executor: Executor) -> None:
    @task
    def grow(x: int, into: list[int]) -> int:
        into.append(x)
        return len(into) > 0

    with Flow("constants") as flow:
        g = grow.map([1, 2], unmapped([]))

    flow.run(executor=executor)

    assert flow.constants[g] == {"into": []}


def test_large_maps_are_complete_and_in_order(executor: Executor) -> None:
    @task
    def double(x: int) -> int:
        return 2 * x

    with Flow("large") as flow:
        first = double.map(list(range(700)))
        second = double.map(first)

    state = flow.run(executor=executor)

    assert state.result[second].result == [4 * x for x in range(700)]


# --- pools -----------------------------------------------------------------------------------------------------


def test_a_worker_process_that_dies_takes_down_only_the_task_it_ran() -> None:
    @task
    def dies(x: int) -> int:
        if x == 3:
            os._exit(9)
        return x

    with Flow("lost") as flow:
        d = dies.map(list(range(12)))

    state = flow.run(executor=LocalDaskExecutor("processes", num_workers=2))

    children = state.result[d].map_states
    assert [child.is_successful() for child in children] == [x != 3 for x in range(12)]
    assert "exit code 9" in str(children[3].result)


def test_a_result_that_does_not_pickle_fails_that_task_only() -> None:
    @task
    def lock() -> Any:
        return threading.Lock()

    @task
    def fine() -> int:
        return 1

    with Flow("unpicklable") as flow:
        bad, good = lock(), fine()

    state = flow.run(executor=LocalDaskExecutor("processes", num_workers=1))

    assert state.result[bad].is_failed() and "cannot be sent back" in state.result[bad].message
    assert state.result[good].result == 1


def test_a_closure_that_does_not_pickle_is_named() -> None:
    guard = threading.Lock()

    @task
    def guarded() -> None:
        with guard:
            pass

    with Flow("closure") as flow:
        g = guarded()

    state = flow.run(executor=LocalDaskExecutor("processes", num_workers=1))

    assert "'guard'" in str(state.result[g].result) and "guarded" in str(state.result[g].result)


def test_a_context_that_does_not_pickle_is_named_by_its_key() -> None:
    @task
    def work() -> int:
        return 1

    with Flow("context") as flow:
        w = work()

    state = flow.run(executor=LocalDaskExecutor("processes", num_workers=1), context={"guard": threading.Lock()})

    assert "its key 'guard' holds a lock" in state.result[w].message


def test_threads_run_side_by_side_and_processes_elsewhere() -> None:
    barrier = threading.Barrier(3, timeout=20)

    @task
    def meet(x: int) -> bool:
        barrier.wait()
        return threading.current_thread() is not threading.main_thread()

    @task
    def where() -> int:
        return os.getpid()

    with Flow("threads") as flow:
        m = meet.map([1, 2, 3])
    with Flow("processes") as other:
        w = where()

    assert flow.run(executor=LocalDaskExecutor("Threads", num_workers=3)).result[m].result == [True] * 3
    assert other.run(executor=LocalDaskExecutor("processes", num_workers=1)).result[w].result != os.getpid()


@pytest.mark.parametrize(
    ("spelling", "meant"),
    [
        ("threads", "threads"),
        ("Threading", "threads"),
        ("processes", "processes"),
        ("multiprocessing", "processes"),
        ("sync", "synchronous"),
        ("Synchronous", "synchronous"),
        ("single-threaded", "synchronous"),
    ],
)
def test_schedulers_have_several_spellings(spelling: str, meant: str) -> None:
    made = LocalDaskExecutor(spelling, num_workers=2, other=1)

    assert made.scheduler == meant
    assert made.dask_config == {"num_workers": 2, "other": 1}


def test_an_unknown_scheduler_is_refused() -> None:
    with pytest.raises(ValueError, match="no scheduler 'gpu'"):
        LocalDaskExecutor("gpu")


def test_submitting_outside_start_is_refused() -> None:
    with pytest.raises(ValueError, match="start"):
        LocalDaskExecutor("threads").submit(int)


def test_leaving_by_an_exception_interrupts_running_threads() -> None:
    started, interrupted = threading.Event(), threading.Event()

    def spin() -> None:
        started.set()
        try:
            while True:
                pass
        except KeyboardInterrupt:
            interrupted.set()
            raise

    executor = LocalDaskExecutor("threads", num_workers=1)
    with pytest.raises(RuntimeError, match="enough"), executor.start():
        executor.submit(spin)
        assert started.wait(20)
        raise RuntimeError("enough")

    assert interrupted.is_set()


def test_the_base_executor_says_that_it_does_nothing() -> None:
    with pytest.raises(NotImplementedError):
        Executor().submit(int)
    with pytest.raises(NotImplementedError):
        Executor().wait([])


def test_something_that_is_no_executor_is_refused() -> None:
    with Flow("f") as flow:
        pass

    with pytest.raises(TypeError, match="An executor is an object"):
        flow.run(executor="threads")
    assert flow.run(executor=LocalExecutor).is_successful(), "a class is made an instance of"


def test_the_same_call_submitted_twice_is_made_twice_and_waited_for_twice_once(
    executor: Executor, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    def note(x: int) -> int:
        with log.open("a") as file:
            file.write("x")
        return x

    with executor.start():
        first, second = executor.submit(note, 1), executor.submit(note, 1)
        both = executor.submit(lambda values: sum(values), [first, first])

        assert executor.wait([first, first, second, both]) == [1, 1, 1, 2]

    assert log.read_text() == "xx"


@pytest.mark.parametrize("base", [LocalDaskExecutor, ScriptedExecutor])
def test_work_is_named_for_dashboards(base: Any) -> None:
    named: list[Any] = []

    class Naming(base):  # type: ignore[misc]
        def submit(self, fn: Any, *args: Any, extra_context: Any = None, **kwargs: Any) -> Any:
            named.append(extra_context)
            return super().submit(fn, *args, extra_context=extra_context, **kwargs)

    @task(tags=["gpu"])
    def work(x: int) -> int:
        return x

    with Flow("names") as flow:
        work.map([1])
        work(2)
    flow.run(executor=Naming())

    assert {(one["task_name"], tuple(one["task_tags"]), one["task_index"]) for one in named} == {
        ("work", ("gpu",), 0),
        ("work", ("gpu",), None),
    }


def test_a_pool_waits_for_its_work_when_all_went_well() -> None:
    done = threading.Event()
    executor = LocalDaskExecutor("threads", num_workers=1)
    with executor.start():
        executor.submit(done.set)

    assert done.is_set() and executor.parallelism == 1
