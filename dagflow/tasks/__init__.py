"""The task library; a module of it is imported when it is named."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "task_input_hash":
        from dagflow.engine.cache_policies import task_input_hash

        return task_input_hash
    if name == "exponential_backoff":
        from dagflow.core.words import exponential_backoff

        return exponential_backoff
    from dagflow.utilities.importtools import submodule

    return submodule(__name__, name)
