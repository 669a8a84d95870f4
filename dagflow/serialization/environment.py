"""Environments, which have no effect any more, as documents: their name and labels."""

from __future__ import annotations

from typing import Any

from dagflow.serialization.common import VERSION

__all__ = ["serialize_environment"]


def serialize_environment(environment: Any) -> dict[str, Any]:
    """Return what is left to say of *environment*."""
    return {
        "type": type(environment).__name__,
        "labels": sorted(getattr(environment, "labels", None) or ()),
        "__version__": VERSION,
    }
