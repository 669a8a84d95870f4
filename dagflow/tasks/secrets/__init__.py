"""Tasks that fetch secrets when the flow runs, so that their values never stand in a flow, a result or a state."""

from __future__ import annotations

from dagflow.tasks.secrets.base import PrefectSecret, SecretBase
from dagflow.tasks.secrets.env_var import EnvVarSecret

__all__ = ["EnvVarSecret", "PrefectSecret", "SecretBase"]
