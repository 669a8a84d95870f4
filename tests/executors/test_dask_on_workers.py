"""What tasks find on Dask workers, and what is said when they find none."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dagflow.core.flow import Flow
from dagflow.exceptions import ClusterError
from dagflow.executors import DaskExecutor
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context
from dagflow.utilities.tasks import task
from tests.clusters import RunningCluster, running_cluster, wait_until


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    with running_cluster(workers=2) as running:
        yield running


@pytest.fixture
def executor(cluster: RunningCluster) -> DaskExecutor:
    return DaskExecutor(address=cluster.address)


def test_tasks_see_the_settings_of_the_driver_and_workers_get_theirs_back(executor: DaskExecutor) -> None:
    @task
    def settings() -> Any:
        from dagflow.configuration import config

        return config.get("mine"), context.config.get("mine"), os.getpid()

    with Flow("settings") as flow:
        s = settings()
    with set_temporary_config({"mine": {"n": 3}}):
        mine, seen, pid = flow.run(executor=executor).result[s].result
    after = flow.run(executor=executor).result[s].result

    assert mine == seen == {"n": 3} and pid != os.getpid()
    assert after[0] is None


def test_a_result_that_does_not_pickle_is_retried_and_its_handlers_hear(executor: DaskExecutor, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def note(subject: Any, old: Any, new: Any) -> None:
        with log.open("a") as file:
            file.write(f"{type(new).__name__} ")

    @task(max_retries=1, retry_delay=timedelta(0), state_handlers=[note])
    def lock() -> Any:
        return threading.Lock() if context.task_run_count == 1 else "fine"

    with Flow("retried") as flow:
        last = lock()

    assert flow.run(executor=executor).result[last].result == "fine"
    assert log.read_text().split() == ["Running", "Success", "Failed", "Retrying", "Running", "Success"]


def test_a_task_that_leaves_the_interpreter_is_retried_on_the_same_workers(
    cluster: RunningCluster, executor: DaskExecutor
) -> None:
    @task(max_retries=1, retry_delay=timedelta(0))
    def leave() -> str:
        if context.task_run_count == 1:
            raise SystemExit(3)
        return "back"

    with Flow("left") as flow:
        last = leave()
    before = cluster.worker_pids()

    assert flow.run(executor=executor).result[last].result == "back"
    assert cluster.worker_pids() == before


def test_a_demand_that_no_worker_meets_is_told(
    cluster: RunningCluster, executor: DaskExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    @task(resources={"TPU": 1})
    def wants() -> int:
        return 1

    with Flow("wants") as flow:
        one = wants()
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(flow.run(executor=executor)))
    with caplog.at_level(logging.WARNING, logger="dagflow"):
        thread.start()
        wait_until(lambda: "No worker of the Dask cluster has {'TPU': 1.0}" in caplog.text)
    cluster.add_worker(resources={"TPU": 1})
    thread.join(30)

    assert found[0].result[one].result == 1


def test_a_cluster_that_lost_all_its_workers_is_given_up_after_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun = tmp_path / "begun"

    @task
    def first() -> int:
        return 1

    @task
    def waits(x: int) -> None:
        begun.touch()
        threading.Event().wait(60)

    with Flow("alone") as flow:
        one = first()
        two = waits(one)
    found: list[Any] = []

    def run(executor: DaskExecutor) -> None:
        found.append(flow.run(executor=executor))

    with set_temporary_config({"engine.executor.dask.worker_timeout": 1}), running_cluster(workers=1) as lonely:
        thread = threading.Thread(target=run, args=(DaskExecutor(address=lonely.address),))
        thread.start()
        wait_until(begun.exists)
        lonely.kill_worker(0)
        thread.join(40)

    assert found[0].result[one].result == 1
    error = found[0].result[two].result
    assert isinstance(error, ClusterError) and "no worker" in str(error)
    assert "The Dask cluster has no worker; 1 calls have been waiting" in caplog.text


def test_a_scheduler_that_speaks_tls_says_what_is_missing() -> None:
    with Flow("f") as flow:
        task(lambda: 1, name="one")()

    error = flow.run(executor=DaskExecutor(address="tls://127.0.0.1:1")).result

    assert isinstance(error, ClusterError) and 'client_kwargs={"security"' in str(error)


def test_passwords_of_a_cluster_that_cannot_be_started_stay_out_of_the_message() -> None:
    def fails(**kwargs: Any) -> Any:
        raise OSError("no route")

    with Flow("f") as flow:
        task(lambda: 1, name="one")()

    executor = DaskExecutor(cluster_class=fails, cluster_kwargs={"password": "hunter2", "n": 2})
    error = flow.run(executor=executor).result

    assert isinstance(error, ClusterError) and "password, n" in str(error) and "hunter2" not in str(error)


def test_a_cluster_of_threads_in_this_process_logs_once(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def tell(x: int) -> int:
        context.logger.warning("here is %d", x)
        return x

    with Flow("threads") as flow:
        t = tell.map(list(range(30)))
    executor = DaskExecutor(cluster_kwargs={"processes": False, "n_workers": 2, "dashboard_address": ":0"})

    state = flow.run(executor=executor)

    assert state.result[t].result == list(range(30))
    assert sorted(record.args for record in caplog.records if "here is" in record.msg) == [(x,) for x in range(30)]
