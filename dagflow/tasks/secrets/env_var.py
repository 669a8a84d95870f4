"""Secrets from environment variables."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from dagflow.tasks.secrets.base import SecretBase

__all__ = ["EnvVarSecret"]


class EnvVarSecret(SecretBase):
    """
    Return the environment variable *name*, through *cast* if there is one.

    A missing variable gives None, uncast, or `ValueError` with *raise_if_missing*.

    >>> EnvVarSecret("NO_SUCH_VARIABLE", cast=int).run() is None
    True
    """

    def __init__(
        self,
        name: str | None = None,
        cast: Callable[[Any], Any] | None = None,
        raise_if_missing: bool = False,
        **kwargs: Any,
    ) -> None:
        self.secret_name = name
        self.cast = cast
        self.raise_if_missing = raise_if_missing
        super().__init__(name=name, **kwargs)

    def run(self, name: str | None = None) -> Any:
        """Return the value of the variable *name*, or of the one named in the constructor."""
        chosen = self._chosen(name)
        value = os.environ.get(chosen)
        if value is None:
            if self.raise_if_missing:
                raise ValueError(f"The environment variable {chosen!r} is not set, and {self.name!r} requires it.")
            return None
        return value if self.cast is None else self.cast(value)
