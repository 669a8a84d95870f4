"""The base of all secret tasks, and the one that looks in the context and on the server."""

from __future__ import annotations

from typing import Any

from dagflow.core.task import Task
from dagflow.engine.results.secret import SecretResult

__all__ = ["PrefectSecret", "SecretBase"]


class SecretBase(Task):
    """
    A task that returns a secret.

    Its value is never stored: it is fetched again whenever it is needed, also when a flow is taken up in the middle.
    """

    always_reruns = True

    secret_name: str | None = None
    """Name of the secret, unless it is given when the task is called."""

    def __init__(self, **kwargs: Any) -> None:
        if kwargs.get("result") is not None:
            raise ValueError(f"{type(self).__name__} takes no `result`: the value of a secret is never stored.")
        kwargs.setdefault("checkpoint", False)
        super().__init__(**kwargs)
        if self.checkpoint is not False:
            raise ValueError(f"{type(self).__name__} takes no `checkpoint`: the value of a secret is never stored.")
        self.result = SecretResult(secret_task=self)

    def copy(self, **task_args: Any) -> Any:
        """Return a copy whose result asks the copy."""
        new = super().copy(**task_args)
        new.result = SecretResult(secret_task=new)
        return new

    def _chosen(self, name: str | None) -> str:
        name = self.secret_name if name is None else name
        if name is None:
            kind = type(self).__name__
            raise ValueError(f"{kind} has no name of a secret: give {kind}('NAME') or run(name='NAME').")
        return name


class PrefectSecret(SecretBase):
    """
    Return the secret *name*, looked up as `dagflow.client.Secret` does.

    >>> from dagflow.utilities.context import context
    >>> with context(secrets={"KEY": "hush"}):
    ...     PrefectSecret("KEY").run()
    'hush'
    """

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        self.secret_name = name
        super().__init__(name=name, **kwargs)

    def run(self, name: str | None = None) -> Any:
        """Return the value of the secret *name*, or of the one named in the constructor."""
        from dagflow.utilities.secrets import Secret

        return Secret(self._chosen(name)).get()
