"""A run as a process next to the agent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from dagflow.run_configs.base import RunConfig

__all__ = ["LocalRun"]


class LocalRun(RunConfig):
    """
    Start the run as a process on the agent's machine.

    Args:
        env: environment variables for the process.
        working_dir: where it starts, made absolute here; must exist on the agent's machine.
        labels: an agent takes the run only if it has all of these.
    """

    _fields = ("env", "working_dir")

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        working_dir: str | os.PathLike[str] | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        super().__init__(env, labels)
        self.working_dir = None if working_dir is None else os.path.abspath(working_dir)
