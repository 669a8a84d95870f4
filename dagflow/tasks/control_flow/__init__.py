"""Branches, merges and filters."""

from __future__ import annotations

from dagflow.tasks.control_flow.case import case
from dagflow.tasks.control_flow.conditional import CompareValue, Merge, ifelse, merge, switch
from dagflow.tasks.control_flow.filter import FilterTask

__all__ = ["CompareValue", "FilterTask", "Merge", "case", "ifelse", "merge", "switch"]
