"""
The runners of flow runs that a server knows, under the names that settings and older scripts use.

``CloudFlowRunner`` is :class:`dagflow.backend.runner.BackendFlowRunner`.
"""

from __future__ import annotations

from dagflow.backend.runner import BackendFlowRunner
from dagflow.engine.task_runner import TaskRunner

__all__ = ["CloudFlowRunner", "CloudTaskRunner"]


class CloudFlowRunner(BackendFlowRunner):
    """Runs a flow and tells the server of it; the run is the one in the context, ``flow_run_id``."""


class CloudTaskRunner(TaskRunner):
    """The runner that tasks of such runs name in their handlers; it is told to nobody by itself."""
