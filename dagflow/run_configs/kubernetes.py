"""A run as a Kubernetes job."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from dagflow.run_configs.base import RunConfig, read_template, template_of

__all__ = ["KubernetesRun"]

PULL_POLICIES = ("Always", "IfNotPresent", "Never")


class KubernetesRun(RunConfig):
    """
    Start the run as a Kubernetes job.

    Args:
        job_template_path: a file with the job; a local one is read right away and kept as *job_template*, one at
            ``s3://``, ``gcs://``, ``http(s)://`` or ``agent://`` is read by the agent.
        job_template: the job as a mapping or as YAML text.
        image: the image.
        env: environment variables for the container.
        cpu_limit: such as ``2`` or ``"500m"``.
        cpu_request: such as ``2`` or ``"500m"``.
        memory_limit: such as ``"4Gi"``.
        memory_request: such as ``"4Gi"``.
        service_account_name: of the pod.
        image_pull_secrets: names of secrets.
        labels: an agent takes the run only if it has all of these.
        image_pull_policy: ``"Always"``, ``"IfNotPresent"`` or ``"Never"``.

    Raises:
        ValueError: for a path together with a template, and for an unknown pull policy.

    >>> KubernetesRun(cpu_limit=2, job_template="kind: Job").serialize()["cpu_limit"]
    '2'
    """

    _fields = (
        "env",
        "job_template_path",
        "job_template",
        "image",
        "cpu_limit",
        "cpu_request",
        "memory_limit",
        "memory_request",
        "service_account_name",
        "image_pull_secrets",
        "image_pull_policy",
    )

    def __init__(
        self,
        *,
        job_template_path: str | os.PathLike[str] | None = None,
        job_template: str | Mapping[str, Any] | None = None,
        image: str | None = None,
        env: Mapping[str, str] | None = None,
        cpu_limit: float | str | None = None,
        cpu_request: float | str | None = None,
        memory_limit: str | None = None,
        memory_request: str | None = None,
        service_account_name: str | None = None,
        image_pull_secrets: Iterable[str] | None = None,
        labels: Iterable[str] | None = None,
        image_pull_policy: str | None = None,
    ) -> None:
        super().__init__(env, labels)
        if job_template_path is not None and job_template is not None:
            raise ValueError("KubernetesRun takes job_template_path or job_template, found both; leave one out.")
        if image_pull_policy is not None and image_pull_policy not in PULL_POLICIES:
            raise ValueError(f"Unknown image_pull_policy {image_pull_policy!r}; expected one of {PULL_POLICIES}.")
        self.job_template = None if job_template is None else template_of(job_template, "job_template")
        self.job_template_path: str | None = None
        if job_template_path is not None:
            self.job_template = read_template(job_template_path, "job_template_path")
            self.job_template_path = os.fspath(job_template_path) if self.job_template is None else None
        self.image = image
        self.cpu_limit = None if cpu_limit is None else str(cpu_limit)
        self.cpu_request = None if cpu_request is None else str(cpu_request)
        self.memory_limit = memory_limit
        self.memory_request = memory_request
        self.service_account_name = service_account_name
        self.image_pull_secrets = None if image_pull_secrets is None else list(image_pull_secrets)
        self.image_pull_policy = image_pull_policy
