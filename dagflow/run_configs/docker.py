"""A run in a container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dagflow.run_configs.base import RunConfig

__all__ = ["DockerRun"]


class DockerRun(RunConfig):
    """
    Start the run in a container.

    Args:
        env: environment variables for the container.
        image: the image; the flow's storage may name one instead.
        labels: an agent takes the run only if it has all of these.
        ports: container ports to open.
        host_config: options of the docker SDK's host config; they override what the agent would choose.
    """

    _fields = ("env", "image", "ports", "host_config")

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        image: str | None = None,
        labels: Iterable[str] | None = None,
        ports: Iterable[int] | None = None,
        host_config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(env, labels)
        self.image = image
        self.ports = None if ports is None else list(ports)
        self.host_config = None if host_config is None else dict(host_config)
