"""``Secret`` under the name that flows import it by; it lives in :mod:`dagflow.utilities.secrets`."""

from __future__ import annotations

from dagflow.utilities.secrets import Secret

__all__ = ["Secret"]
