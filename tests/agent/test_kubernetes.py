"""The agent for Kubernetes, against an API that keeps jobs and pods and runs nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagflow.agent.claimed import ClaimedRun
from dagflow.agent.cluster_yaml import deployment_yaml
from dagflow.agent.jobs import identifier_of, job_of
from dagflow.agent.kubernetes import KubernetesAgent
from dagflow.agent.templates import read_remote_template
from dagflow.engine.state import Running, Success
from dagflow.run_configs import DockerRun, KubernetesRun
from dagflow.testing import InProcessServer
from tests.agent.fake_kubernetes import FakeKubernetes
from tests.served import registered

kubernetes = pytest.importorskip("kubernetes")

RUN = ClaimedRun(
    {"id": "c0ffee00-0000-4000-8000-000000000001", "name": "otter"}, {"id": "flow-1", "storage": {"type": "S3"}}, 3
)


@pytest.fixture
def cluster() -> Iterator[FakeKubernetes]:
    fake = FakeKubernetes()
    yield fake
    fake.stop()


@dataclasses.dataclass
class World:
    """A server, a cluster, and an agent between them."""

    server: InProcessServer
    cluster: FakeKubernetes
    run_id: str = ""

    def agent(self, **options: Any) -> KubernetesAgent:
        agent = KubernetesAgent(_api_client=self.cluster.client(), **options)
        agent.register()
        return agent

    def start(self, agent: KubernetesAgent, run_config: Any = None) -> ClaimedRun:
        run_config = run_config or KubernetesRun(image="etl")
        client = self.server.client()
        self.run_id = client.create_flow_run(registered(self.server), labels=[], run_config=run_config)
        (run,) = agent.work.claim()
        agent.hand.take(run)
        agent._launch(run)
        return run

    @property
    def run(self) -> dict[str, Any]:
        found: dict[str, Any] = self.server.client().get(f"flow_runs/{self.run_id}")
        return found

    @property
    def log(self) -> list[tuple[str, str]]:
        items = self.server.client().get(f"flow_runs/{self.run_id}/logs")["items"]
        return [(one["level"], one["message"]) for one in items]


@pytest.fixture
def world(served: InProcessServer, cluster: FakeKubernetes) -> World:
    return World(served, cluster)


def as_the_api_reads_it(job: dict[str, Any]) -> Any:
    """Read a job by the models of Kubernetes; a field that does not exist there is refused."""
    from kubernetes import client

    reader = client.ApiClient()
    read = reader.deserialize(json.dumps(job), "V1Job", "application/json")
    assert reader.sanitize_for_serialization(read) == job, "the API would drop what it does not know"
    return read


def made(run_config: KubernetesRun, **options: Any) -> dict[str, Any]:
    return job_of(RUN, run_config, identifier_of(RUN), "etl", {"A": "1"}, **options)


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


# --- manifests -----------------------------------------------------------------------------------------------


def test_a_job_has_name_labels_image_command_and_environment() -> None:
    job = made(KubernetesRun())

    labels = job["metadata"]["labels"]
    (container,) = pod_of(job)["containers"]
    assert job["metadata"]["name"] == f"dagflow-job-{labels['dagflow.io/identifier']}"
    assert len(labels["dagflow.io/identifier"]) == 8
    assert labels["dagflow.io/flow_run_id"] == RUN.id and labels["dagflow.io/flow_id"] == "flow-1"
    assert job["spec"]["template"]["metadata"]["labels"] == labels
    assert pod_of(job)["restartPolicy"] == "Never"
    assert container == {
        "name": "flow",
        "image": "etl",
        "args": ["dagflow", "execute", "flow-run"],
        "env": [{"name": "A", "value": "1"}],
    }


TEMPLATE = """
apiVersion: batch/v1
kind: Job
metadata: {labels: {team: data}}
spec:
  ttlSecondsAfterFinished: 60
  template:
    spec:
      restartPolicy: OnFailure
      serviceAccountName: from-template
      containers:
        - {name: first, image: old, env: [{name: A, value: old}, {name: B, value: kept}]}
        - {name: sidecar, image: proxy}
"""

CONFIGS = [
    KubernetesRun(),
    KubernetesRun(cpu_limit=2, cpu_request="500m", memory_limit="4Gi", memory_request="1Gi"),
    KubernetesRun(service_account_name="me", image_pull_secrets=["a", "b"], image_pull_policy="Always"),
    KubernetesRun(job_template=TEMPLATE),
]


@pytest.mark.parametrize("run_config", CONFIGS)
def test_a_job_is_one_that_the_api_knows(run_config: KubernetesRun) -> None:
    volumes = {"volumes": [{"name": "v", "emptyDir": {}}], "volume_mounts": [{"name": "v", "mountPath": "/v"}]}

    for options in ({}, volumes):
        read = as_the_api_reads_it(made(run_config, **options))

        assert read.spec.template.spec.containers[0].args == ["dagflow", "execute", "flow-run"]


def test_resources_and_the_pull_policy_are_set() -> None:
    job = made(KubernetesRun(cpu_limit=2, memory_request="1Gi", image_pull_policy="Always"))

    (container,) = pod_of(job)["containers"]
    assert container["resources"] == {"limits": {"cpu": "2"}, "requests": {"memory": "1Gi"}}
    assert container["imagePullPolicy"] == "Always"


def test_a_template_is_filled_in_and_its_own_variables_stay() -> None:
    job = made(KubernetesRun(job_template=TEMPLATE))

    first, sidecar = pod_of(job)["containers"]
    assert (first["name"], first["image"], sidecar["image"]) == ("first", "etl", "proxy")
    assert first["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "kept"}]
    assert job["metadata"]["labels"]["team"] == "data"
    assert pod_of(job)["restartPolicy"] == "OnFailure" and job["spec"]["ttlSecondsAfterFinished"] == 60


@pytest.mark.parametrize(
    ("of_run", "of_template", "of_agent", "expected"),
    [
        ("run", True, "agent", "run"),
        (None, True, "agent", "from-template"),
        (None, False, "agent", "agent"),
        (None, False, None, None),
    ],
)
def test_the_service_account_is_that_of_the_run_then_of_its_template_then_of_the_agent(
    of_run: str | None, of_template: bool, of_agent: str | None, expected: str | None
) -> None:
    run_config = KubernetesRun(service_account_name=of_run, job_template=TEMPLATE if of_template else None)

    job = made(run_config, service_account_name=of_agent)

    assert pod_of(job).get("serviceAccountName") == expected


def test_a_template_is_not_changed_by_what_is_made_of_it() -> None:
    run_config = KubernetesRun(job_template=TEMPLATE)
    before = run_config.serialize()

    made(run_config)

    assert run_config.serialize() == before


def test_a_template_on_the_machine_of_the_agent_is_read_there(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(TEMPLATE)

    assert read_remote_template(f"agent://{tmp_path}/job.yaml")["kind"] == "Job"


# --- starting ------------------------------------------------------------------------------------------------


def test_a_run_becomes_a_job(world: World) -> None:
    run = world.start(world.agent(), KubernetesRun(image="etl", env={"COLOUR": "red"}))

    env = {one["name"]: one["value"] for one in pod_of(world.cluster.only)["containers"][0]["env"]}
    assert world.cluster.only["metadata"]["labels"]["dagflow.io/flow_run_id"] == run.id
    assert (env["COLOUR"], env["DAGFLOW__CONTEXT__FLOW_RUN_ID"]) == ("red", run.id)
    assert (env["DAGFLOW__CONTEXT__IMAGE"], env["DAGFLOW__CONTEXT__RUN_TOKEN"]) == ("etl", "1")


def test_trouble_of_the_api_is_passed_and_a_job_that_is_there_is_the_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagflow.agent.agent.FIRST_WAIT", 0.001)
    world.cluster.failing = [500, 503, 409]

    world.start(world.agent())

    assert world.run["state"] == "Submitted" and world.cluster.failing == []


@pytest.mark.parametrize(
    ("run_config", "said"), [(KubernetesRun(), "cloud.agent.default_image"), (DockerRun(image="etl"), "DockerRun")]
)
def test_what_cannot_be_started_fails_with_the_reason(world: World, run_config: Any, said: str) -> None:
    world.start(world.agent(), run_config)

    assert world.run["state"] == "Failed" and said in world.run["state_message"]
    assert world.cluster.jobs == {}


def test_the_environment_of_the_agent_says_where_and_how(
    served: InProcessServer, cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMESPACE", "flows")
    monkeypatch.setenv("SERVICE_ACCOUNT_NAME", "runner")
    monkeypatch.setenv("IMAGE_PULL_SECRETS", "a, b")
    monkeypatch.setenv("DELETE_FINISHED_JOBS", "false")

    told = KubernetesAgent(_api_client=cluster.client())
    argued = KubernetesAgent(_api_client=cluster.client(), namespace="mine", delete_finished_jobs=True)

    assert (told.namespace, told.service_account_name, told.image_pull_secrets) == ("flows", "runner", ["a", "b"])
    assert (told.delete_finished_jobs, argued.namespace, argued.delete_finished_jobs) == (False, "mine", True)


# --- watching ------------------------------------------------------------------------------------------------


def test_an_image_that_cannot_be_pulled_fails_the_run(world: World) -> None:
    agent = world.agent()
    world.start(agent)
    world.cluster.add_pod("Pending", {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}})

    agent.heartbeat()

    assert world.run["state"] == "Failed" and "ImagePullBackOff" in world.run["state_message"]
    assert agent.hand.runs() == []


def test_what_the_cluster_says_of_a_waiting_pod_is_logged_once(world: World) -> None:
    agent = world.agent()
    world.start(agent)
    world.cluster.add_pod("Pending")
    event = {
        "metadata": {"name": "e", "uid": "event-uid"},
        "involvedObject": {"uid": "pod-uid"},
        "reason": "FailedScheduling",
        "message": "no room",
    }
    world.cluster.events.append(event)

    agent.heartbeat()
    agent.heartbeat()

    found = [line for line in world.log if "FailedScheduling" in line[1]]
    assert len(found) == 1 and found[0][0] == "DEBUG" and "no room" in found[0][1]


def test_a_run_whose_pod_waits_is_not_taken_for_lost(world: World) -> None:
    agent = world.agent()
    world.start(agent)
    world.cluster.add_pod("Pending")

    for _ in range(4):
        world.server.tick(20)
        agent.heartbeat()
    world.server.tick()

    assert world.run["state"] == "Submitted"


def test_a_failed_pod_is_told_of_with_its_exit_code_and_the_job_deleted(world: World) -> None:
    agent = world.agent()
    world.start(agent)
    name = world.cluster.only["metadata"]["name"]
    world.cluster.add_pod("Failed", {"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
    world.cluster.only["status"] = {"failed": 1}

    agent.heartbeat()

    assert world.run["state"] == "Scheduled", "it is to run again"
    assert any("exit code 137 (OOMKilled)" in text for _, text in world.log)
    assert world.cluster.deleted == [(name, "Foreground")]


def test_a_job_that_finished_is_deleted_and_its_run_stays_as_it_is(world: World) -> None:
    agent = world.agent()
    world.start(agent)
    world.server.client().set_flow_run_state(world.run_id, Running())
    world.server.client().set_flow_run_state(world.run_id, Success())
    world.cluster.add_pod("Succeeded", {"terminated": {"exitCode": 0}})
    world.cluster.only["status"] = {"succeeded": 1}

    agent.heartbeat()

    assert world.run["state"] == "Success" and world.cluster.jobs == {}
    assert agent.hand.runs() == []


def test_finished_jobs_stay_if_that_is_wanted(world: World) -> None:
    agent = world.agent(delete_finished_jobs=False)
    world.start(agent)
    world.cluster.only["status"] = {"succeeded": 1}

    agent.heartbeat()

    assert len(world.cluster.jobs) == 1 and world.cluster.deleted == []


def test_a_job_of_somebody_else_and_one_of_an_unknown_run_are_left_alone(world: World) -> None:
    agent = world.agent()
    unknown = {"dagflow.io/identifier": "y", "dagflow.io/flow_run_id": RUN.id}
    for name, labels in (("foreign", {"dagflow.io/identifier": "x"}), ("unknown", unknown)):
        world.cluster.jobs[name] = {"metadata": {"name": name, "labels": labels}, "status": {"failed": 1}}

    agent.heartbeat()

    assert set(world.cluster.jobs) == {"foreign", "unknown"}


def test_jobs_are_read_page_by_page(world: World) -> None:
    for number in range(45):
        labels = {"dagflow.io/identifier": str(number)}
        world.cluster.jobs[f"job-{number}"] = {"metadata": {"name": f"job-{number}", "labels": labels}, "status": {}}

    assert len(list(world.agent()._jobs())) == 45
    assert world.cluster.pages == 3


def test_a_job_that_somebody_deleted_ends_its_run(world: World) -> None:
    agent = world.agent()
    world.start(agent)
    world.cluster.jobs.clear()

    agent.heartbeat()

    assert world.run["state"] == "Scheduled" and agent.hand.runs() == []


def test_a_cancelled_run_that_does_not_react_has_its_job_deleted(world: World) -> None:
    agent = world.agent()
    agent.cancel_grace = 0.0
    world.start(agent)
    world.server.client().set_flow_run_state(world.run_id, Running())
    world.server.client().cancel_flow_run(world.run_id)

    agent.beat_once()

    assert world.run["state"] == "Cancelled" and world.cluster.jobs == {}


# --- installing ----------------------------------------------------------------------------------------------


def test_the_yaml_for_installing_has_what_the_agent_needs() -> None:
    documents = list(
        yaml.safe_load_all(
            deployment_yaml("http://server", "dfk_1", "flows", ["b", "a"], image="dag:1", mem_limit="1Gi", rbac=True)
        )
    )

    deployment, *others = documents
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one["value"] for one in container["env"]}
    assert [one["kind"] for one in others] == ["ServiceAccount", "Role", "RoleBinding"]
    assert container["args"][0].endswith("--agent-address http://0.0.0.0:8080 --label a --label b")
    assert (env["DAGFLOW__CLOUD__API"], env["NAMESPACE"]) == ("http://server", "flows")
    assert container["resources"] == {"limits": {"memory": "1Gi"}}
    assert others[1]["rules"][0]["resources"] == ["jobs"]


def test_installing_without_an_image_says_how_to_name_one() -> None:
    with pytest.raises(ValueError, match="--image"):
        deployment_yaml("http://server")
