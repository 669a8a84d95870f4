"""Executing a run without an agent: each time it is due, in a process of its own, until it has finished."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dagflow.configuration import config
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.client.client import Client

__all__ = ["execute_flow_run_in_subprocess", "run_environment"]

LOOK_SECONDS = 0.5


def execute_flow_run_in_subprocess(
    flow_run_id: str,
    run_api_key: str | None = None,
    include_local_env: bool = True,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """
    Execute a flow run, and wait for its retries, until it has finished.

    Args:
        flow_run_id: a run that waits to be executed.
        run_api_key: the key its process shows the server; default the one of the configuration.
        include_local_env: whether its process has the environment of this one.
        sleep: how to wait.

    Raises:
        RuntimeError: when the run is not Scheduled, and when its process fails.
    """
    from dagflow.client.client import Client

    with Client() as client:
        run = client.get(f"flow_runs/{flow_run_id}")
        if run["state"] != "Scheduled":
            raise RuntimeError(
                f"Flow run {run['name']!r} ({flow_run_id}) is {run['state']}; only one that is Scheduled can be "
                f"executed. Restart it with `dagflow flow-run restart {flow_run_id}`."
            )
        try:
            _until_finished(client, flow_run_id, run_api_key, include_local_env, sleep)
        except KeyboardInterrupt:
            from dagflow.engine.state import Failed

            client.set_flow_run_state(flow_run_id, Failed("The run was interrupted (Ctrl-C)."))
            raise


def _until_finished(
    client: Client, flow_run_id: str, key: str | None, include_local_env: bool, sleep: Callable[[float], None]
) -> None:
    from dagflow.engine.state import State

    while True:
        run = client.get(f"flow_runs/{flow_run_id}")
        if State.deserialize(run["serialized_state"]).is_finished():
            return
        _wait_until_due(client, run, sleep)
        environment = run_environment(client, run, key, include_local_env)
        done = subprocess.run([sys.executable, "-m", "dagflow", "execute", "flow-run"], env=environment, check=False)
        if done.returncode:
            raise RuntimeError(f"The process of flow run {run['name']!r} ended with exit code {done.returncode}.")


def _wait_until_due(client: Client, run: dict[str, Any], sleep: Callable[[float], None]) -> None:
    """Wait until the run, or the first of its tasks that wait for another attempt, is due."""
    moments = [run["state_start_time"] or run["scheduled_start_time"]]
    if run["state"] == "Running":
        waiting = client.get(f"flow_runs/{run['id']}/task_runs", {"state": "Retrying", "limit": 1000})["items"]
        moments = [row["state_start_time"] for row in waiting]
    due = min((_seconds(moment) for moment in moments if moment), default=0.0)
    if due > time.time():
        get_logger("execution").info("Waiting %.0f s until the run is due.", due - time.time())
    while (left := due - time.time()) > 0:
        sleep(min(left, LOOK_SECONDS))


def _seconds(moment: str) -> float:
    import datetime

    return datetime.datetime.fromisoformat(moment).timestamp()


def run_environment(
    client: Client, run: dict[str, Any], key: str | None = None, include_local_env: bool = True
) -> dict[str, str]:
    """Return the environment of a process that executes *run*; what is fixed cannot be changed by its run config."""
    environment = dict(os.environ) if include_local_env else {}
    environment.update(
        {
            "DAGFLOW__LOGGING__LEVEL": str(config.logging.level),
            "DAGFLOW__LOGGING__FORMAT": str(config.logging.format),
            "DAGFLOW__LOGGING__DATEFMT": str(config.logging.datefmt),
            "DAGFLOW__CLOUD__SEND_FLOW_RUN_LOGS": str(config.cloud.send_flow_run_logs).lower(),
        }
    )
    flow = client.get(f"flows/{run['flow_id']}")
    chosen = run["run_config"] or flow["run_config"] or {}
    environment.update({name: str(value) for name, value in (chosen.get("env") or {}).items()})
    environment.update(
        {
            "DAGFLOW__BACKEND": "server",
            "DAGFLOW__CLOUD__API": client.api_server,
            "DAGFLOW__CLOUD__USE_LOCAL_SECRETS": "false",
            "DAGFLOW__CONTEXT__FLOW_RUN_ID": run["id"],
            "DAGFLOW__CONTEXT__FLOW_ID": run["flow_id"],
            "DAGFLOW__ENGINE__FLOW_RUNNER__DEFAULT_CLASS": "dagflow.engine.cloud.CloudFlowRunner",
            "DAGFLOW__ENGINE__TASK_RUNNER__DEFAULT_CLASS": "dagflow.engine.cloud.CloudTaskRunner",
        }
    )
    key = key or client.api_key
    if key:
        environment["DAGFLOW__CLOUD__API_KEY"] = key
    return environment
