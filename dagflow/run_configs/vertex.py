"""A run as a custom job of Google's Vertex AI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dagflow.run_configs.base import RunConfig

__all__ = ["VertexRun"]


class VertexRun(RunConfig):
    """
    Start the run as a Vertex AI custom job.

    Args:
        env: environment variables for the container.
        labels: an agent takes the run only if it has all of these.
        image: the image.
        machine_type: of the worker.
        scheduling: scheduling options of the job, such as its time limit.
        service_account: the account the job runs as.
        network: the network it joins.
        worker_pool_specs: further worker pools.
    """

    _fields = (
        "env",
        "image",
        "machine_type",
        "scheduling",
        "service_account",
        "network",
        "worker_pool_specs",
    )

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        labels: Iterable[str] | None = None,
        image: str | None = None,
        machine_type: str = "e2-standard-4",
        scheduling: Mapping[str, Any] | None = None,
        service_account: str | None = None,
        network: str | None = None,
        worker_pool_specs: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(env, labels)
        self.image = image
        self.machine_type = machine_type
        self.scheduling = None if scheduling is None else dict(scheduling)
        self.service_account = service_account
        self.network = network
        self.worker_pool_specs = None if worker_pool_specs is None else [dict(spec) for spec in worker_pool_specs]
