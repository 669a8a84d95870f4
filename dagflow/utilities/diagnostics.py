"""
Facts for a bug report: versions, what is configured, what a flow is made of.

Names and types only. No value leaves: whatever is set is shown as ``true``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow._version import __version__
from dagflow.configuration import DEFAULT_CONFIG, ENV_PREFIX, config, load_configuration

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["diagnostic_info"]

PACKAGES = ("cloudpickle", "dask", "distributed", "networkx", "pendulum", "pydantic")
"""What a run stands on, and whose versions matter most."""
SECRETS = ("context", "secrets")


def diagnostic_info(flow: Flow | None = None, include_secret_names: bool = False) -> str:
    """
    Return facts about this installation, and about *flow* when given, as JSON.

    Args:
        flow: the flow that makes trouble.
        include_secret_names: show the names of secrets; their values are never shown.

    >>> sorted(json.loads(diagnostic_info()))
    ['config_overrides', 'env_vars', 'system_information']
    """
    facts: dict[str, Any] = {
        "system_information": _system(),
        "config_overrides": _config_overrides(include_secret_names),
        "env_vars": _env_vars(include_secret_names),
    }
    if flow is not None:
        facts["flow_information"] = _flow(flow)
    return json.dumps(facts, indent=2, sort_keys=True)


def _system() -> dict[str, Any]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    packages: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return {
        "dagflow_version": __version__,
        "packages": packages,
        "platform": platform.platform(),
        "python_version": platform.python_version(),
    }


def _config_overrides(with_secrets: bool) -> dict[str, Any]:
    return _changed(config, load_configuration(DEFAULT_CONFIG), (), with_secrets)


def _changed(
    settings: Mapping[str, Any], defaults: Mapping[str, Any], path: tuple[str, ...], with_secrets: bool
) -> dict[str, Any]:
    """Return ``true`` for each setting that differs from its default."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        here = (*path, key)
        default = defaults.get(key)
        if here == SECRETS and not with_secrets:
            if value:
                found[key] = True
        elif isinstance(value, Mapping):
            inner = _changed(value, default if isinstance(default, Mapping) else {}, here, with_secrets)
            if inner:
                found[key] = inner
        elif value != default:
            found[key] = True
    return found


def _env_vars(with_secrets: bool) -> list[str]:
    secret = f"{ENV_PREFIX}__CONTEXT__SECRETS__"
    names = (name for name in os.environ if name.startswith(f"{ENV_PREFIX}__"))
    return sorted(name for name in names if with_secrets or not name.upper().startswith(secret))


def _flow(flow: Flow) -> dict[str, Any]:
    return {
        "edge_count": len(flow.edges),
        "environment": _type_of(flow.environment),
        "executor": _type_of(flow.executor),
        "parameter_count": len(flow.parameters()),
        "result": _described(flow.result, ("location", "serializer")),
        "run_config": _described(flow.run_config, ("env", "labels")),
        "schedule": _schedule(flow.schedule),
        "storage": _described(flow.storage, ("flows", "secrets", "labels", "stored_as_script")),
        "task_count": len(flow.tasks),
    }


def _type_of(thing: Any) -> str | None:
    return None if thing is None else type(thing).__name__


def _described(thing: Any, names: Iterable[str]) -> dict[str, Any] | None:
    """Return the type of *thing* and which of its settings are set."""
    if thing is None:
        return None
    return {"type": type(thing).__name__, **{name: bool(getattr(thing, name, None)) for name in names}}


def _schedule(schedule: Any) -> dict[str, Any] | None:
    if schedule is None:
        return None
    parts = ("filters", "or_filters", "not_filters", "adjustments")
    return {
        "type": type(schedule).__name__,
        "clocks": [type(clock).__name__ for clock in getattr(schedule, "clocks", ())],
        **{name: bool(getattr(schedule, name, None)) for name in parts},
    }
