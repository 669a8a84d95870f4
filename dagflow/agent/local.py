"""An agent that runs flows as processes next to itself."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterable
from typing import Any, ClassVar

from dagflow.agent.agent import Agent
from dagflow.agent.claimed import ClaimedRun
from dagflow.agent.ends import LAST_LINES, describe_exit
from dagflow.agent.environment import local_environment
from dagflow.agent.processes import Process, log_file, prune_logs
from dagflow.agent.units import supervisor_configuration, systemd_unit
from dagflow.configuration import config
from dagflow.run_configs import LocalRun

__all__ = ["LocalAgent"]


class LocalAgent(Agent):
    """
    Run each flow run as a process of this machine, in a group of its own.

    What a run prints goes to ``<home>/runs/<flow run id>.log``, of which the last hundred are kept. The runs go on when
    the agent ends. When a process ends before its run is finished, the server is told at once, with its last lines.

    Args:
        agent_config_id: the configuration on the server that groups agents.
        name: default ``config.cloud.agent.name``.
        labels: what runs may ask for; the name of this machine is added.
        env_vars: variables for the environment of each run.
        max_polls: end after asking this often.
        agent_address: where ``/api/health`` is answered.
        no_cloud_logs: the log lines of runs do not go to the server.
        import_paths: folders with modules that flows import.
        show_flow_logs: what runs print goes to the output of the agent.
        hostname_label: add the name of this machine to the labels.
        **options: ``limit``, ``pool``, ``queues``, ``flow_ids``, ``api_key``.
    """

    kind = "LocalAgent"
    pool_type = "process"
    run_config_class = LocalRun
    keeps_hold = True
    command: ClassVar[tuple[str, ...]] = (sys.executable, "-m", "dagflow", "execute", "flow-run")
    """What executes a run; its environment says which."""

    def __init__(
        self,
        agent_config_id: str | None = None,
        name: str | None = None,
        labels: Iterable[str] | None = None,
        env_vars: Any = None,
        max_polls: int | None = None,
        agent_address: str | None = None,
        no_cloud_logs: bool | None = None,
        import_paths: Iterable[str] | None = None,
        show_flow_logs: bool = False,
        hostname_label: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(agent_config_id, name, labels, env_vars, max_polls, agent_address, no_cloud_logs, **options)
        self.import_paths = list(import_paths or ())
        self.show_flow_logs = show_flow_logs
        if hostname_label and (host := _host()) not in self.labels:
            self.labels.append(host)
        self.logs_folder = os.path.join(os.path.expanduser(str(config.home_dir)), "runs")
        self._processes: dict[tuple[str, int], Process] = {}
        self._lock = threading.Lock()

    def deploy_flow(self, run: ClaimedRun) -> str:
        """
        Start a process for *run*.

        Raises:
            TypeError: for a flow in an image, and for a run config of another kind.
            ValueError: when its working directory does not exist here.
        """
        if run.storage.get("type") == "Docker":
            raise TypeError(
                f"The flow of {run} is kept in a Docker image, which a LocalAgent cannot start. Start an agent with "
                "`dagflow agent docker start`, or choose another storage."
            )
        run_config = self.run_config_of(run)
        if run_config.working_dir and not os.path.isdir(run_config.working_dir):
            raise ValueError(
                f"The working directory {run_config.working_dir!r} of {run} does not exist on {socket.gethostname()}. "
                "Make it there, or change working_dir of the LocalRun."
            )
        env = local_environment(self.told(), run, os.environ, run_config.env, run_config.working_dir, self.import_paths)
        log = None if self.show_flow_logs else log_file(self.logs_folder, run.id)
        with self._lock:
            process = Process(
                self.command,
                env=env,
                cwd=run_config.working_dir,
                log=log,
                on_end=lambda ended: self._ended(run, ended),
            )
            self._processes[run.key] = process
        return f"PID: {process.pid}"

    def _ended(self, run: ClaimedRun, process: Process) -> None:
        with self._lock:
            self._processes.pop(run.key, None)
        code = process.code or 0
        if code:
            self.logger.warning("Process %d of %s ended with code %d.", process.pid, run, code)
        reason = describe_exit(f"Process {process.pid} on {socket.gethostname()}", code)
        self.ends.tell(run, reason, process.last_lines(LAST_LINES) if code else ())
        prune_logs(self.logs_folder, [one.log for one in self.processes() if one.log])

    def processes(self) -> list[Process]:
        """Return the processes that run."""
        with self._lock:
            return list(self._processes.values())

    def kill(self, run: ClaimedRun) -> None:
        """End the process group of *run*; in a thread, because it has ten seconds for ending itself."""
        process = self._processes.get(run.key)
        if process is not None:
            threading.Thread(target=process.kill, name=f"agent-kill-{process.pid}", daemon=True).start()

    @staticmethod
    def generate_supervisor_conf(**options: Any) -> str:
        """Return a configuration for supervisord that keeps such an agent running; arguments as for the agent."""
        return supervisor_configuration(**options)

    @staticmethod
    def generate_systemd_unit(**options: Any) -> str:
        """Return a unit for systemd that keeps such an agent running; arguments as for the agent."""
        return systemd_unit(**options)


def _host() -> str:
    host = socket.gethostname()
    if host == "docker-desktop":
        # That name is the same on everybody's machine.
        with contextlib.suppress(OSError):
            return socket.gethostbyname(host)
    return host
