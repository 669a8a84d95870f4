"""What goes wrong on a cluster: only the culprit fails, with a cause that has a name, and nothing runs twice unsaid."""

from __future__ import annotations

import datetime
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, task, unmapped
from dagflow.engine.results import LocalResult
from dagflow.exceptions import ClusterError, WorkerLostError
from dagflow.executors import DaskExecutor
from dagflow.triggers import all_finished
from dagflow.utilities.configuration import set_temporary_config
from tests.clusters import RunningCluster, running_cluster, wait_until
from tests.faults import dask_kills, dask_scheduler_kills
from tests.faults.maps import KINDS, executions, note, right_total, starts_in, three_stages
from tests.faults.witness import Witness

WIDTH = 200
CULPRIT = 77


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    """Give two workers; a test that kills one starts another in its place."""
    with running_cluster() as one:
        yield one


@pytest.fixture(scope="module")
def nannied() -> Iterator[RunningCluster]:
    """Give two workers that come back when they die."""
    with running_cluster(nanny=True) as one:
        yield one


# --- workers killed from outside ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[3], KINDS[5]], ids=lambda kind: kind.name)
def test_a_killed_worker_costs_neither_results_nor_second_runs(cluster: RunningCluster, kind: dask_kills.Kind) -> None:
    outcome = dask_kills.run_with_kill(cluster, kind, random.Random(kind.name))

    assert outcome.passed, outcome
    wait_until(cluster.is_clean)


def test_a_dead_scheduler_ends_the_run_soon_and_what_was_kept_is_not_run_again() -> None:
    outcome = dask_scheduler_kills.run_with_kill(dask_scheduler_kills.KINDS[1], random.Random(3))

    assert outcome.passed, outcome


def test_a_dead_scheduler_ends_a_run_that_would_wait_for_retries(tmp_path: Path) -> None:
    @task(max_retries=3, retry_delay=datetime.timedelta(hours=1))
    def body(x: int) -> None:
        note(str(tmp_path))
        time.sleep(60)

    with Flow("retries") as flow:
        bodies = body.map([1, 2, 3, 4])
    with running_cluster() as cluster:
        killer = threading.Thread(target=lambda: wait_until(lambda: starts_in(tmp_path)) or cluster.kill_scheduler())
        killer.start()

        state = flow.run(executor=DaskExecutor(address=cluster.address))

        killer.join()
    assert state.is_failed()
    assert all(isinstance(child.result, ClusterError) for child in state.result[bodies].map_states)


def test_work_goes_on_when_all_workers_were_lost_and_others_come(tmp_path: Path) -> None:
    flow = three_stages(tmp_path, KINDS[5])
    with running_cluster() as cluster:

        def replace() -> None:
            wait_until(lambda: len(starts_in(tmp_path)) > 150)
            for number in (0, 1):
                cluster.kill_worker(number)
            wait_until(lambda: not cluster.worker_names())
            cluster.start_worker()

        killer = threading.Thread(target=replace)
        killer.start()

        state = flow.run(executor=DaskExecutor(address=cluster.address))

        killer.join()
    assert state.result[flow.get_tasks("total")[0]].result == right_total(WIDTH)


def test_a_worker_that_retires_costs_no_value(tmp_path: Path) -> None:
    flow = three_stages(tmp_path, KINDS[5])
    witness = Witness()
    with running_cluster() as cluster:

        def retire() -> None:
            wait_until(lambda: len(starts_in(tmp_path)) > 150)
            with cluster.client() as client:
                client.retire_workers(names=["worker-0"])

        retiring = threading.Thread(target=retire)
        retiring.start()
        with witness.listening():
            state = flow.run(executor=DaskExecutor(address=cluster.address), runner_cls=witness.runner)
        retiring.join()

    assert state.result[flow.get_tasks("total")[0]].result == right_total(WIDTH)
    assert witness.started_after_success(flow, state, tmp_path) == []


# --- bodies that kill their worker -------------------------------------------------------------------------------


def _exit() -> None:
    os._exit(1)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _leave() -> None:
    sys.exit(3)


@pytest.mark.parametrize("way", [_exit, _kill, _leave])
def test_a_body_that_kills_its_worker_fails_alone(
    nannied: RunningCluster, way: Callable[[], None], tmp_path: Path
) -> None:
    @task
    def body(x: int) -> int:
        note(str(tmp_path))
        if x == CULPRIT:
            way()
        return x

    @task
    def after(x: int) -> int:
        note(str(tmp_path))
        return x + 1

    @task(trigger=all_finished)
    def fine() -> str:
        return "fine"

    with Flow("culprit") as flow:
        bodies = body.map(list(range(WIDTH)))
        afters = after.map(bodies)
        other = fine()

    state = flow.run(executor=DaskExecutor(address=nannied.address))

    children = state.result[bodies].map_states
    assert [child.is_successful() for child in children] == [x != CULPRIT for x in range(WIDTH)]
    assert isinstance(children[CULPRIT].result, WorkerLostError | SystemExit), children[CULPRIT]
    assert [child.is_successful() for child in state.result[afters].map_states] == [x != CULPRIT for x in range(WIDTH)]
    assert state.result[other].result == "fine" and state.is_failed()
    # Those that travel with it begin again, too, in ever smaller batches.
    counts = executions(tmp_path)
    assert counts[f"body[{CULPRIT}]"] <= 8
    assert counts.total() < 2 * (2 * WIDTH)


def test_a_lost_body_is_tried_again_when_it_has_retries(nannied: RunningCluster, tmp_path: Path) -> None:
    @task(max_retries=1, retry_delay=datetime.timedelta(0))
    def body() -> int:
        note(str(tmp_path))
        if executions(tmp_path)["body"] <= 4:
            _exit()
        return 1

    with Flow("retries") as flow:
        one = body()

    state = flow.run(executor=DaskExecutor(address=nannied.address))

    assert state.result[one].result == 1


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


@pytest.mark.parametrize("checkpointed", [True, False])
def test_a_value_of_a_dead_worker_is_read_again_or_made_again_aloud(
    cluster: RunningCluster, checkpointed: bool, tmp_path: Path
) -> None:
    going = tmp_path / "on"

    @task(checkpoint=checkpointed)
    def make() -> bytes:
        note(str(tmp_path))
        return bytes(1_000_000)

    @task
    def wait(path: str) -> None:
        wait_until(Path(path).exists)

    @task
    def size(value: bytes, number: int) -> int:
        return len(value) + number

    with Flow("lost", result=LocalResult(dir=str(tmp_path / "values"))) as flow:
        value = make()
        waited = wait(str(going), upstream_tasks=[value])
        sizes = size.map(unmapped(value), [1, 2, 3], upstream_tasks=[unmapped(waited)])
    witness = Witness()

    def kill() -> None:
        wait_until(lambda: witness.successes)
        cluster.start_worker()
        cluster.kill_worker(cluster.worker_of(starts_in(tmp_path)[0].pid))
        going.touch()

    killer = threading.Thread(target=kill)
    killer.start()
    with witness.listening(), set_temporary_config({"flows.checkpointing": True}):
        state = flow.run(executor=DaskExecutor(address=cluster.address), runner_cls=witness.runner)
    killer.join()

    assert state.result[sizes].result == [1_000_001, 1_000_002, 1_000_003]
    assert executions(tmp_path)["make"] == (1 if checkpointed else 2)
    assert witness.unannounced(["make"]) == (["make"] if checkpointed else [])
    cluster.wait_until_ready()
    wait_until(cluster.is_clean)
