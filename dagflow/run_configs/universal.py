"""A run any agent may take."""

from __future__ import annotations

from dagflow.run_configs.base import RunConfig

__all__ = ["UniversalRun"]


class UniversalRun(RunConfig):
    """
    Start the run on whatever agent has the labels; the agent converts it to its own kind.

    >>> UniversalRun(env={"A": "1"}, labels=["x"])
    <UniversalRun>
    """
