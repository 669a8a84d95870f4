"""
A whole backend of real processes, to be hurt: a server, agents, and flows whose bodies write down that they began.

What the server recorded is compared with that by :mod:`tests.faults.records`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dagflow.client.client import Client
from dagflow.run_configs import LocalRun
from tests.clusters import end_orderly_when_told
from tests.faults.hurt_flows import FLOW

__all__ = ["FINISHED", "HEARTBEAT", "LOST_AFTER", "STEADY", "World", "arguments", "percentile", "world"]

ROOT = Path(__file__).parent.parent.parent
SABOTEUR = Path(__file__).parent / "saboteur"
HEARTBEAT = 0.5
LOST_AFTER = 2.0
FINISHED = ("Success", "Failed", "Cancelled", "TimedOut")

SETTINGS = {
    "DAGFLOW__CLOUD__HEARTBEAT_INTERVAL": str(HEARTBEAT),
    "DAGFLOW__CLOUD__CHECK_CANCELLATION_INTERVAL": "0.3",
    "DAGFLOW__CLOUD__LOGGING_HEARTBEAT": "0.5",
    "DAGFLOW__CLOUD__QUEUE_INTERVAL": "0.3",
    "DAGFLOW__SERVER__LOST_AFTER": str(LOST_AFTER),
    "DAGFLOW__SERVER__SWEEP_INTERVAL": "0.2",
    "DAGFLOW__SERVER__SCHEDULER_INTERVAL": "1",
    "DAGFLOW__SERVER__QUEUE_INTERVAL": "0.3",
    "DAGFLOW__SERVER__RESURRECTION_ATTEMPT_LIMIT": "6",
    "DAGFLOW__LOGGING__LEVEL": "INFO",
}
"""What takes seconds takes fractions of one."""

STEADY = {"DAGFLOW__SERVER__LOST_AFTER": "8"}
"""For faults that do not silence a run: a busy machine may hold up its signs of life for longer than two seconds."""

REGISTERING = """
import sys
from dagflow.client import Client
from dagflow.storage import Local
from dagflow.utilities.storage import extract_flow_from_file

flow = extract_flow_from_file(sys.argv[1])
flow.storage = Local(path=sys.argv[1], stored_as_script=True, add_default_labels=False)
Client().create_project("faults")
print(flow.register("faults", no_url=True))
"""


class World:
    """
    A server, agents and a registered flow, each in processes of their own.

    Attributes:
        client: of the server.
        flow_id: the flow that was registered last.
        executions: what the bodies wrote down.
        acks: what the processes of flow runs were told is recorded.
        claims: which runs agents were given.
    """

    def __init__(self, folder: Path, database_url: str | None, settings: Mapping[str, str] | None) -> None:
        self.folder = folder
        self.executions, self.acks, self.claims = folder / "executions", folder / "acks", folder / "claims"
        for path in (self.executions, self.acks, self.claims):
            path.touch()
        self.database_url = database_url or f"sqlite:///{folder}/server.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            **SETTINGS,
            "HOME": str(folder / "home"),
            "EXECUTIONS": str(self.executions),
            "DAGFLOW_TEST_ACKS": str(self.acks),
            "DAGFLOW_TEST_CLAIMS": str(self.claims),
            "DAGFLOW__CLOUD__API": self.url,
            "DAGFLOW__HOME_DIR": str(folder / "home"),
            "PYTHONPATH": f"{SABOTEUR}{os.pathsep}{ROOT}",
            **(settings or {}),
        }
        self.server: subprocess.Popen[bytes] | None = None
        self.agents: list[subprocess.Popen[bytes]] = []
        self.client = Client(self.url)
        self.flow_id = ""
        self.server_log = open(folder / "server.log", "ab")  # noqa: SIM115  closed with the world
        self.agent_log = open(folder / "agent.log", "ab")  # noqa: SIM115

    # --- processes ---------------------------------------------------------------------------------------------

    def start_server(self) -> float:
        """Start the server and return after how many seconds it answered, apart from its waiting for a processor."""
        began = time.monotonic()
        command = [sys.executable, "-m", "dagflow", "server", "start", "--port", str(self.port)]
        self.server = subprocess.Popen(
            [*command, "--database-url", self.database_url],
            env=self.environment, stdout=self.server_log, stderr=self.server_log, cwd=ROOT,
        )  # fmt: skip
        self.wait_for(self._answers, 20.0, "the server to answer")
        return time.monotonic() - began - _waited_for_processor(self.server.pid)

    def _answers(self) -> bool:
        assert self.server is not None
        assert self.server.poll() is None, f"the server ended:\n{(self.folder / 'server.log').read_text()[-2000:]}"
        try:
            urllib.request.urlopen(f"{self.url}/api/health", timeout=1).close()
        except OSError:
            return False
        return True

    def end_server(self, how: int = signal.SIGKILL) -> float:
        """End the server, and return after how many seconds it was gone."""
        assert self.server is not None
        began = time.monotonic()
        self.server.send_signal(how)
        self.server.wait(timeout=20)
        return time.monotonic() - began

    def start_agent(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start an agent."""
        command = [sys.executable, "-m", "dagflow", "agent", "local", "start", "--no-hostname-label", *arguments]
        log = self.agent_log
        agent = subprocess.Popen(
            command, env=self.environment, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
        )
        self.agents.append(agent)
        return agent

    def processes(self) -> dict[int, str]:
        """Return the processes of this world by number, each with its command, apart from server and agents."""
        own = {process.pid for process in (self.server, *self.agents) if process is not None}
        mark = str(self.executions).encode()
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) in own:
                continue
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{entry}/cmdline").read_bytes()
                # What has ended and was not waited for yet has no command.
                if command and mark in Path(f"/proc/{entry}/environ").read_bytes():
                    found[int(entry)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
        return found

    def flow_processes(self, run_id: str | None = None) -> list[int]:
        """Return the processes that execute flow runs, those of one run only if it is given."""
        found = [pid for pid, command in self.processes().items() if command.endswith("execute flow-run")]
        if run_id is None:
            return found
        wanted = f"DAGFLOW__CONTEXT__FLOW_RUN_ID={run_id}".encode()
        return [pid for pid in found if wanted in _environment(pid)]

    def close(self) -> None:
        """End everything."""
        for process in [*self.agents, self.server]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for pid in self.processes():
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
        done = subprocess.run(
            [sys.executable, "-c", REGISTERING, str(path)],
            env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.flow_id = done.stdout.strip().splitlines()[-1]
        return self.flow_id

    def run(self, env: Mapping[str, str] | None = None, **parameters: Any) -> str:
        """Ask for a run, with variables for its process, and return its id."""
        run_config = LocalRun(env=dict(env)) if env else None
        return self.client.create_flow_run(flow_id=self.flow_id, parameters=parameters or None, run_config=run_config)

    def state(self, run_id: str) -> str:
        """Return the name of a run's state."""
        return str(self.client.get(f"flow_runs/{run_id}")["state"])

    def finish(self, run_id: str, seconds: float = 60.0) -> str:
        """Wait until a run has finished and return the name of its state."""
        self.wait_for(lambda: self.state(run_id) in FINISHED, seconds, f"run {run_id} to finish")
        return self.state(run_id)

    def succeed(self, run_id: str, seconds: float = 60.0) -> None:
        """Wait until a run has succeeded."""
        state = self.finish(run_id, seconds)
        assert state == "Success", f"run {run_id} ended as {state}\n{self.evidence()}"

    def wait_for(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """Wait until *condition* is true, and return what it said."""
        end = time.monotonic() + seconds
        while True:
            try:
                found = condition()
            except AssertionError:
                raise
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
        for path in sorted((self.folder / "home").rglob("runs/*.log"), key=lambda one: one.stat().st_mtime)[-2:]:
            parts.append(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}")
        return "\n".join(parts)


def _waited_for_processor(pid: int) -> float:
    """Return the seconds in which a process could have run and others did: no matter of its own."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@contextlib.contextmanager
def world(
    database_url: str | None = None, agents: int = 1, source: str = FLOW, settings: Mapping[str, str] | None = None
) -> Iterator[World]:
    """Give a world in which a flow is registered and agents wait."""
    with tempfile.TemporaryDirectory(prefix="dagflow-world-", ignore_cleanup_errors=True) as folder:
        here = World(Path(folder), database_url, settings)
        try:
            here.start_server()
            here.register(source)
            for _ in range(agents):
                here.start_agent()
            yield here
        finally:
            here.close()


def arguments(document: str | None, runs: int) -> argparse.Namespace:
    """Return what was given on the command line of a full set, which ends in order when it is told to."""
    end_orderly_when_told()
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url")
    parser.add_argument("--postgresql", action="store_true", help="start a PostgreSQL server for it")
    return parser.parse_args()


def percentile(values: list[float], share: float) -> float:
    """
    Return the value below which a share of the values lies.

    >>> percentile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0
