"""``dagflow agent`` and ``dagflow worker``: what options become, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from dagflow.agent.agent import Agent
from dagflow.agent.docker import DockerAgent
from dagflow.agent.local import LocalAgent
from dagflow.cli import cli
from dagflow.configuration import config
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.logging import get_logger
from tests.agent.fake_docker import FakeDocker
from tests.served import registered


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[None]:
    level = get_logger().level
    with set_temporary_config({"home_dir": str(tmp_path / "home")}):
        yield
    get_logger().setLevel(level)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect agents instead of letting them work."""
    found: list[Any] = []

    def start(agent: Agent) -> None:
        found.append(agent)
        agent.told_level = str(config.logging.level)  # type: ignore[attr-defined]

    monkeypatch.setattr(Agent, "start", start)
    return found


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, args)


def test_a_local_agent_gets_its_options(served: InProcessServer, started: list[Any]) -> None:
    result = run(
        *("agent", "local", "start", "--name", "ann", "-l", "b", "-l", "a", "-l", "b", "-e", "X=1=2", "-p", "/code"),
        *("--max-polls", "3", "--limit", "2", "--no-hostname-label", "-f", "--no-cloud-logs", "--log-level", "debug"),
        *("--agent-config-id", "c", "--agent-address", "http://127.0.0.1:8080", "--key", "dfk_1"),
    )

    assert result.exit_code == 0, result.output
    (agent,) = started
    assert isinstance(agent, LocalAgent)
    assert (agent.name, agent.labels, agent.env_vars) == ("ann", ["a", "b"], {"X": "1=2"})
    assert (agent.max_polls, agent.limit, agent.import_paths) == (3, 2, ["/code"])
    assert (agent.show_flow_logs, agent.send_logs, agent.told_level) == (True, False, "DEBUG")
    assert (agent.agent_config_id, agent.agent_address) == ("c", "http://127.0.0.1:8080")
    assert agent.client.api_key == "dfk_1"


def test_another_server_can_be_named(started: list[Any]) -> None:
    run("agent", "local", "start", "--api", "http://elsewhere:1")

    assert started[0].client.api_server == "http://elsewhere:1"
    assert started[0].told().api == "http://elsewhere:1"


def test_without_options_the_configuration_counts(served: InProcessServer, started: list[Any]) -> None:
    with set_temporary_config({"cloud.agent.labels": ["x"], "cloud.agent.name": "configured"}):
        run("agent", "local", "start", "--no-hostname-label")

    assert (started[0].labels, started[0].name, started[0].send_logs) == (["x"], "configured", True)


def test_a_docker_agent_gets_its_options(served: InProcessServer, started: list[Any]) -> None:
    daemon = FakeDocker()
    try:
        result = run(
            *("agent", "docker", "start", "--base-url", daemon.url, "--no-pull", "--volume", "/a:/b", "--network", "n"),
            *(
                "--docker-client-timeout",
                "7",
            ),
        )
    finally:
        daemon.stop()

    assert result.exit_code == 0, result.output
    (agent,) = started
    assert isinstance(agent, DockerAgent)
    assert (agent.no_pull, agent.networks, agent.docker.timeout) == (True, ["n"], 7)
    assert agent.volumes.mounts == ("/b",)
    agent.docker.close()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("agent", "local", "start", "-e", "X"), "NAME=VALUE"),
        (("agent", "local", "start", "-e", "=1"), "NAME=VALUE"),
        (("agent", "local", "start", "--queue", "fast"), "--pool"),
        (("agent", "local", "start", "--limit", "0"), "--limit"),
        (("agent", "kubernetes", "install"), "--image"),
        (("worker", "start"), "--pool"),
    ],
)
def test_a_wrong_call_is_a_usage_error_that_names_the_option(
    served: InProcessServer, args: tuple[str, ...], said: str
) -> None:
    result = run(*args)

    assert result.exit_code == 2 and said in result.output


def test_a_template_that_is_not_there_is_named(served: InProcessServer) -> None:
    result = run("agent", "kubernetes", "start", "--job-template", "nothing.yaml")

    assert result.exit_code == 1 and "'nothing.yaml'" in result.stderr


def test_a_supervisor_file_and_a_unit_are_printed() -> None:
    supervisor = run("agent", "local", "install", "-l", "a", "-e", "X=1", "--limit", "3")
    unit = run("agent", "local", "install", "--systemd", "--pool", "big")

    assert "agent local start --label a --env X=1 --limit 3" in supervisor.stdout
    assert "[Service]" in unit.stdout and "--pool big" in unit.stdout


def test_yaml_for_a_cluster_is_printed() -> None:
    result = run("agent", "kubernetes", "install", "--image", "dag:1", "--rbac", "--namespace", "flows")

    kinds = [document["kind"] for document in yaml.safe_load_all(result.stdout)]
    assert kinds == ["Deployment", "ServiceAccount", "Role", "RoleBinding"]


# --- workers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "expected"), [("process", LocalAgent)])
def test_the_kind_of_a_worker_follows_from_its_pool(
    served: InProcessServer, started: list[Any], kind: str, expected: type[Agent]
) -> None:
    served.client().post("work_pools", {"name": "big", "type": kind})

    result = run("worker", "start", "--pool", "big", "--name", "w", "--limit", "2", "--queue", "default")

    assert result.exit_code == 0, result.output
    (agent,) = started
    assert type(agent) is expected
    assert (agent.pool, agent.name, agent.limit, agent.queues) == ("big", "w", 2, ["default"])


def test_a_pool_that_does_not_exist_is_made_only_if_asked_for(served: InProcessServer, started: list[Any]) -> None:
    refused = run("worker", "start", "--pool", "big")
    made = run("worker", "start", "--pool", "big", "--create")

    assert refused.exit_code == 3 and "There is no pool 'big'" in refused.output
    assert made.exit_code == 0 and served.client().get("work_pools/big")["type"] == "process"


def test_a_pool_of_another_type_is_refused_with_both(served: InProcessServer) -> None:
    served.client().post("work_pools", {"name": "ships", "type": "docker"})

    by_agent = run("agent", "local", "start", "--pool", "ships")
    by_worker = run("worker", "start", "--pool", "ships", "--type", "process")

    for result in (by_agent, by_worker):
        assert result.exit_code == 1
        assert "docker" in result.output and "process" in result.output


def test_a_worker_runs_what_is_in_its_pool(served: InProcessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    client, flow_id = served.client(), registered(served)
    client.post("work_pools", {"name": "big", "type": "process"})
    group = client.get(f"flows/{flow_id}")["flow_group_id"]
    deployment = client.post("deployments", {"flow_group_id": group, "name": "nightly", "pool": "big"})["id"]
    run_id = client.post(f"deployments/{deployment}/create_run", {})["id"]
    started: list[str] = []
    monkeypatch.setattr(LocalAgent, "deploy_flow", lambda agent, run: started.append(run.id) or "started")

    result = run("worker", "start", "--pool", "big", "--max-polls", "1")

    assert result.exit_code == 0, result.output
    assert started == [run_id]


def test_a_server_that_is_away_is_named_with_the_command_that_starts_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dagflow.client.transport.RETRIES", 0)
    monkeypatch.setattr("dagflow.client.transport.FIRST_WAIT", 0.0)

    result = run("worker", "start", "--pool", "big", "--api", "http://127.0.0.1:9")

    assert result.exit_code == 5
    assert "http://127.0.0.1:9" in result.output and "dagflow server start" in result.output


def test_a_docker_server_that_is_away_is_named(served: InProcessServer) -> None:
    result = run("agent", "docker", "start", "--base-url", "tcp://127.0.0.1:9")

    assert result.exit_code == 1 and "tcp://127.0.0.1:9 does not answer" in result.output
