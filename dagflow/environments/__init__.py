"""
The deprecated way of saying where a flow runs; ``run_config`` and ``executor`` replaced it.

The classes can still be built, so that old scripts load. They warn, keep what they were given and have no effect.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

__all__ = [
    "DaskCloudProviderEnvironment",
    "DaskKubernetesEnvironment",
    "Environment",
    "FargateTaskEnvironment",
    "KubernetesJobEnvironment",
    "LocalEnvironment",
]


class Environment:
    """
    An inert description of where a flow used to run.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     LocalEnvironment(labels=["night"])
    <Environment: LocalEnvironment>
    """

    def __init__(
        self, labels: Iterable[str] | None = None, metadata: dict[str, Any] | None = None, **settings: Any
    ) -> None:
        warnings.warn(
            f"{type(self).__name__} has no effect: environments are deprecated. "
            "Give the flow a `run_config` (where it runs) and an `executor` (what runs its tasks) instead.",
            stacklevel=2,
        )
        self.labels = set(labels or ())
        self.metadata = dict(metadata or {})
        for name, value in settings.items():
            setattr(self, name, value)

    @property
    def dependencies(self) -> list[str]:
        """Return the packages it needs: none."""
        return []

    def __repr__(self) -> str:
        return f"<Environment: {type(self).__name__}>"


class LocalEnvironment(Environment):
    """Replaced by ``LocalRun`` or ``UniversalRun``."""


class KubernetesJobEnvironment(Environment):
    """Replaced by ``KubernetesRun``."""


class DaskKubernetesEnvironment(Environment):
    """Replaced by ``KubernetesRun`` with a ``DaskExecutor``."""


class DaskCloudProviderEnvironment(Environment):
    """Replaced by ``UniversalRun`` with a ``DaskExecutor``."""


class FargateTaskEnvironment(Environment):
    """Replaced by ``ECSRun``."""
