"""
Secrets: values that a flow needs and that must not stand in its code.

A secret is looked up when it is needed, in ``context.secrets``, which the configuration section of the same name fills,
and then, if the configuration allows it, on the server.
"""

from __future__ import annotations

from typing import Any

from dagflow.configuration import config
from dagflow.utilities.context import context

__all__ = ["Secret"]

_MISSING: Any = object()


class Secret:
    """
    A secret, by name.

    >>> with context(secrets={"KEY": '{"user": "ann"}'}):
    ...     Secret("KEY").get()
    {'user': 'ann'}
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Secret: {self.name!r}>"

    def get(self) -> Any:
        """
        Return the value; text that is JSON is decoded.

        Raises ``ValueError`` while a flow is being built, because the value would end up in the flow, and when the
        secret is not known locally; ``KeyError`` when the server was asked and does not know it either.
        """
        if context.get("flow") is not None:
            raise ValueError(
                f"The secret {self.name!r} is read while a flow is being built. Read it inside a task, or use the task "
                f"PrefectSecret({self.name!r}), so that its value does not become part of the flow."
            )
        return self._decoded(self._find())

    def exists(self) -> bool:
        """
        Tell whether the secret is known; never raises because it is not.

        >>> Secret("NO_SUCH_KEY").exists()
        False
        """
        try:
            self._find()
        except (KeyError, ValueError):
            return False
        return True

    def _find(self) -> Any:
        local: Any = context.get("secrets") or {}
        value = local.get(self.name, _MISSING)
        if value is not _MISSING:
            return value
        if config.cloud.use_local_secrets is False:
            return self._from_server()
        raise ValueError(
            f"The secret {self.name!r} was not found. Set the environment variable "
            f"DAGFLOW__CONTEXT__SECRETS__{self.name}, add it to [context.secrets] of your config.toml, "
            "or set cloud.use_local_secrets to false to ask the server."
        )

    def _from_server(self) -> Any:
        from urllib.parse import quote

        from dagflow.client.client import Client
        from dagflow.exceptions import ObjectNotFoundError

        try:
            with Client() as client:
                reply = client.get(f"secrets/{quote(self.name, safe='')}")
        except ObjectNotFoundError as error:
            raise KeyError(f"The server has no secret {self.name!r}, and neither has context.secrets.") from error
        return reply["value"]

    @staticmethod
    def _decoded(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        import json

        try:
            return json.loads(value)
        except ValueError:
            return value
