"""An agent that runs flows in containers next to itself; needs the ``docker`` extra."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagflow.agent.agent import Agent
from dagflow.agent.claimed import ClaimedRun
from dagflow.agent.containers import Volumes, container_name, image_of, reachable_api, volumes_of
from dagflow.agent.ends import LAST_LINES, describe_exit
from dagflow.agent.environment import container_environment
from dagflow.run_configs import DockerRun

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["DockerAgent"]

MOST_FAILED_PINGS = 6
PULL_SECONDS = 3600
MOST_NAMES = 100
COMMAND = ["dagflow", "execute", "flow-run"]
LABEL = "io.dagflow."


class DockerAgent(Agent):
    """
    Run each flow run in a container.

    Containers are looked at when they have ended, so that the reason is known, and removed then.

    Args:
        agent_config_id: the configuration on the server that groups agents.
        name: default ``config.cloud.agent.name``.
        labels: what runs may ask for.
        env_vars: variables for the environment of each run.
        max_polls: end after asking this often.
        agent_address: where ``/api/health`` is answered.
        no_cloud_logs: the log lines of runs do not go to the server.
        base_url: the Docker server; default is the one of this machine, or ``DOCKER_HOST``.
        no_pull: pull no images.
        volumes: ``host:container[:mode]``; one path is on both sides, a name that is no path is a named volume.
        show_flow_logs: what runs print goes to the output of the agent.
        networks: networks that each run joins.
        reg_allow_list: registries from which images may be pulled; default is any.
        docker_client_timeout: seconds the Docker server has for an answer.
        **options: ``limit``, ``pool``, ``queues``, ``flow_ids``, ``api_key``.

    Raises:
        ImportError: without the ``docker`` extra.
        RuntimeError: when the Docker server does not answer.
    """

    kind = "DockerAgent"
    pool_type = "docker"
    run_config_class = DockerRun
    keeps_hold = True

    def __init__(
        self,
        agent_config_id: str | None = None,
        name: str | None = None,
        labels: Iterable[str] | None = None,
        env_vars: Any = None,
        max_polls: int | None = None,
        agent_address: str | None = None,
        no_cloud_logs: bool | None = None,
        base_url: str | None = None,
        no_pull: bool | None = None,
        volumes: Iterable[str] | None = None,
        show_flow_logs: bool = False,
        networks: Iterable[str] | None = None,
        reg_allow_list: Iterable[str] | None = None,
        docker_client_timeout: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(agent_config_id, name, labels, env_vars, max_polls, agent_address, no_cloud_logs, **options)
        docker = _docker()
        self.volumes: Volumes = volumes_of(volumes or ())
        self.no_pull = bool(no_pull)
        self.show_flow_logs = show_flow_logs
        self.networks = list(networks or ())
        self.reg_allow_list = None if reg_allow_list is None else list(reg_allow_list)
        self.failed_pings = 0
        address = base_url or os.environ.get("DOCKER_HOST") or _default_address()
        try:
            self.docker = docker.APIClient(base_url=address, version="auto", timeout=docker_client_timeout or 60)
            self.docker.ping()
        except docker.errors.DockerException as error:
            raise RuntimeError(
                f"The Docker server at {address} does not answer: {error}. Start it, or name another one with "
                "--base-url or DOCKER_HOST."
            ) from error
        self._containers: dict[tuple[str, int], str] = {}

    # --- starting --------------------------------------------------------------------------------------------

    def deploy_flow(self, run: ClaimedRun) -> str:
        """
        Start a container for *run*.

        Raises:
            TypeError: for a run config of another kind.
            ValueError: without an image, and for one from a registry that is not allowed.
        """
        run_config = self.run_config_of(run)
        image = image_of(run, run_config.image)
        self._pull(image)
        for volume in self.volumes.named:
            self.docker.create_volume(volume)
        env = container_environment(self.told(reachable_api(self.client.api_server)), run, image, run_config.env)
        created = self._created(run, image, env, run_config)
        id: str = created["Id"]
        try:
            for network in self.networks[1:]:
                self.docker.connect_container_to_network(container=id, net_id=network)
            self.docker.start(container=id)
        except Exception:
            # Starting may be tried again, with a container of its own.
            self._guarded(self._remove, id)
            raise
        self._containers[run.key] = id
        self._watch(run, id)
        return f"Container ID: {id}"

    def _pull(self, image: str) -> None:
        if self.no_pull or "/" not in image:
            return
        registry = image.split("/")[0]
        if self.reg_allow_list is not None and registry not in self.reg_allow_list:
            raise ValueError(
                f"Image {image!r} is from the registry {registry!r}, which this agent may not pull from; allowed are "
                f"{', '.join(self.reg_allow_list) or 'none'}."
            )
        self.logger.info("Pulling image %s ...", image)
        for line in self.docker.pull(image, stream=True, decode=True):
            if line.get("error"):
                raise RuntimeError(f"Image {image!r} cannot be pulled: {line['error']}")

    def _created(self, run: ClaimedRun, image: str, env: dict[str, str], run_config: Any) -> dict[str, Any]:
        """Create the container, under the first of its names that is free."""
        options = self._options(run, image, env, run_config)
        name = container_name(run.name, run.id)
        from docker.errors import APIError  # type: ignore[import-untyped,unused-ignore]

        for number in range(MOST_NAMES):
            try:
                found: dict[str, Any] = self.docker.create_container(
                    **options, name=name if not number else f"{name}-{number}"
                )
                return found
            except APIError as error:
                if error.status_code != 409:
                    raise
        return dict(self.docker.create_container(**options, name=run.id))

    def _options(self, run: ClaimedRun, image: str, env: dict[str, str], run_config: Any) -> dict[str, Any]:
        host: dict[str, Any] = {"extra_hosts": {"host.docker.internal": "host-gateway"}}
        if self.volumes.binds:
            host["binds"] = self.volumes.binds
        if run_config.ports:
            host["port_bindings"] = {port: port for port in run_config.ports}
        host.update(run_config.host_config or {})
        options: dict[str, Any] = {
            "image": image,
            "command": COMMAND,
            "environment": env,
            "labels": self._labels(run),
            "host_config": self.docker.create_host_config(**host),
        }
        if run_config.ports:
            options["ports"] = list(run_config.ports)
        if self.volumes.mounts:
            options["volumes"] = self.volumes.mounts
        if self.networks:
            first = {self.networks[0]: self.docker.create_endpoint_config()}
            options["networking_config"] = self.docker.create_networking_config(first)
        return options

    def _labels(self, run: ClaimedRun) -> dict[str, str]:
        return {
            f"{LABEL}flow-name": str(run.flow.get("name")),
            f"{LABEL}flow-id": run.flow_id,
            f"{LABEL}flow-run-id": run.id,
            f"{LABEL}run-token": str(run.token),
            f"{LABEL}agent-id": str(self.agent_id),
        }

    # --- watching --------------------------------------------------------------------------------------------

    def _watch(self, run: ClaimedRun, id: str) -> None:
        threading.Thread(
            target=self._until_ended, args=(run, id), name=f"agent-container-{id[:12]}", daemon=True
        ).start()
        if self.show_flow_logs:
            threading.Thread(target=self._show, args=(id,), name=f"agent-logs-{id[:12]}", daemon=True).start()

    def _show(self, id: str) -> None:
        try:
            for line in self.docker.logs(id, stream=True, follow=True):
                sys.stdout.write(line.decode("utf-8", errors="replace"))
        except Exception as error:
            self.logger.debug("The output of container %s ended: %s", id[:12], error)

    def _until_ended(self, run: ClaimedRun, id: str) -> None:
        try:
            reason, lines = self._reason(id)
        except Exception as error:
            # Whoever removed it, or ended the Docker server, ended the run too, unless the server knows better.
            reason, lines = f"Container {id[:12]} cannot be looked at any more: {error}.", []
            if self.is_stopping:
                return
        self._containers.pop(run.key, None)
        self.ends.tell(run, reason, lines)
        self._guarded(self._remove, id)

    def _reason(self, id: str) -> tuple[str, list[str]]:
        import requests

        while True:
            try:
                code = int(self.docker.wait(id, timeout=PULL_SECONDS)["StatusCode"])
                break
            except requests.exceptions.ReadTimeout:
                continue
        state = self.docker.inspect_container(id)["State"]
        reason = describe_exit(f"Container {id[:12]}", code)
        if state.get("OOMKilled"):
            reason = f"Container {id[:12]} used more memory than it may and was ended (OOMKilled)."
        if not code:
            return reason, []
        text = self.docker.logs(id, tail=LAST_LINES).decode("utf-8", errors="replace")
        return reason, [line for line in text.splitlines() if line.strip()]

    def _remove(self, id: str) -> None:
        from docker.errors import NotFound  # type: ignore[import-untyped,unused-ignore]

        try:
            self.docker.remove_container(id, v=True, force=True)
        except NotFound:
            self.logger.debug("Container %s is gone already.", id[:12])

    def on_startup(self) -> None:
        """Take up the containers that this agent started before it was started again."""
        filters = {"label": f"{LABEL}agent-id={self.agent_id}"}
        for container in self.docker.containers(all=True, filters=filters):
            labels = container["Labels"]
            flow = {"id": labels.get(f"{LABEL}flow-id"), "name": labels.get(f"{LABEL}flow-name")}
            run = ClaimedRun({"id": labels[f"{LABEL}flow-run-id"]}, flow, int(labels[f"{LABEL}run-token"]))
            self.hand.take(run)
            self.hand.started(run)
            self._containers[run.key] = container["Id"]
            self._watch(run, container["Id"])

    def kill(self, run: ClaimedRun) -> None:
        """Stop the container of *run*."""
        id = self._containers.get(run.key)
        if id is not None:
            threading.Thread(target=self._guarded, args=(self.docker.stop, id), daemon=True).start()

    def heartbeat(self) -> None:
        """Ping the Docker server; after six that fail in a row the agent ends."""
        try:
            self.docker.ping()
            self.failed_pings = 0
        except Exception as error:
            self.failed_pings += 1
            self.logger.warning("The Docker server does not answer (%d times): %s", self.failed_pings, error)
            if self.failed_pings >= MOST_FAILED_PINGS:
                self.logger.error("The agent ends, because the Docker server has gone.")
                self.stop()


def _default_address() -> str:
    return "npipe:////./pipe/docker_engine" if sys.platform == "win32" else "unix://var/run/docker.sock"


def _docker() -> ModuleType:
    try:
        import docker  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError(
            "The agent for Docker needs the `docker` extra; install it with `pip install '.[docker]'`."
        ) from error
    return docker  # type: ignore[no-any-return,unused-ignore]
