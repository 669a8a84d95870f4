"""What a server is told when it starts: the section ``server`` of the configuration, as a record."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from dagflow.configuration import config

__all__ = ["ServerSettings"]


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """
    The settings of one server; durations are seconds, sizes bytes.

    >>> ServerSettings(database_url="sqlite:////tmp/one.db").kind
    'sqlite'
    """

    database_url: str
    host: str = "127.0.0.1"
    port: int = 4200
    services: bool = True
    ui: bool = True
    background: bool = True
    require_key: bool = False
    allowed_hosts: tuple[str, ...] = ()
    secrets_key: str = ""
    max_body_bytes: int = 32_000_000
    body_timeout: float = 10.0
    lost_after: float = 40.0
    queue_interval: float = 30.0
    resurrection_attempt_limit: int = 3
    max_scheduled_runs_per_flow: int = 10
    schedule_ahead: float = 86_400.0
    scheduler_interval: float = 30.0
    sweep_interval: float = 5.0
    late_after: float = 15.0
    automation_interval: float = 5.0
    delivery_retries: int = 5
    allow_private_webhooks: bool = False
    keep_finished_days: float | None = None
    keep_logs_days: float | None = None
    retention_interval: float = 3_600.0
    max_logs_per_run: int = 1_000_000

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        scheme = self.database_url.partition(":")[0].partition("+")[0]
        return "postgresql" if scheme == "postgres" else scheme

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("127.0.0.1", "localhost", "::1") or self.host.startswith("127.")

    @classmethod
    def from_config(cls, **changes: Any) -> ServerSettings:
        """Return what the configuration says, with *changes* that are not ``None``."""
        section = config.server
        names = {field.name for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {name: section[name] for name in names & set(section)}
        for name in ("keep_finished_days", "keep_logs_days"):
            values[name] = values.get(name) or None
        values["allowed_hosts"] = tuple(values.get("allowed_hosts") or ())
        values.update({name: value for name, value in changes.items() if value is not None})
        url = str(values.get("database_url") or "")
        if not url:
            url = f"sqlite:///{os.path.join(os.path.expanduser(config.home_dir), 'dagflow.db')}"
        values["database_url"] = url if "://" in url else f"sqlite:///{os.path.abspath(os.path.expanduser(url))}"
        return cls(**values)
