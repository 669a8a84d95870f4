"""Where Prefect 0.15 keeps ``FunctionTask``."""

from __future__ import annotations

from dagflow.core.function_task import FunctionTask

__all__ = ["FunctionTask"]
