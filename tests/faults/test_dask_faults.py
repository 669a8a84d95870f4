"""What goes wrong on a cluster: only the culprit fails, with a cause that has a name, and nothing runs twice unsaid."""

from __future__ import annotations

import datetime
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from dagflow import Flow, task
from dagflow.exceptions import ClusterError, WorkerLostError
from dagflow.executors import DaskExecutor
from dagflow.triggers import all_finished
from tests.clusters import RunningCluster, meanwhile, running_cluster, wait_until
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

    begun = partial(starts_in, tmp_path)
    with Flow("retries") as flow:
        bodies = body.map([1, 2, 3, 4])
    with running_cluster() as cluster, meanwhile(partial(wait_until, begun), cluster.kill_scheduler):
        state = flow.run(executor=DaskExecutor(address=cluster.address))

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

        with meanwhile(replace):
            state = flow.run(executor=DaskExecutor(address=cluster.address))

    assert state.result[flow.get_tasks("total")[0]].result == right_total(WIDTH)


def test_a_worker_that_retires_costs_no_value(tmp_path: Path) -> None:
    flow = three_stages(tmp_path, KINDS[5])
    witness = Witness()
    with running_cluster() as cluster:

        def retire() -> None:
            wait_until(lambda: len(starts_in(tmp_path)) > 150)
            with cluster.client() as client:
                client.retire_workers(names=["worker-0"])

        with meanwhile(retire), witness.listening():
            state = flow.run(executor=DaskExecutor(address=cluster.address), runner_cls=witness.runner)

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
