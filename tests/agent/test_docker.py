"""The agent for containers, against a Docker server that only remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dagflow.agent.claimed import ClaimedRun
from dagflow.agent.containers import container_name, image_of, reachable_api, volumes_of
from dagflow.agent.docker import DockerAgent
from dagflow.engine.state import Running
from dagflow.run_configs import DockerRun, LocalRun
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from tests.agent.conftest import until
from tests.agent.fake_docker import FakeDocker
from tests.served import registered

docker = pytest.importorskip("docker")


@pytest.fixture
def daemon() -> Iterator[FakeDocker]:
    fake = FakeDocker()
    yield fake
    fake.stop()


@pytest.fixture
def agent(served: InProcessServer, daemon: FakeDocker) -> Iterator[Callable[..., DockerAgent]]:
    """Give a function that makes an agent of the fake Docker server."""
    made: list[DockerAgent] = []

    def make(**options: Any) -> DockerAgent:
        made.append(DockerAgent(base_url=daemon.url, **options))
        return made[-1]

    yield make
    daemon.failing = None
    for id in list(daemon.containers):
        daemon.end(id, 0)
    for one in made:
        until(lambda one=one: not one.hand.runs())
        one.docker.close()


def started(agent: DockerAgent) -> ClaimedRun:
    if agent.agent_id is None:
        agent.register()
    (run,) = agent.work.claim()
    agent.hand.take(run)
    agent._launch(run)
    return run


def run_of(server: InProcessServer, run_config: Any = None, **options: Any) -> str:
    run_config = run_config or DockerRun(image="etl")
    return server.client().create_flow_run(registered(server), labels=[], run_config=run_config, **options)


def state_of(server: InProcessServer, run_id: str) -> str:
    return str(server.client().get(f"flow_runs/{run_id}")["state"])


def environment(container: dict[str, Any]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in container["asked"]["Env"])


def test_the_container_has_image_command_labels_and_environment(
    served: InProcessServer, daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    run_id = run_of(served, DockerRun(image="etl", env={"A": "1"}, ports=[8080]), run_name="Brave Otter")

    started(agent())

    _, container = daemon.only
    asked, found = container["asked"], environment(container)
    assert (container["name"], container["started"]) == ("brave-otter", True)
    assert (asked["Image"], asked["Cmd"]) == ("etl", ["dagflow", "execute", "flow-run"])
    assert asked["Labels"]["io.dagflow.flow-run-id"] == run_id and asked["Labels"]["io.dagflow.flow-name"] == "etl"
    assert (found["A"], found["DAGFLOW__CONTEXT__IMAGE"], found["DAGFLOW__CONTEXT__RUN_TOKEN"]) == ("1", "etl", "1")
    assert found["DAGFLOW__CLOUD__API"] == "http://host.docker.internal:4200"
    assert asked["HostConfig"]["ExtraHosts"] == ["host.docker.internal:host-gateway"]
    assert asked["HostConfig"]["PortBindings"] == {"8080/tcp": [{"HostIp": "", "HostPort": "8080"}]}


def test_the_host_config_of_a_run_overrides_that_of_the_agent(
    served: InProcessServer, daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    run_of(served, DockerRun(image="etl", host_config={"mem_limit": "64m", "extra_hosts": {"db": "10.0.0.1"}}))

    started(agent())

    host = daemon.only[1]["asked"]["HostConfig"]
    assert host["Memory"] == 64 * 2**20 and host["ExtraHosts"] == ["db:10.0.0.1"]


def test_a_name_that_is_taken_gets_a_number(
    served: InProcessServer, daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    daemon.taken_names = {"otter", "otter-1"}
    run_of(served, run_name="otter")

    started(agent())

    assert daemon.only[1]["name"] == "otter-2"


def test_networks_are_joined_the_first_one_at_birth(
    served: InProcessServer, daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    run_of(served)

    started(agent(networks=["one", "two"]))

    id, container = daemon.only
    assert list(container["asked"]["NetworkingConfig"]["EndpointsConfig"]) == ["one"]
    assert daemon.connected == [("two", id)]


def test_named_volumes_are_made_and_folders_are_bound(
    served: InProcessServer, daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    run_of(served)

    started(agent(volumes=["cache:/cache", "/data:/in:ro"]))

    assert daemon.volumes == ["cache"]
    assert sorted(daemon.only[1]["asked"]["HostConfig"]["Binds"]) == ["/data:/in:ro", "cache:/cache:rw"]


@pytest.mark.parametrize(
    ("image", "options", "pulled"),
    [
        ("etl", {}, []),
        ("reg.example/etl:1", {}, ["reg.example/etl:1"]),
        ("reg.example/etl:1", {"no_pull": True}, []),
        ("reg.example/etl:1", {"reg_allow_list": ["reg.example"]}, ["reg.example/etl:1"]),
    ],
)
def test_an_image_of_a_registry_is_pulled(
    served: InProcessServer,
    daemon: FakeDocker,
    agent: Callable[..., DockerAgent],
    image: str,
    options: dict[str, Any],
    pulled: list[str],
) -> None:
    run_of(served, DockerRun(image=image))

    started(agent(**options))

    assert daemon.pulled == pulled


@pytest.mark.parametrize(
    ("run_config", "options", "said"),
    [
        (DockerRun(image="other.example/etl"), {"reg_allow_list": ["reg.example"]}, "may not pull from"),
        (DockerRun(), {}, "cloud.agent.default_image"),
        (LocalRun(), {}, "LocalRun"),
    ],
)
def test_what_cannot_be_started_fails_with_the_reason(
    served: InProcessServer,
    daemon: FakeDocker,
    agent: Callable[..., DockerAgent],
    run_config: Any,
    options: dict[str, Any],
    said: str,
) -> None:
    run_id = run_of(served, run_config)

    started(agent(**options))

    record = served.client().get(f"flow_runs/{run_id}")
    assert record["state"] == "Failed" and said in record["state_message"]
    assert daemon.containers == {}


def test_a_container_that_ends_before_its_run_is_told_of_and_removed(
    served: InProcessServer, daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    run_id = run_of(served)
    started(agent())

    daemon.end(daemon.only[0], 1, "Traceback\nKeyError: 'x'\n")

    until(lambda: not daemon.containers)
    said = [one["message"] for one in served.client().get(f"flow_runs/{run_id}/logs")["items"]]
    assert state_of(served, run_id) == "Scheduled"
    assert "KeyError: 'x'" in said and any("exit code 1" in line for line in said)


def test_a_container_without_memory_left_is_named_as_that(
    served: InProcessServer, daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    run_id = run_of(served)
    started(agent())

    daemon.end(daemon.only[0], 137, killed=True)

    until(lambda: not daemon.containers)
    said = [one["message"] for one in served.client().get(f"flow_runs/{run_id}/logs")["items"]]
    assert any("OOMKilled" in line for line in said)


def test_a_cancelled_run_that_does_not_react_has_its_container_stopped(
    served: InProcessServer, daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    run_id, one = run_of(served), agent()
    one.cancel_grace = 0.0
    started(one)
    served.client().set_flow_run_state(run_id, Running())
    served.client().cancel_flow_run(run_id)

    one.beat_once()

    until(lambda: state_of(served, run_id) == "Cancelled")


def test_containers_of_an_agent_are_watched_again_after_its_restart(
    served: InProcessServer, daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    run_id, first = run_of(served), agent(name="ann")
    started(first)
    first._leave()
    first.ends.tell = lambda run, reason, lines=(): first.hand.drop(run)  # type: ignore[method-assign]
    second = agent(name="ann")
    second.register()

    second.on_startup()

    assert [run.id for run in second.hand.runs()] == [run_id]
    daemon.end(daemon.only[0], 1)
    until(lambda: state_of(served, run_id) == "Scheduled")


def test_the_agent_ends_after_six_pings_without_an_answer(
    daemon: FakeDocker, agent: Callable[..., DockerAgent]
) -> None:
    one = agent()
    daemon.failing = 500

    for _ in range(5):
        one.heartbeat()
    assert not one.is_stopping
    one.heartbeat()

    assert one.is_stopping


def test_a_ping_that_is_answered_starts_the_count_again(daemon: FakeDocker, agent: Callable[..., DockerAgent]) -> None:
    one = agent()
    for failing in (500, 500, None, 500, 500, 500, 500, 500):
        daemon.failing = failing
        one.heartbeat()

    assert not one.is_stopping and one.failed_pings == 5


def test_a_docker_server_that_is_not_there_ends_the_start_with_its_address(served: InProcessServer) -> None:
    with pytest.raises(RuntimeError, match=r"tcp://127\.0\.0\.1:9 does not answer"):
        DockerAgent(base_url="tcp://127.0.0.1:9")


# --- decisions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named", "bind"),
    [
        ("/a:/b", (), {"/a": {"bind": "/b", "mode": "rw"}}),
        ("/a:/b:ro", (), {"/a": {"bind": "/b", "mode": "ro"}}),
        ("/a", (), {"/a": {"bind": "/a", "mode": "rw"}}),
        ("cache:/b", ("cache",), {"cache": {"bind": "/b", "mode": "rw"}}),
    ],
)
def test_volumes_are_read(text: str, named: tuple[str, ...], bind: dict[str, Any]) -> None:
    found = volumes_of([text])

    assert (found.named, found.binds) == (named, bind)


@pytest.mark.parametrize("text", ["", "a:/b:ro", "/a:/b:rx", "/a:/b:rw:x", "cache", "/a::ro"])
def test_volumes_of_another_shape_are_refused_with_the_text(text: str) -> None:
    with pytest.raises(ValueError, match="olume"):
        volumes_of([text])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Otter", "otter"), ("-_.otter", "otter"), ("ü", "id"), ("a" * 300, "a" * 250), ("a/b c", "a-b-c")],
)
def test_names_of_containers_are_made_of_those_of_runs(name: str, expected: str) -> None:
    assert container_name(name, "id") == expected


def test_the_image_is_that_of_the_storage_then_of_the_run_config_then_of_the_agent() -> None:
    stored = {"type": "Docker", "registry_url": "reg.example", "image_name": "flows", "image_tag": "1"}
    in_image = ClaimedRun({"id": "1"}, {"id": "2", "storage": stored}, 1)
    elsewhere = ClaimedRun({"id": "1"}, {"id": "2", "storage": {"type": "Local"}}, 1)

    with set_temporary_config({"cloud.agent.default_image": "configured"}):
        found = [image_of(in_image, "asked"), image_of(elsewhere, "asked"), image_of(elsewhere, None)]

    assert found == ["reg.example/flows:1", "asked", "configured"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://localhost:4200", "http://host.docker.internal:4200"),
        ("http://127.0.0.1", "http://host.docker.internal"),
        ("http://[::1]:4200", "http://host.docker.internal:4200"),
        ("https://dag.example", "https://dag.example"),
    ],
)
def test_the_server_on_this_machine_has_another_name_in_a_container(address: str, expected: str) -> None:
    assert reachable_api(address) == expected
