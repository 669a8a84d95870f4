"""Values on a cluster: those that cannot travel, and those that are lost with the worker that kept them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, flatten, task, unmapped
from dagflow.core.flow import Flow as AnyFlow
from dagflow.engine.results import LocalResult
from dagflow.engine.state import State
from dagflow.executors import DaskExecutor
from dagflow.utilities.configuration import set_temporary_config
from tests.clusters import RunningCluster, meanwhile, running_cluster, wait_until
from tests.faults.maps import executions, note, starts_in
from tests.faults.witness import Witness

WIDTH = 200
CULPRIT = 77


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    """Give two workers; a test that kills one starts another in its place."""
    with running_cluster() as one:
        yield one


# --- values that do not travel -----------------------------------------------------------------------------------


class Unpicklable:
    """Cannot be pickled, and says so."""

    def __reduce__(self) -> Any:
        raise TypeError("not this one")


def _explode() -> None:
    raise RuntimeError("cannot be opened")


class Unopenable:
    """Is pickled, and cannot be opened again."""

    def __init__(self, size: int = 0) -> None:
        self.filling = bytes(size)

    def __reduce__(self) -> Any:
        return _explode, ()


def test_a_result_that_does_not_pickle_fails_alone(cluster: RunningCluster) -> None:
    @task
    def body(x: int) -> Any:
        return Unpicklable() if x == CULPRIT else x

    with Flow("unpicklable") as flow:
        bodies = body.map(list(range(WIDTH)))

    state = flow.run(executor=DaskExecutor(address=cluster.address))

    children = state.result[bodies].map_states
    assert [child.is_successful() for child in children] == [x != CULPRIT for x in range(WIDTH)]
    assert isinstance(children[CULPRIT].result, TypeError) and "not this one" in str(children[CULPRIT].result)
    wait_until(cluster.is_clean)


@pytest.mark.parametrize("size", [0, 500_000])
def test_a_result_that_cannot_be_opened_fails_who_opens_it_and_nobody_else(cluster: RunningCluster, size: int) -> None:
    @task
    def body(x: int) -> Any:
        return Unopenable(size) if x == CULPRIT else x

    @task
    def after(x: Any, number: int) -> int:
        return number

    with Flow("unopenable") as flow:
        bodies = body.map(list(range(WIDTH)))
        middle = after.map(bodies, list(range(WIDTH)))

    state = flow.run(executor=DaskExecutor(address=cluster.address))

    fine = [x for x, child in enumerate(state.result[middle].map_states) if child.is_successful()]
    assert set(range(WIDTH)) - set(fine) <= {CULPRIT}
    numbers = [state.result[middle].map_states[x].result for x in fine]
    assert numbers == fine
    others = [child for x, child in enumerate(state.result[bodies].map_states) if x != CULPRIT]
    assert [child.result for child in others] == [x for x in range(WIDTH) if x != CULPRIT]
    with pytest.raises(Exception, match="cannot be opened"):
        raise state.result[bodies].map_states[CULPRIT].result
    wait_until(cluster.is_clean)


def test_a_function_of_a_module_that_workers_lack_fails_alone_and_kills_nobody(
    cluster: RunningCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dask itself loses the worker over a message that cannot be opened.
    (tmp_path / "only_here.py").write_text("def triple(x):\n    return 3 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here  # type: ignore[import-not-found]

    @task
    def fine(x: int) -> int:
        return x

    with Flow("modules") as flow:
        bad = task(only_here.triple, name="bad").map([1, 2, 3])
        good = fine.map([1, 2, 3])
    before = cluster.worker_pids()

    state = flow.run(executor=DaskExecutor(address=cluster.address))

    children = state.result[bad].map_states
    assert all(isinstance(child.result, Exception) and "only_here" in str(child.result) for child in children), children
    assert state.result[good].result == [1, 2, 3]
    assert cluster.worker_pids() == before and len(cluster.worker_names()) == 2


# --- values of workers that are gone -----------------------------------------------------------------------------


@task
def wait(path: str) -> None:
    wait_until(Path(path).exists)


def run_and_lose(cluster: RunningCluster, flow: AnyFlow, folder: Path) -> tuple[State, Witness]:
    """Run *flow*, killing the worker that ran its first body as soon as that success is recorded."""
    witness = Witness()

    def kill() -> None:
        wait_until(lambda: witness.successes)
        cluster.start_worker()
        cluster.kill_worker(cluster.worker_of(starts_in(folder)[0].pid))
        (folder / "on").touch()

    with meanwhile(kill), witness.listening(), set_temporary_config({"flows.checkpointing": True}):
        state = flow.run(executor=DaskExecutor(address=cluster.address), runner_cls=witness.runner)
    cluster.wait_until_ready()
    wait_until(cluster.is_clean)
    return state, witness


@pytest.mark.parametrize("checkpointed", [True, False])
def test_a_value_of_a_dead_worker_is_read_again_or_made_again_aloud(
    cluster: RunningCluster, checkpointed: bool, tmp_path: Path
) -> None:
    @task(checkpoint=checkpointed)
    def make() -> bytes:
        note(str(tmp_path))
        return bytes(1_000_000)

    @task
    def size(value: bytes, number: int) -> int:
        return len(value) + number

    with Flow("lost", result=LocalResult(dir=str(tmp_path / "values"))) as flow:
        value = make()
        waited = wait(str(tmp_path / "on"), upstream_tasks=[value])
        sizes = size.map(unmapped(value), [1, 2, 3], upstream_tasks=[unmapped(waited)])

    state, witness = run_and_lose(cluster, flow, tmp_path)

    assert state.result[sizes].result == [1_000_001, 1_000_002, 1_000_003]
    assert executions(tmp_path)["make"] == (1 if checkpointed else 2)
    assert witness.unannounced(["make"]) == (["make"] if checkpointed else [])


@pytest.mark.parametrize("checkpointed", [True, False])
def test_a_list_that_is_mapped_over_may_be_lost(cluster: RunningCluster, checkpointed: bool, tmp_path: Path) -> None:
    @task(checkpoint=checkpointed)
    def make() -> list[Any]:
        note(str(tmp_path))
        return [[bytes(10_000), number] for number in range(100)]

    @task
    def number_of(pair: Any, after: Any) -> int:
        return int(pair[1])

    @task
    def kind_of(item: Any, after: Any) -> str:
        return type(item).__name__

    # Flattening looks at the items, mapping only at how many there are.
    with Flow("lost list", result=LocalResult(dir=str(tmp_path / "values"))) as flow:
        value = make()
        waited = wait(str(tmp_path / "on"), upstream_tasks=[value])
        numbers = number_of.map(value, unmapped(waited))
        kinds = kind_of.map(flatten(value), unmapped(waited))

    state, witness = run_and_lose(cluster, flow, tmp_path)

    assert state.result[numbers].result == list(range(100))
    assert state.result[kinds].result == ["bytes", "int"] * 100
    assert executions(tmp_path)["make"] == (1 if checkpointed else 2)
    assert witness.unannounced(["make"]) == (["make"] if checkpointed else [])


def test_a_checkpoint_that_is_gone_too_is_named_and_nothing_runs_twice(cluster: RunningCluster, tmp_path: Path) -> None:
    @task
    def make() -> bytes:
        note(str(tmp_path))
        return bytes(1_000_000)

    @task
    def spoil(path: str) -> None:
        wait_until((tmp_path / "on").exists)
        for one in Path(path).rglob("*"):
            if one.is_file():
                one.unlink()

    with Flow("spoiled", result=LocalResult(dir=str(tmp_path / "values"))) as flow:
        value = make()
        spoiled = spoil(str(tmp_path / "values"), upstream_tasks=[value], task_args={"checkpoint": False})
        size = task(lambda value: len(value), name="size")(value, upstream_tasks=[spoiled])

    state, _ = run_and_lose(cluster, flow, tmp_path)

    # Its success was recorded and its value promised to be kept, so to make it again is not ours to decide.
    assert state.result[size].is_failed() and "No result is stored there" in state.result[size].message
    assert executions(tmp_path)["make"] == 1


def test_a_value_that_cannot_be_made_again_fails_those_that_need_it(cluster: RunningCluster, tmp_path: Path) -> None:
    @task(checkpoint=False)
    def make() -> bytes:
        note(str(tmp_path))
        if executions(tmp_path)["make"] > 1:
            raise RuntimeError("only once")
        return bytes(1_000_000)

    @task
    def size(value: bytes, number: int) -> int:
        return len(value) + number

    @task
    def other(after: Any) -> str:
        return "fine"

    with Flow("only once") as flow:
        value = make()
        waited = wait(str(tmp_path / "on"), upstream_tasks=[value])
        sizes = size.map(unmapped(value), [1, 2, 3], upstream_tasks=[unmapped(waited)])
        fine = other(waited)

    state, witness = run_and_lose(cluster, flow, tmp_path)

    assert state.is_failed() and state.result[fine].result == "fine"
    assert [child.is_failed() for child in state.result[sizes].map_states] == [True] * 3
    assert "only once" in str([*witness.warnings, state.result[sizes].map_states[0].message])
    assert not witness.unannounced(["make"])
