"""
Where and how a flow run is started: which agent may take it, with which environment, image and limits.

A run config only describes; making one reaches no network. The agent that takes the run reads it.
"""

from __future__ import annotations

from dagflow.run_configs.base import RunConfig
from dagflow.run_configs.docker import DockerRun
from dagflow.run_configs.ecs import ECSRun
from dagflow.run_configs.kubernetes import KubernetesRun
from dagflow.run_configs.local import LocalRun
from dagflow.run_configs.universal import UniversalRun
from dagflow.run_configs.vertex import VertexRun

__all__ = ["DockerRun", "ECSRun", "KubernetesRun", "LocalRun", "RunConfig", "UniversalRun", "VertexRun", "deserialize"]

KINDS: dict[str, type[RunConfig]] = {
    kind.__name__: kind for kind in (UniversalRun, LocalRun, DockerRun, KubernetesRun, ECSRun, VertexRun)
}


def deserialize(data: dict[str, object]) -> RunConfig:
    """
    Make a run config from what :meth:`RunConfig.serialize` returned.

    Raises:
        ValueError: when the type is unknown.

    >>> deserialize(LocalRun(labels=["b", "a"]).serialize()).labels == {"a", "b"}
    True
    """
    kind = KINDS.get(str(data.get("type")))
    if kind is None:
        raise ValueError(f"Unknown run config type {data.get('type')!r}; expected one of {', '.join(KINDS)}.")
    return kind.from_fields(data)
