"""
What hurts processes from within; Python imports a module of this name at its start, because tests put it on the path.

In the process of a flow run it writes down what the server acknowledged (``DAGFLOW_TEST_ACKS`` names the file), sends
requests elsewhere (``DAGFLOW_TEST_API``), and kills the process at a named point (``DAGFLOW_TEST_CRASH_AT=point[:n]``,
once for each run). In an agent it writes down which runs it was given. Everywhere else it does nothing.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from typing import Any

COMMAND = " ".join(getattr(sys, "orig_argv", []))
IS_RUN = "execute flow-run" in COMMAND
IS_AGENT = "agent local" in COMMAND

POINTS = {
    "before begin": ("dagflow.backend.execution:execute_flow_run", "before"),
    "after begin": ("dagflow.backend.execution:_execute", "before"),
    "before the flow is loaded": ("dagflow.backend.execution:load_flow", "before"),
    "after the flow is loaded": ("dagflow.backend.execution:load_flow", "after"),
    "before values are read": ("dagflow.backend.runner:read_values", "before"),
    "before the first heartbeat": ("dagflow.backend.heart:Heart.__enter__", "before"),
    "after the heart began": ("dagflow.backend.heart:Heart.__enter__", "after"),
    "before a state of the flow": ("dagflow.backend.reporting:BackendReporter.flow_state", "before"),
    "after a state of the flow": ("dagflow.backend.reporting:BackendReporter.flow_state", "after"),
    "before a task is reported to start": ("dagflow.backend.reporting:BackendReporter.starting", "before"),
    "after a task was reported to start": ("dagflow.backend.reporting:BackendReporter.starting", "after"),
    "before a body": ("dagflow.engine.attempt:execute", "before"),
    "before the result is written": ("dagflow.engine.attempt:_checkpoint", "before"),
    "between the bytes of a result and its name": ("os:replace", "before"),
    "between result and state": ("dagflow.engine.attempt:_checkpoint", "after"),
    "before a task is reported to be done": ("dagflow.backend.reporting:BackendReporter.settled", "before"),
    "after a task was reported to be done": ("dagflow.backend.reporting:BackendReporter.settled", "after"),
    "before states are sent": ("dagflow.backend.reporting:BackendReporter._send", "before"),
    "between states sent and their answer": ("dagflow.backend.reporting:BackendReporter._look_at", "before"),
    "before the reporter is closed": ("dagflow.backend.reporting:BackendReporter.close", "before"),
    "after the reporter was closed": ("dagflow.backend.reporting:BackendReporter.close", "after"),
    "before log lines are sent": ("dagflow.backend.log_shipping:LogShipper._send_all", "before"),
    "while log lines are sent": ("dagflow.backend.log_shipping:LogShipper._batch", "after"),
    "before the heart ends": ("dagflow.backend.heart:Heart.__exit__", "before"),
    "before the last log lines": ("dagflow.backend.log_shipping:LogShipper.__exit__", "before"),
}
"""Where a process can be killed: a function, and before or after it."""


def appended(path: str, line: str) -> None:
    """Append a line in one piece."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def wrapped(target: str, around: Any) -> None:
    """Let *around* be called with the function that *target* names, and put in its place what that returns."""
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    setattr(owner, name, around(getattr(owner, name)))


def crash_at(point: str, number: int) -> None:
    """Kill this process when it comes to *point* for the time *number*, if it has not been killed there before."""
    target, when = POINTS[point]
    folder = os.path.dirname(os.environ["EXECUTIONS"])
    marker = os.path.join(folder, f"crash-{os.environ['DAGFLOW__CONTEXT__FLOW_RUN_ID']}")
    if os.path.exists(marker):
        return
    left = [number]

    def around(function: Any) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **keys: Any) -> Any:
            value = function(*args, **keys) if when == "after" else None
            left[0] -= 1
            if left[0] == 0:
                appended(marker, point)
                os.kill(os.getpid(), signal.SIGKILL)
            return value if when == "after" else function(*args, **keys)

        return call

    wrapped(target, around)


def write_acknowledged(path: str) -> None:
    """Write down each state that the server said it has."""

    def around(post: Any) -> Any:
        @functools.wraps(post)
        def call(self: Any, where: str, params: Any = None) -> Any:
            answer = post(self, where, params)
            if where == "states":
                for kind in ("flow_runs", "task_runs"):
                    taken = [one for one in answer[kind] if one["status"] == "SUCCESS"]
                    for one in taken:
                        appended(path, f"{kind}/{one['id']} {one['state_id']} {one['version']}")
            return answer

        return call

    wrapped("dagflow.client.connection:Connection.post", around)


def write_claimed(path: str) -> None:
    """Write down each run that an agent was given."""

    def around(claim: Any) -> Any:
        @functools.wraps(claim)
        def call(self: Any) -> Any:
            runs = claim(self)
            for run in runs:
                appended(path, f"{run.id} {run.token} {os.getpid()}")
            return runs

        return call

    wrapped("dagflow.agent.work:Work.claim", around)


if IS_RUN:
    if api := os.environ.get("DAGFLOW_TEST_API"):
        os.environ["DAGFLOW__CLOUD__API"] = api
    if acks := os.environ.get("DAGFLOW_TEST_ACKS"):
        write_acknowledged(acks)
    if crash := os.environ.get("DAGFLOW_TEST_CRASH_AT"):
        name, _, times = crash.partition(":")
        crash_at(name, int(times or 1))
elif IS_AGENT and (claims := os.environ.get("DAGFLOW_TEST_CLAIMS")):
    write_claimed(claims)
