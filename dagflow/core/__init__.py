"""The graph: tasks, parameters, edges and the flow that holds them. Building one runs nothing."""

from __future__ import annotations

from dagflow.core.edge import Edge
from dagflow.core.flow import Flow
from dagflow.core.parameter import Parameter
from dagflow.core.task import Task

__all__ = ["Edge", "Flow", "Parameter", "Task"]
