"""``DaskExecutor`` on real clusters: processes started by the ``dask`` command, and clusters of its own."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster, Security, get_worker

from dagflow import Flow, Task, context, task, unmapped
from dagflow.exceptions import ClusterError
from dagflow.executors import DaskExecutor
from dagflow.utilities.configuration import set_temporary_config
from tests.clusters import RunningCluster, meanwhile, running_cluster, wait_until
from tests.engine.flows import everything, told


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    """Give two workers, of which the second has a GPU."""
    with running_cluster(resources=[None, {"GPU": 1}]) as one:
        yield one


@pytest.fixture
def executor(cluster: RunningCluster) -> DaskExecutor:
    return DaskExecutor(address=cluster.address)


@task
def double(x: int) -> int:
    return 2 * x


@task
def worker_name(x: Any = None) -> str:
    time.sleep(0.002)
    return str(get_worker().name)


@task
def wait_for(path: str) -> None:
    wait_until(Path(path).exists)


def doubling(width: int = 20) -> Flow:
    with Flow("doubling") as flow:
        double.map(list(range(width)))
    return flow


def doubled(flow: Flow, executor: DaskExecutor) -> Any:
    """Run a :func:`doubling` flow and return what came out."""
    return flow.run(executor=executor).result[flow.get_tasks("double")[0]].result


# --- a cluster of the user's ------------------------------------------------------------------------------------


def test_a_flow_of_every_kind_runs_the_same_on_a_cluster(executor: DaskExecutor) -> None:
    flow = everything()
    here = flow.run()

    there = flow.run(executor=executor)

    assert told({flow.slugs[one]: found for one, found in there.result.items()}) == told(
        {flow.slugs[one]: found for one, found in here.result.items()}
    )


def test_tasks_run_on_all_workers_and_not_here(executor: DaskExecutor) -> None:
    with Flow("where") as flow:
        names = worker_name.map(list(range(40)))

    state = flow.run(executor=executor)

    assert set(state.result[names].result) == {"worker-0", "worker-1"}


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_nothing_is_left_on_the_cluster_after_a_run(cluster: RunningCluster, executor: DaskExecutor, ends: str) -> None:
    @task
    def large(x: int) -> bytes:
        if ends == "badly" and x == 5:
            raise RuntimeError("no")
        return bytes(300_000)

    with Flow("clean") as flow:
        worker_name.map(large.map(list(range(10))))
    doubled(doubling(), executor)
    wait_until(cluster.is_clean)
    standing = cluster.traces()

    flow.run(executor=executor)

    wait_until(cluster.is_clean)
    # What every run uses alike may stay: a message that comes late must find somebody, or Dask drops its worker.
    assert cluster.traces() == standing and len(standing) <= 2


def test_one_executor_serves_several_runs(cluster: RunningCluster, executor: DaskExecutor) -> None:
    flow = doubling()

    assert doubled(flow, executor) == doubled(flow, executor) == [2 * x for x in range(20)]

    wait_until(cluster.is_clean)


def test_runs_in_several_threads_share_an_executor(cluster: RunningCluster, executor: DaskExecutor) -> None:
    found: dict[int, Any] = {}
    threads = [
        threading.Thread(target=lambda width=width: found.update({width: doubled(doubling(width), executor)}))
        for width in (30, 40)
    ]

    for one in threads:
        one.start()
    for one in threads:
        one.join(60)

    assert found == {width: [2 * x for x in range(width)] for width in (30, 40)}
    wait_until(cluster.is_clean)


def test_the_address_may_come_from_the_configuration(cluster: RunningCluster) -> None:
    with Flow("where") as flow:
        name = worker_name()

    with set_temporary_config({"engine.executor.dask.address": cluster.address}):
        state = flow.run(executor=DaskExecutor())

    assert state.result[name].result.startswith("worker-")


def test_tls_certificates_are_given_by_client_kwargs() -> None:
    security = Security.temporary()
    with running_cluster(workers=1, security=security) as one:
        executor = DaskExecutor(address=one.address, client_kwargs={"security": security})

        assert doubled(doubling(), executor) == [2 * x for x in range(20)]

        wait_until(one.is_clean)


# --- resources ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"tags": ["dask-resource:GPU=1"]}, {"resources": {"GPU": 1}}])
def test_tasks_run_where_the_resources_are_that_they_need(executor: DaskExecutor, options: dict[str, Any]) -> None:
    needy = functools.partial(worker_name, task_args=options)
    with Flow("resources") as flow:
        one = needy()
        many = worker_name.map(list(range(40)), task_args=options)
        after = worker_name.map(many, task_args=options)
        anywhere = worker_name.map(many)

    state = flow.run(executor=executor)

    assert state.result[one].result == "worker-1"
    assert state.result[many].result == ["worker-1"] * 40
    assert state.result[after].result == ["worker-1"] * 40
    assert state.result[anywhere].is_successful()


# --- logs --------------------------------------------------------------------------------------------------------


class Talks(Task):
    """Logs by all the ways there are."""

    def run(self, x: int) -> int:
        self.logger.info("mine %d", x)
        context["logger"].info("context's %d", x)
        return x


def test_what_tasks_log_appears_here_once_with_the_name_of_the_run(
    executor: DaskExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    with Flow("talk") as flow:
        Talks(name="talks").map([7, 8])

    with caplog.at_level(logging.INFO, logger="dagflow"):
        flow.run(executor=executor)

    lines = sorted(record.getMessage() for record in caplog.records)
    assert [line for line in lines if line.startswith(("mine", "context's"))] == [
        "context's 7", "context's 8", "mine 7", "mine 8",
    ]  # fmt: skip
    for name in ("talks[0]", "talks[1]"):
        assert lines.count(f"Task '{name}': Starting task run...") == 1
        assert sum(f"'{name}'" in line and "final state" in line for line in lines) == 1
    mine = {record.getMessage(): record for record in caplog.records}["mine 8"]
    assert mine.name == "dagflow.talks"
    assert mine.task_name == "talks" and mine.flow_name == "talk"  # type: ignore[attr-defined]


def test_an_exception_is_logged_here_with_its_traceback(
    executor: DaskExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    @task
    def fails() -> None:
        raise RuntimeError("unmistakable")

    with Flow("fails") as flow:
        fails()

    flow.run(executor=executor)

    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "unmistakable" in caplog.text and "Traceback" in caplog.text and "'fails'" in record.getMessage()


def test_quiet_levels_are_kept_on_workers(executor: DaskExecutor, caplog: pytest.LogCaptureFixture) -> None:
    with Flow("talk") as flow:
        Talks(name="talks").map([7, 8])

    with caplog.at_level(logging.WARNING, logger="dagflow"):
        flow.run(executor=executor)

    assert not caplog.records


def test_workers_that_come_and_go_are_logged_for_debugging(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    going = tmp_path / "on"
    with running_cluster(workers=1) as one:

        def change() -> None:
            wait_until(one.clients)
            one.kill_worker(one.add_worker())
            wait_until(lambda: len(one.worker_names()) == 1)
            going.touch()

        with Flow("waits") as flow:
            wait_for(str(going))
        with meanwhile(change), caplog.at_level(logging.DEBUG, logger="dagflow"):
            state = flow.run(executor=DaskExecutor(address=one.address))

    assert state.is_successful()
    about = [
        record.getMessage().lower()
        for record in caplog.records
        if record.name == "dagflow.DaskExecutor" and record.levelno == logging.DEBUG
    ]
    assert any("added" in line for line in about) and any("removed" in line for line in about), about


# --- clusters that are not there ---------------------------------------------------------------------------------


def test_an_address_where_nobody_listens_is_told_soon() -> None:
    began = time.monotonic()

    state = doubling().run(executor=DaskExecutor(address="tcp://127.0.0.1:1", client_kwargs={"timeout": 1}))

    assert time.monotonic() - began < 6
    assert state.is_failed() and isinstance(state.result, ClusterError)
    assert "tcp://127.0.0.1:1" in state.message


def test_a_scheduler_that_gets_no_workers_is_told_after_the_timeout() -> None:
    with running_cluster(workers=0) as one, set_temporary_config({"engine.executor.dask.worker_timeout": 1}):
        began = time.monotonic()
        state = doubling().run(executor=DaskExecutor(address=one.address))
        seconds = time.monotonic() - began

    assert state.is_failed() and isinstance(state.result, ClusterError)
    assert "no worker" in state.message
    assert 1 <= seconds < 6


def test_a_scheduler_may_get_its_first_worker_later() -> None:
    with running_cluster(workers=0) as one, meanwhile(lambda: wait_until(one.clients), one.start_worker):
        found = doubled(doubling(), DaskExecutor(address=one.address))

    assert found == [2 * x for x in range(20)]


# --- workers that die --------------------------------------------------------------------------------------------


def test_a_worker_killed_under_a_nanny_comes_back_and_its_work_is_done(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    @task
    def slow(x: int) -> int:
        if x == 3 and not mark.exists():
            mark.touch()
            time.sleep(60)
        return x

    with running_cluster(workers=1, nanny=True) as one:
        before = one.worker_pid(0)
        with Flow("nanny") as flow:
            children = slow.map(list(range(10)))

        with meanwhile(lambda: wait_until(mark.exists), lambda: one.kill_worker(0)):
            state = flow.run(executor=DaskExecutor(address=one.address))

        assert state.result[children].result == list(range(10))
        assert one.worker_pid(0) != before
        wait_until(one.is_clean)


# --- clusters of its own -----------------------------------------------------------------------------------------


def few_threads(**kwargs: Any) -> LocalCluster:
    """Make a cluster in this process, which is quick to start."""
    return LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", **kwargs)


@pytest.mark.parametrize("given", [few_threads, "tests.executors.test_dask_clusters.few_threads"])
def test_a_cluster_class_is_a_callable_or_its_dotted_name(given: Any) -> None:
    executor = DaskExecutor(cluster_class=given, cluster_kwargs={"silence_logs": logging.CRITICAL})

    assert doubled(doubling(), executor) == [2 * x for x in range(20)]


def test_a_cluster_that_cannot_be_made_fails_the_run() -> None:
    def broken(**kwargs: Any) -> None:
        raise RuntimeError("no quota")

    state = doubling().run(executor=DaskExecutor(cluster_class=broken))

    assert state.is_failed() and isinstance(state.result, ClusterError) and "no quota" in state.message


def test_an_adaptive_cluster_grows_from_nothing_and_shrinks_while_it_holds_values(tmp_path: Path) -> None:
    made: list[LocalCluster] = []
    shrunk = tmp_path / "shrunk"

    def make(**kwargs: Any) -> LocalCluster:
        made.append(LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0", **kwargs))
        return made[0]

    def watch() -> None:
        wait_until(lambda: made and len(made[0].scheduler.workers) == 2)
        wait_until(lambda: len(made[0].scheduler.workers) == 1)
        shrunk.touch()

    @task
    def large(x: int) -> bytes:
        time.sleep(0.1)
        return bytes([x]) * 400_000

    @task
    def head(value: bytes, after: Any) -> int:
        return value[0]

    with Flow("adaptive") as flow:
        values = large.map(list(range(40)))
        heads = head.map(values, unmapped(wait_for(str(shrunk), upstream_tasks=[values])))
    adapt = {"minimum": 0, "maximum": 2, "interval": "50ms", "wait_count": 2, "target_duration": "100ms"}

    with meanwhile(watch):
        state = flow.run(executor=DaskExecutor(cluster_class=make, adapt_kwargs=adapt))

    assert state.result[heads].result == list(range(40))


def test_a_report_of_performance_is_written(cluster: RunningCluster, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    executor = DaskExecutor(address=cluster.address, performance_report_path=str(path))

    doubled(doubling(), executor)

    assert "<html" in executor.performance_report
    assert executor.performance_report == path.read_text()
    wait_until(cluster.is_clean)
