"""The task library; a module of it is imported when it is named."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from dagflow.utilities.importtools import submodule

    return submodule(__name__, name)
