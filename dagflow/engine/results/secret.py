"""Results that must never be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagflow.engine.result import Result

if TYPE_CHECKING:
    from dagflow.core.task import Task

__all__ = ["SecretResult"]


class SecretResult(Result):
    """
    A secret's value: it is kept nowhere, and reading it asks the secret again.

    The location is the secret's name, so a state can be sent and stored without giving the value away.
    """

    def __init__(self, secret_task: Task, **kwargs: Any) -> None:
        if "serializer" in kwargs:
            raise ValueError("A SecretResult is never written, so it takes no serializer.")
        kwargs.setdefault("location", getattr(secret_task, "secret_name", None) or secret_task.name)
        self.secret_task: Any = secret_task
        super().__init__(**kwargs)

    def read(self, location: str) -> SecretResult:
        """Return a copy that holds the present value of the secret named *location*."""
        new = self.copy()
        new.value, new.location = self.secret_task.run(name=location), location
        return new

    def write(self, value_: Any, **kwargs: Any) -> SecretResult:
        """Raise `ValueError`: a secret is not written."""
        raise ValueError("A SecretResult cannot be written: secrets are never stored.")

    def exists(self, location: str, **kwargs: Any) -> bool:
        """Tell whether the secret named *location* can be had now."""
        try:
            return self.secret_task.run(name=location) is not None
        except (ValueError, LookupError, RuntimeError):
            return False

    def __repr__(self) -> str:
        # The value must not reach a log.
        return f"<SecretResult: {self.location}>"
