from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from dagflow.run_configs import (
    DockerRun,
    ECSRun,
    KubernetesRun,
    LocalRun,
    RunConfig,
    UniversalRun,
    VertexRun,
    deserialize,
)

FULL: list[RunConfig] = [
    UniversalRun({"A": "1"}, ["b", "a"]),
    LocalRun(env={"A": "1"}, labels={"x"}, working_dir="/srv"),
    DockerRun(image="img", ports=[80], host_config={"mem_limit": "1g"}),
    KubernetesRun(
        job_template={"kind": "Job"}, image="img", cpu_limit=2, cpu_request="500m", memory_limit="4Gi",
        memory_request="2Gi", service_account_name="me", image_pull_secrets=["s"], image_pull_policy="Always",
    ),
    KubernetesRun(job_template_path="s3://bucket/job.yaml"),
    ECSRun(task_definition={"family": "f"}, image="img", cpu=1024, memory="4 GB", run_task_kwargs={"cluster": "c"}),
    ECSRun(task_definition_arn="arn:aws:ecs:1", task_role_arn="role", execution_role_arn="exec"),
    VertexRun(image="img", scheduling={"timeout": "60s"}, service_account="me", network="n", worker_pool_specs=[{}]),
]  # fmt: skip


@pytest.mark.parametrize("config", FULL, ids=lambda config: type(config).__name__)
def test_a_run_config_survives_json_and_pickle(config: RunConfig) -> None:
    wire = json.loads(json.dumps(config.serialize()))

    assert deserialize(wire) == config
    assert cloudpickle.loads(cloudpickle.dumps(config)) == config
    assert hash(deserialize(wire)) == hash(config)


@pytest.mark.parametrize("kind", [UniversalRun, LocalRun, DockerRun, KubernetesRun, ECSRun, VertexRun])
def test_every_kind_can_be_made_without_arguments(kind: type[RunConfig]) -> None:
    config = kind()

    assert config.env is None and config.labels == set()
    assert repr(config) == f"<{kind.__name__}>"


@pytest.mark.parametrize("kind", [LocalRun, DockerRun, KubernetesRun, ECSRun, VertexRun])
def test_all_but_universal_take_keywords_only(kind: Any) -> None:
    with pytest.raises(TypeError):
        kind({"A": "1"})


def test_labels_are_a_set_in_python_and_a_sorted_list_on_the_wire() -> None:
    config = UniversalRun(labels=["b", "a", "b"])

    assert config.labels == {"a", "b"}
    assert config.serialize()["labels"] == ["a", "b"]


def test_equality_compares_the_serialized_form_and_the_type() -> None:
    assert UniversalRun(labels=["a", "b"]) == UniversalRun(labels=["b", "a"])
    assert UniversalRun(labels=["a"]) != LocalRun(labels=["a"])
    assert LocalRun(env={"A": "1"}) != LocalRun(env={"A": "2"})


def test_labels_and_env_of_the_wrong_kind_are_refused() -> None:
    wrong: Any = ["A=1"]

    with pytest.raises(TypeError, match=r"use \['prod'\]"):
        UniversalRun(labels="prod")
    with pytest.raises(TypeError, match="found list"):
        UniversalRun(env=wrong)


def test_a_run_config_keeps_its_own_copy_of_what_it_was_given() -> None:
    env = {"A": "1"}
    config = UniversalRun(env=env)

    env["B"] = "2"

    assert config.env == {"A": "1"}


def test_the_working_directory_is_made_absolute() -> None:
    assert LocalRun(working_dir="work").working_dir == os.path.join(os.getcwd(), "work")


def test_cpu_values_become_text() -> None:
    kubernetes, ecs = KubernetesRun(cpu_limit=1, cpu_request=0.5), ECSRun(cpu=1024, memory=2048)

    assert (kubernetes.cpu_limit, kubernetes.cpu_request) == ("1", "0.5")
    assert (ecs.cpu, ecs.memory) == ("1024", "2048")


# --- templates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_local_template_is_read_when_the_run_config_is_made(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("kind: Job\nspec: {parallelism: 1}\n")

    kubernetes = KubernetesRun(job_template_path=f"{prefix}{path}")
    ecs = ECSRun(task_definition_path=f"{prefix}{path}")
    path.unlink()

    assert kubernetes.job_template == ecs.task_definition == {"kind": "Job", "spec": {"parallelism": 1}}
    assert kubernetes.job_template_path is None and ecs.task_definition_path is None


@pytest.mark.parametrize(
    "path", ["s3://b/j.yaml", "gcs://b/j.yaml", "https://h/j.yaml", "http://h/j", "agent:///j.yaml"]
)
def test_a_remote_template_is_left_to_the_agent(path: str) -> None:
    config = KubernetesRun(job_template_path=path)

    assert (config.job_template_path, config.job_template) == (path, None)


def test_yaml_text_is_parsed() -> None:
    assert KubernetesRun(job_template="kind: Job").job_template == {"kind": "Job"}
    assert ECSRun(task_definition="family: f").task_definition == {"family": "f"}


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: KubernetesRun(job_template={}, job_template_path="x"), ValueError, "found both"),
        (lambda: KubernetesRun(image_pull_policy="Sometimes"), ValueError, "'Sometimes'.*IfNotPresent"),
        (lambda: KubernetesRun(job_template="- a\n- b"), ValueError, "must be a mapping, found list"),
        (lambda: KubernetesRun(job_template="a: ["), ValueError, "not valid YAML"),
        (lambda: KubernetesRun(job_template_path="no/such.yaml"), FileNotFoundError, r"no/such\.yaml"),
        (lambda: KubernetesRun(job_template_path="ftp://h/job.yaml"), ValueError, "unknown scheme 'ftp'"),
        (lambda: ECSRun(task_definition={}, task_definition_arn="a"), ValueError, "found task_definition and"),
        (lambda: ECSRun(task_definition_arn="a", image="i"), ValueError, "takes no image"),
        (lambda: deserialize({"type": "MarsRun"}), ValueError, "'MarsRun'.*UniversalRun"),
    ],
)
def test_contradictions_are_explained(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
