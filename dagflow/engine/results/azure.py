"""Results in Azure Blob Storage."""

from __future__ import annotations

import os
from typing import Any

from dagflow.engine.results._object_store import ObjectStoreResult

__all__ = ["AzureResult"]


class AzureResult(ObjectStoreResult):
    """
    Keep results as blobs of an Azure container.

    The connection string is the one given, else the secret named *connection_string_secret*, else
    `AZURE_STORAGE_CONNECTION_STRING` from the environment. Needs the `azure` extra.

    >>> AzureResult("container", location="{task_name}.pkl").container
    'container'
    """

    protocol, package, extra = "az", "adlfs", "azure"

    def __init__(
        self,
        container: str,
        connection_string: str | None = None,
        connection_string_secret: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.container = container
        self.connection_string = connection_string
        self.connection_string_secret = connection_string_secret
        super().__init__(**kwargs)

    @property
    def root(self) -> str:
        """Name of the container."""
        return self.container

    def _options(self) -> dict[str, Any]:
        return {"connection_string": self._find_connection_string()}

    def _find_connection_string(self) -> str:
        found = self.connection_string
        if not found and self.connection_string_secret:
            from dagflow.utilities.secrets import Secret

            found = Secret(self.connection_string_secret).get()
        found = found or os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
        if not found:
            raise ValueError(
                "AzureResult found no connection string: give `connection_string` or `connection_string_secret`, "
                "or set AZURE_STORAGE_CONNECTION_STRING."
            )
        return found
