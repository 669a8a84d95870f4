"""Executing a run without an agent: each time it is due, in a process of its own, until it has finished."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.configuration import config
from dagflow.engine.clock import Clock
from dagflow.exceptions import ServerUnreachableError
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.client.client import Client

__all__ = ["execute_flow_run_in_subprocess", "run_environment"]

WAITING = ("Paused", "Queued", "Resume", "Retrying", "Scheduled")
LOOK_SECONDS = 5.0
"""Between two looks whether the run is due, or has been cancelled or approved meanwhile."""


def execute_flow_run_in_subprocess(
    flow_run_id: str,
    run_api_key: str | None = None,
    include_local_env: bool = True,
    *,
    clock: Clock | None = None,
    start: Callable[[Mapping[str, str]], int] | None = None,
) -> None:
    """
    Execute a flow run, and wait for its retries and approvals, until it has finished.

    Args:
        flow_run_id: a run that waits to be executed.
        run_api_key: the key its process shows the server; default the one of the configuration.
        include_local_env: whether its process has the environment of this one.
        clock: for tests.
        start: executes the run that an environment names, and returns the exit code; default is a process.

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
            _Execution(client, flow_run_id, clock or Clock(), start or _in_process).until_finished(
                lambda run: run_environment(client, run, run_api_key, include_local_env)
            )
        except KeyboardInterrupt:
            from dagflow.engine.state import Failed

            client.set_flow_run_state(flow_run_id, Failed("The run was interrupted (Ctrl-C)."))
            raise


def _in_process(environment: Mapping[str, str]) -> int:
    command = [sys.executable, "-m", "dagflow", "execute", "flow-run"]
    return subprocess.run(command, env=dict(environment), check=False).returncode


class _Execution:
    """Executes a run each time there is something to do in it."""

    def __init__(
        self, client: Client, flow_run_id: str, clock: Clock, start: Callable[[Mapping[str, str]], int]
    ) -> None:
        self.client = client
        self.flow_run_id = flow_run_id
        self.clock = clock
        self.start = start
        self._said: object = None

    def until_finished(self, environment: Callable[[dict[str, Any]], Mapping[str, str]]) -> None:
        """Go on until the run has finished; *environment* returns that of its process."""
        from dagflow.engine.state import State

        while True:
            due = self.clock.now() + LOOK_SECONDS
            with contextlib.suppress(ServerUnreachableError):
                # A run that waits for hours is not given up for a server that is away for minutes.
                run = self.client.get(f"flow_runs/{self.flow_run_id}")
                if State.deserialize(run["serialized_state"]).is_finished():
                    return
                due = self._due(run)
                if due <= self.clock.now():
                    self._execute(run, environment(run))
                    continue
            self._wait(due)

    def _execute(self, run: dict[str, Any], environment: Mapping[str, str]) -> None:
        code = self.start(environment)
        if code:
            raise RuntimeError(f"The process of flow run {run['name']!r} ended with exit code {code}.")

    def _due(self, run: dict[str, Any]) -> float:
        """Return when there is something to do next: at once, at a date, or some time after somebody has acted."""
        if run["state"] != "Running":
            return _seconds(run["state_start_time"] or run["scheduled_start_time"])
        asked = {"state": list(WAITING), "limit": 1000}
        waiting = self.client.get(f"flow_runs/{run['id']}/task_runs", asked)["items"]
        dates = [_seconds(row["state_start_time"]) for row in waiting if row["state"] != "Paused"]
        return min(dates, default=float("inf") if waiting else 0.0)

    def _wait(self, due: float) -> None:
        if due != self._said:
            self._said = due
            logger = get_logger("execution")
            if due == float("inf"):
                logger.info("Waiting for an approval: dagflow flow-run approve %s", self.flow_run_id)
            else:
                logger.info("Waiting %.0f s until the run is due.", due - self.clock.now())
        self.clock.sleep(min(max(due - self.clock.now(), 0.0), LOOK_SECONDS))


def _seconds(moment: str | None) -> float:
    import datetime

    return 0.0 if moment is None else datetime.datetime.fromisoformat(moment).timestamp()


def run_environment(
    client: Client, run: dict[str, Any], key: str | None = None, include_local_env: bool = True
) -> dict[str, str]:
    """Return the environment of a process that executes *run*; what is fixed cannot be changed by its run config."""
    environment = dict(os.environ) if include_local_env else {}
    # That of the run in which this is called, if it is.
    environment.pop("DAGFLOW__CONTEXT__RUN_TOKEN", None)
    environment.update(
        {
            "DAGFLOW__LOGGING__LEVEL": str(config.logging.level),
            "DAGFLOW__LOGGING__FORMAT": str(config.logging.format),
            "DAGFLOW__LOGGING__DATEFMT": str(config.logging.datefmt),
            "DAGFLOW__CLOUD__SEND_FLOW_RUN_LOGS": str(config.cloud.send_flow_run_logs).lower(),
        }
    )
    chosen = run["run_config"] or client.get(f"flow_groups/{run['flow_group_id']}").get("run_config")
    chosen = chosen or client.get(f"flows/{run['flow_id']}")["run_config"] or {}
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
