"""Where Prefect 0.15 keeps the edge annotations."""

from __future__ import annotations

from dagflow.core.annotations import EdgeAnnotation, flatten, mapped, unmapped

__all__ = ["EdgeAnnotation", "flatten", "mapped", "unmapped"]
