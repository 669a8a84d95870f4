"""Scripts that run flows on Dask: Ctrl-C, and no ``if __name__ == "__main__"``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from tests.clusters import RunningCluster, running_cluster, wait_until

SCRIPT = """
import os, time
from dagflow import Flow, task
from dagflow.executors import DaskExecutor

@task
def nap(x):
    open(os.path.join({folder!r}, str(os.getpid())), "w").close()
    time.sleep(0.005)
    return x

with Flow("naps") as flow:
    naps = nap.map(list(range({width})))
state = flow.run(executor={executor})
print(sum(state.result[naps].result), flush=True)
"""
OWN = "DaskExecutor(cluster_kwargs=dict(n_workers=2, threads_per_worker=1, dashboard_address=':0'))"
MARK = "DAGFLOW_TEST_MARK"
"""A variable that the processes of a script inherit, so that they are found again."""


class Script:
    """A script in a process of its own."""

    def __init__(self, folder: Path, executor: str, width: int) -> None:
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.mark = uuid.uuid4().hex
        path = folder / "script.py"
        path.write_text(SCRIPT.format(folder=str(self.marks), width=width, executor=executor))
        self.process = subprocess.Popen(
            ["env", f"{MARK}={self.mark}", sys.executable, str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, start_new_session=True,
        )  # fmt: skip

    def is_running_tasks(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        return any(self.marks.iterdir())

    def processes(self) -> list[int]:
        """Return the processes that the script started and that live, itself among them."""
        return [one.pid for one in psutil.process_iter() if self._is_ours(one)]

    def _is_ours(self, one: psutil.Process) -> bool:
        try:
            return one.status() != psutil.STATUS_ZOMBIE and one.environ().get(MARK) == self.mark
        except psutil.Error:
            return False

    def wait_until(self, moment: str) -> None:
        """Wait until the run is ``starting`` or ``running``."""
        if moment == "running":
            wait_until(self.is_running_tasks, 60)
        else:
            assert self.process.stdout is not None
            line = self.process.stdout.readline
            wait_until(lambda: "Beginning Flow run" in line(), 60)

    def interrupt(self) -> tuple[float, str]:
        """Press Ctrl-C, which a terminal sends to all; return the seconds to the end, and the standard error."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        _, err = self.process.communicate(timeout=30)
        return time.monotonic() - began, err


@pytest.mark.parametrize("moment", ["starting", "running"])
def test_ctrl_c_ends_a_large_map_soon_and_leaves_no_process_behind(moment: str, tmp_path: Path) -> None:
    script = Script(tmp_path, OWN, 10_000)
    script.wait_until(moment)

    seconds, err = script.interrupt()

    assert seconds < 5
    assert script.process.returncode != 0 and "KeyboardInterrupt" in err
    wait_until(lambda: not script.processes())
    assert err.count("\nKeyboardInterrupt") == 1, "workers keep quiet"


def test_ctrl_c_leaves_a_cluster_of_the_users_healthy_and_clean(tmp_path: Path) -> None:
    with running_cluster() as cluster:
        before = cluster.worker_pids()
        script = Script(tmp_path, f"DaskExecutor(address={cluster.address!r})", 10_000)
        script.wait_until("running")

        seconds, err = script.interrupt()

        assert seconds < 5
        assert script.process.returncode != 0 and "KeyboardInterrupt" in err
        wait_until(cluster.is_clean)
        assert _is_idle(cluster)
        assert cluster.worker_pids() == before and len(cluster.worker_names()) == 2


def test_a_script_that_is_killed_leaves_nothing_on_a_cluster(tmp_path: Path) -> None:
    with running_cluster() as cluster:
        before = cluster.worker_pids()
        script = Script(tmp_path, f"DaskExecutor(address={cluster.address!r})", 10_000)
        script.wait_until("running")

        script.process.kill()
        script.process.communicate()

        wait_until(cluster.is_clean)
        wait_until(lambda: len(cluster.traces()) <= 2, last_words=lambda: str(cluster.traces()))
        assert _is_idle(cluster)
        assert cluster.worker_pids() == before and len(cluster.worker_names()) == 2


def _is_idle(cluster: RunningCluster) -> bool:
    with cluster.client() as client:
        return bool(client.submit(int, "3").result(timeout=5) == 3)


@pytest.mark.parametrize("executor", ["DaskExecutor()", OWN])
def test_a_script_needs_no_guard(tmp_path: Path, executor: str) -> None:
    script = Script(tmp_path, executor, 40)

    out, err = script.process.communicate(timeout=60)

    assert out.splitlines()[-1:] == [str(sum(range(40)))], err
    wait_until(lambda: not script.processes())
