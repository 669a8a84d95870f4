"""
A whole backend of real processes, to be hurt: a server, agents, and a flow whose bodies write down that they began.

Every body appends its task run and the token of its process to a file; what the server recorded is compared with that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dagflow.client.client import Client

__all__ = ["Start", "World", "fast_settings", "world"]

ROOT = Path(__file__).parent.parent.parent
HEARTBEAT = 0.5
LOST_AFTER = 2.0

FLOW = '''
import datetime, os, time
import dagflow
from dagflow import Flow, Parameter, case, task
from dagflow.tasks.control_flow import merge

PAUSE = float(os.environ.get("BODY_SECONDS", "0.03"))


def note(name):
    """Write down that a body began."""
    line = f"{dagflow.context.task_run_id} {dagflow.context.get('run_token')} {time.time():.6f} {name}\\n"
    descriptor = os.open(os.environ["EXECUTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)
    time.sleep(PAUSE)


@task
def number(x):
    note("number")
    return x + 1


@task
def double(x):
    note("double")
    return 2 * x


@task
def total(values):
    note("total")
    return sum(values)


@task(max_retries=1, retry_delay=datetime.timedelta(seconds=0.1))
def flaky(x):
    note("flaky")
    if dagflow.context.task_run_count == 1:
        raise ValueError("the first attempt fails")
    return x


@task
def is_large(x):
    note("is_large")
    return x > 100


@task
def branch(x, name):
    note(f"branch {name}")
    return (name, x)


with Flow("hurt") as flow:
    start = Parameter("start", default=0)
    one = number(start)
    two = number(one)
    three = number(two)
    summed = total(double.map(list(range(20))))
    tried = flaky(summed)
    large = is_large(tried)
    with case(large, True):
        yes = branch(tried, "large")
    with case(large, False):
        no = branch(tried, "small")
    chosen = merge(yes, no)
    last = total([three, summed, tried])
'''


class Start(NamedTuple):
    """A body began."""

    task_run_id: str
    token: int
    seconds: float
    name: str


def fast_settings() -> dict[str, str]:
    """Return an environment in which everything that takes seconds takes fractions of one."""
    return {
        "DAGFLOW__CLOUD__HEARTBEAT_INTERVAL": str(HEARTBEAT),
        "DAGFLOW__CLOUD__CHECK_CANCELLATION_INTERVAL": "0.3",
        "DAGFLOW__CLOUD__LOGGING_HEARTBEAT": "0.5",
        "DAGFLOW__CLOUD__QUEUE_INTERVAL": "0.3",
        "DAGFLOW__SERVER__LOST_AFTER": str(LOST_AFTER),
        "DAGFLOW__SERVER__SWEEP_INTERVAL": "0.2",
        "DAGFLOW__SERVER__SCHEDULER_INTERVAL": "1",
        "DAGFLOW__SERVER__RESURRECTION_ATTEMPT_LIMIT": "6",
        "DAGFLOW__LOGGING__LEVEL": "INFO",
    }


class World:
    """
    A server, agents and a registered flow, each in processes of their own.

    Attributes:
        client: of the server.
        flow_id: the registered flow.
    """

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        self.folder = folder
        self.executions = folder / "executions"
        self.executions.touch()
        self.database_url = database_url or f"sqlite:///{folder}/server.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            **fast_settings(),
            "HOME": str(folder / "home"),
            "EXECUTIONS": str(self.executions),
            "DAGFLOW__CLOUD__API": self.url,
            "DAGFLOW__HOME_DIR": str(folder / "home"),
            "PYTHONPATH": str(ROOT),
        }
        self.server: subprocess.Popen[bytes] | None = None
        self.agents: list[subprocess.Popen[bytes]] = []
        self.client = Client(self.url)
        self.flow_id = ""
        self.server_log = open(folder / "server.log", "ab")  # noqa: SIM115  closed with the world
        self.agent_log = open(folder / "agent.log", "ab")  # noqa: SIM115

    # --- processes ---------------------------------------------------------------------------------------------

    def start_server(self) -> float:
        """Start the server and return after how many seconds it answered."""
        began = time.monotonic()
        command = [sys.executable, "-m", "dagflow", "server", "start", "--port", str(self.port)]
        self.server = subprocess.Popen(
            [*command, "--database-url", self.database_url],
            env=self.environment, stdout=self.server_log, stderr=self.server_log, cwd=ROOT,
        )  # fmt: skip
        self.wait_for(self._answers, 20.0, "the server to answer")
        return time.monotonic() - began

    def _answers(self) -> bool:
        import urllib.request

        assert self.server is not None
        assert self.server.poll() is None, f"the server ended:\n{(self.folder / 'server.log').read_text()[-2000:]}"
        try:
            urllib.request.urlopen(f"{self.url}/api/health", timeout=1).close()
        except OSError:
            return False
        return True

    def kill_server(self, how: int = signal.SIGKILL) -> None:
        """End the server, and wait until it is gone."""
        assert self.server is not None
        self.server.send_signal(how)
        self.server.wait(timeout=20)

    def start_agent(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start an agent."""
        command = [sys.executable, "-m", "dagflow", "agent", "local", "start", "--no-hostname-label", *arguments]
        agent = subprocess.Popen(
            command, env=self.environment, stdout=self.agent_log, stderr=self.agent_log, cwd=ROOT, start_new_session=True
        )
        self.agents.append(agent)
        return agent

    def flow_processes(self) -> list[int]:
        """Return the processes that execute runs of this world."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{entry}/cmdline").read_bytes()
                if b"execute\0flow-run" in command and str(self.folder).encode() in Path(
                    f"/proc/{entry}/environ"
                ).read_bytes():
                    found.append(int(entry))
        return found

    def close(self) -> None:
        """End everything."""
        for process in [*self.agents, self.server]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for pid in self.flow_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.client.close()
        self.server_log.close()
        self.agent_log.close()

    # --- flows -------------------------------------------------------------------------------------------------

    def register(self, source: str = FLOW, name: str = "flow.py") -> str:
        """Register the flow of a script and return its id."""
        path = self.folder / name
        path.write_text(source, encoding="utf-8")
        program = (
            "import sys; from dagflow.utilities.storage import extract_flow_from_file\n"
            "from dagflow.storage import Local\n"
            f"flow = extract_flow_from_file({str(path)!r})\n"
            f"flow.storage = Local(path={str(path)!r}, stored_as_script=True, add_default_labels=False)\n"
            "from dagflow.client import Client\n"
            "Client().create_project('faults')\n"
            "print(flow.register('faults', no_url=True))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self.flow_id = done.stdout.strip().splitlines()[-1]
        return self.flow_id

    def run(self, **parameters: Any) -> str:
        """Ask for a run and return its id."""
        return str(self.client.create_flow_run(flow_id=self.flow_id, parameters=parameters or None))

    def state(self, run_id: str) -> str:
        """Return the name of a run's state."""
        return str(self.client.get(f"flow_runs/{run_id}")["state"])

    def finish(self, run_id: str, seconds: float = 60.0) -> str:
        """Wait until a run has finished and return the name of its state."""
        finished = ("Success", "Failed", "Cancelled", "TimedOut")
        self.wait_for(lambda: self.state(run_id) in finished, seconds, f"run {run_id} to finish")
        return self.state(run_id)

    def wait_for(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """Wait until *condition* is true, and return what it said."""
        end = time.monotonic() + seconds
        while True:
            try:
                found = condition()
            except Exception:
                found = None
                if time.monotonic() > end:
                    raise
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"Waited {seconds:g} s in vain for {what}.\n{self.evidence()}")
            time.sleep(0.02)

    def evidence(self) -> str:
        """Return the last lines of the logs."""
        parts = []
        for name in ("server.log", "agent.log"):
            parts.append(f"--- {name}\n{(self.folder / name).read_text(errors='replace')[-3000:]}")
        for path in sorted((self.folder / "home").rglob("runs/*.log"))[-2:]:
            parts.append(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}")
        return "\n".join(parts)

    # --- what happened -----------------------------------------------------------------------------------------

    def starts(self) -> list[Start]:
        """Return what the bodies wrote down."""
        found = []
        for line in self.executions.read_text().splitlines():
            task_run_id, token, seconds, name = line.split(" ", 3)
            found.append(Start(task_run_id, int(token), float(seconds), name))
        return found

    def task_runs(self, run_id: str) -> list[dict[str, Any]]:
        """Return all task runs of a run."""
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.client.get(f"flow_runs/{run_id}/task_runs", {"limit": 1000, **({"cursor": cursor} if cursor else {})})
            items += page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return items

    def history(self, task_run_id: str) -> list[dict[str, Any]]:
        """Return the states that a task run has had."""
        found: list[dict[str, Any]] = self.client.get(f"task_runs/{task_run_id}/states")["items"]
        return found

    def check(self, run_id: str, kills: int) -> int:
        """
        Compare what began with what was recorded, and return how many bodies began again because of kills.

        No body may begin after its success was recorded, and none again without a reset in its history.
        """
        from dagflow.server.clock import at

        starts = [one for one in self.starts()]
        counted = Counter(one.task_run_id for one in starts)
        extra = 0
        for run in self.task_runs(run_id):
            history = self.history(run["id"])
            versions = [one["version"] for one in history]
            assert versions == list(range(1, len(history) + 1)), f"{run['task_slug']} has versions {versions}"
            began = counted.get(run["id"], 0)
            if not began:
                continue
            planned = 1 + sum(one["state"] == "Retrying" and "process" not in (one["message"] or "") and
                              "heartbeat" not in (one["message"] or "") for one in history)
            again = began - planned
            assert again <= kills, f"{run['task_slug']}[{run['map_index']}] began {began} times with {kills} kills"
            extra += max(0, again)
            done = [at(one["timestamp"]) for one in history if one["state"] == "Success"]
            if done:
                late = [one for one in starts if one.task_run_id == run["id"] and one.seconds > done[0] + 0.005]
                assert not late, f"{run['task_slug']} began {late} after its success was recorded at {done[0]}"
        return extra


@contextlib.contextmanager
def world(database_url: str | None = None, agents: int = 1, source: str = FLOW) -> Iterator[World]:
    """Give a world in which a flow is registered and agents wait."""
    with tempfile.TemporaryDirectory(prefix="dagflow-world-") as folder:
        here = World(Path(folder), database_url)
        try:
            here.start_server()
            here.register(source)
            for _ in range(agents):
                here.start_agent()
            yield here
        finally:
            here.close()
