"""What went wrong in a flow on Dask when somebody set out to break it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, context, task
from dagflow.executors import DaskExecutor, Executor, LocalExecutor
from tests.clusters import RunningCluster, running_cluster

GONE = """
import pickle, sys
from dagflow import Flow, task
from dagflow.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor

@task
def large():
    return b"x" * 20_000_000

@task
def length(value):
    return len(value)

@task
def other():
    return 1

executors = {"dask": lambda: DaskExecutor(sys.argv[1]), "processes": lambda: LocalDaskExecutor(scheduler="processes"),
             "threads": LocalDaskExecutor, "local": LocalExecutor}
with Flow("large") as flow:
    value, apart = large(), other()
    size = length(value)
if __name__ == "__main__":
    state = flow.run(executor=DaskExecutor(sys.argv[1])).result[value]
    state = pickle.loads(pickle.dumps(state)) if sys.argv[3] == "pickled" else state
    again = flow.run(executor=executors[sys.argv[2]](), task_states={value: state})
    found = [again.result[size], again.result[apart]]
    print([type(one).__name__ for one in found], type(found[0].result).__name__)
"""
CACHED = """
import sys
from datetime import timedelta
from dagflow import Flow, task
from dagflow.executors import DaskExecutor

@task(cache_for=timedelta(hours=1))
def large():
    return b"x" * 20_000_000

@task
def length(value):
    return len(value)

with Flow("large") as flow:
    size = length(large())
if __name__ == "__main__":
    for _ in range(2):
        print(flow.run(executor=DaskExecutor(sys.argv[1])).result[size].result)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    with running_cluster(2) as running:
        yield running


def _script(folder: Path, text: str, *args: str) -> str:
    path = folder / "script.py"
    path.write_text(text)
    done = subprocess.run([sys.executable, str(path), *args], stdout=subprocess.PIPE, text=True, timeout=15, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("executor", "how"), [("dask", "as it is"), ("processes", "pickled"), ("threads", "as it is"), ("local", "pickled")]
)
def test_a_state_whose_value_stayed_on_a_cluster_is_no_state_to_go_on_from(
    cluster: RunningCluster, executor: str, how: str, tmp_path: Path
) -> None:
    assert _script(tmp_path, GONE, cluster.address, executor, how) == "['Success', 'Success'] int"


def test_a_cached_value_that_stayed_on_a_cluster_is_made_again(cluster: RunningCluster, tmp_path: Path) -> None:
    assert _script(tmp_path, CACHED, cluster.address) == "20000000"


class WithoutLength:
    """Has items, and no length, as sparse matrices."""

    def __init__(self) -> None:
        self.content = b"x" * 400_000

    def __len__(self) -> int:
        raise TypeError("length is ambiguous")

    def __getitem__(self, number: int) -> int:
        return number


def test_a_large_value_without_length_cannot_be_mapped_over(cluster: RunningCluster) -> None:
    make = WithoutLength

    @task
    def whole() -> Any:
        return make()

    @task
    def one(item: Any) -> Any:
        return item

    with Flow("map") as flow:
        mapped = one.map(whole())
    executors: list[Executor] = [LocalExecutor(), DaskExecutor(cluster.address)]
    states = [flow.run(executor=executor).result[mapped] for executor in executors]
    assert [type(state).__name__ for state in states] == ["Failed", "Failed"]


def test_a_log_line_that_cannot_be_written_fails_no_task(cluster: RunningCluster) -> None:
    @task
    def careless() -> int:
        context.get("logger").error("%s %s", 1)
        return 1

    with Flow("log") as flow:
        value = careless()
    state = flow.run(executor=DaskExecutor(cluster.address))
    assert state.result[value].is_successful(), state.result[value]


def test_a_task_that_is_made_again_for_its_value_has_its_retries(tmp_path: Path) -> None:
    mark = str(tmp_path / "killed")

    @task(max_retries=1, retry_delay=timedelta(seconds=0.1))
    def second_time(number: int) -> bytes:
        if context["task_run_count"] < 2:
            raise ValueError("not yet")
        return b"x" * 500_000

    @task
    def end_worker(values: list[bytes]) -> int:
        if not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return len(values)

    with running_cluster(1, nanny=True) as running:
        with Flow("again") as flow:
            total = end_worker(second_time.map([1, 2, 3]))
        state = flow.run(executor=DaskExecutor(running.address)).result[total]
    assert state.is_successful(), state
    assert state.result == 3
