"""``dagflow.yaml``: deployments that stand in a file beside the code, checked before anything is done."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagflow.cli.talk import Failure, NotFound

__all__ = ["DEPLOY_FILE", "DeploymentEntry", "read_deploy_file"]

DEPLOY_FILE = "dagflow.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ScheduleEntry(_Strict):
    """When a deployment is run: one of *cron*, *interval* in seconds, and *rrule*."""

    cron: str | None = None
    interval: float | None = Field(default=None, ge=60)
    rrule: str | None = None
    timezone: str | None = None


class DeploymentEntry(_Strict):
    """One deployment of the file."""

    name: str = "default"
    entrypoint: str
    project: str
    pool: str | None = None
    queue: str | None = None
    schedules: list[ScheduleEntry] = Field(default_factory=list)
    paused: bool = False
    parameters: dict[str, Any] = Field(default_factory=dict)
    labels: list[str] | None = None
    tags: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)
    storage: dict[str, Any] | None = None
    overlap_policy: str | None = None
    description: str | None = None


class DeployFile(_Strict):
    """The whole file."""

    deployments: list[DeploymentEntry]


def read_deploy_file(path: str = DEPLOY_FILE) -> list[DeploymentEntry]:
    """
    Return the deployments of a file.

    Raises:
        NotFound: when there is no such file.
        Failure: naming each fault, when it is not as it must be.
    """
    import yaml  # type: ignore[import-untyped,unused-ignore]

    if not os.path.isfile(path):
        raise NotFound(f"There is no {path} here. Name a flow instead: `dagflow deploy flow.py:flow --project NAME`.")
    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.safe_load(file)
        return DeployFile.model_validate(content).deployments
    except yaml.YAMLError as error:
        raise Failure(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        faults = "\n".join(
            f"  {'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}" for fault in error.errors()
        )
        raise Failure(f"{path} is not as it must be:\n{faults}") from error
