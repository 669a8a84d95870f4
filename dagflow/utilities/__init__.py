"""Helpers that the rest of the package stands on; each module can be imported on its own, or is when it is named."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from dagflow.utilities.importtools import submodule

    return submodule(__name__, name)
