"""Run configs as documents; they write themselves, this module reads and checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagflow.run_configs.base import RunConfig

__all__ = ["deserialize_run_config", "serialize_run_config"]


def serialize_run_config(run_config: RunConfig) -> dict[str, Any]:
    """
    Return *run_config* as JSON-ready data.

    Raises:
        TypeError: for something that is not a run config.
    """
    from dagflow.run_configs.base import RunConfig

    if not isinstance(run_config, RunConfig):
        raise TypeError(
            f"run_config is {run_config!r}; expected an instance of a class in dagflow.run_configs, "
            "such as UniversalRun()."
        )
    return run_config.serialize()


def deserialize_run_config(data: Mapping[str, Any]) -> RunConfig:
    """
    Make a run config from what :func:`serialize_run_config` returned.

    Raises:
        ValueError: when the type is unknown.
    """
    from dagflow.run_configs import deserialize

    return deserialize(dict(data))
