"""
The environment that a run is given, by the kind of agent: which source of a variable beats which.

Everything here is a function of its arguments. Later sources override earlier ones, and the fixed set comes last: it
says which run this is and where its server is, which nobody may change.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence

from dagflow.agent.claimed import ClaimedRun

__all__ = ["Told", "container_environment", "fixed_environment", "local_environment", "pod_environment"]

API = "DAGFLOW__CLOUD__API"
LOG_LEVEL = "DAGFLOW__LOGGING__LEVEL"
FLOW_RUNNER = "dagflow.engine.cloud.CloudFlowRunner"
TASK_RUNNER = "dagflow.engine.cloud.CloudTaskRunner"


@dataclasses.dataclass(frozen=True)
class Told:
    """What an agent tells all its runs."""

    api: str
    api_key: str | None = None
    labels: tuple[str, ...] = ()
    send_logs: bool = True
    log_level: str = "INFO"
    env_vars: Mapping[str, str] = dataclasses.field(default_factory=dict)


def fixed_environment(told: Told, run: ClaimedRun, image: str | None = None) -> dict[str, str]:
    """Return the variables that nothing overrides."""
    values = {
        "DAGFLOW__BACKEND": "server",
        API: told.api,
        "DAGFLOW__CLOUD__API_KEY": told.api_key,
        "DAGFLOW__CLOUD__AGENT__LABELS": str(list(told.labels)),
        "DAGFLOW__CLOUD__USE_LOCAL_SECRETS": "false",
        "DAGFLOW__CLOUD__SEND_FLOW_RUN_LOGS": str(told.send_logs).lower(),
        "DAGFLOW__CONTEXT__FLOW_RUN_ID": run.id,
        "DAGFLOW__CONTEXT__FLOW_ID": run.flow_id,
        "DAGFLOW__CONTEXT__RUN_TOKEN": str(run.token),
        "DAGFLOW__CONTEXT__IMAGE": image,
        "DAGFLOW__ENGINE__FLOW_RUNNER__DEFAULT_CLASS": FLOW_RUNNER,
        "DAGFLOW__ENGINE__TASK_RUNNER__DEFAULT_CLASS": TASK_RUNNER,
    }
    return _given(values)


def _given(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}


def local_environment(
    told: Told,
    run: ClaimedRun,
    own: Mapping[str, str],
    run_env: Mapping[str, str] | None = None,
    working_dir: str | None = None,
    import_paths: Sequence[str] = (),
) -> dict[str, str]:
    """
    Return the environment of a process next to the agent.

    Args:
        told: what the agent tells all its runs.
        run: the run.
        own: the agent's own environment.
        run_env: what the run config says.
        working_dir: where the process starts.
        import_paths: further folders with modules.
    """
    path = [working_dir or os.getcwd(), own.get("PYTHONPATH"), *import_paths]
    python_path = os.pathsep.join(part for part in path if part)
    return {
        **own,
        LOG_LEVEL: told.log_level,
        "PYTHONPATH": python_path,
        **_given(told.env_vars),
        **_given(run_env or {}),
        **fixed_environment(told, run),
    }


def container_environment(
    told: Told, run: ClaimedRun, image: str, run_env: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a container; the server's address is one of the things that may be overridden."""
    fixed = fixed_environment(told, run, image)
    api = fixed.pop(API)
    return {API: api, LOG_LEVEL: told.log_level, **_given(told.env_vars), **_given(run_env or {}), **fixed}


def pod_environment(
    told: Told, run: ClaimedRun, image: str, run_env: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a pod, apart from names that only its template sets."""
    return {
        LOG_LEVEL: told.log_level,
        **_given(told.env_vars),
        **_given(run_env or {}),
        **fixed_environment(told, run, image),
    }
