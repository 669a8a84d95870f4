"""The tasks of :mod:`dagflow.tasks.prefect` under the name of this package."""

from __future__ import annotations

from dagflow.tasks.prefect import (
    CancelFlowRun,
    RenameFlowRun,
    StartFlowRun,
    create_flow_run,
    get_task_run_result,
    run_deployment,
    wait_for_flow_run,
)

__all__ = [
    "CancelFlowRun",
    "RenameFlowRun",
    "StartFlowRun",
    "create_flow_run",
    "get_task_run_result",
    "run_deployment",
    "wait_for_flow_run",
]
