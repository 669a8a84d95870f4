"""Tasks that make, follow, rename and cancel runs of other flows."""

from __future__ import annotations

from dagflow.tasks.prefect.flow_run import (
    create_flow_run,
    get_task_run_result,
    run_deployment,
    wait_for_flow_run,
)
from dagflow.tasks.prefect.flow_run_cancel import CancelFlowRun
from dagflow.tasks.prefect.flow_run_rename import RenameFlowRun
from dagflow.tasks.prefect.start_flow_run import StartFlowRun

__all__ = [
    "CancelFlowRun",
    "RenameFlowRun",
    "StartFlowRun",
    "create_flow_run",
    "get_task_run_result",
    "run_deployment",
    "wait_for_flow_run",
]
