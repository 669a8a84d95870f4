"""Values under keys, kept by the server: small things that runs tell each other."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from dagflow.client.client import Client
from dagflow.client.connection import in_path
from dagflow.exceptions import ObjectNotFoundError

__all__ = ["delete_key", "get_key_value", "list_keys", "set_key_value"]

LARGEST_VALUE = 10_000
"""Bytes of JSON that a value may have."""


def set_key_value(key: str, value: Any, *, client: Client | None = None) -> str:
    """
    Keep *value*, which must be JSON, under *key* and return the record's id.

    Args:
        key: the key.
        value: text, a number, a list and the like.
        client: of the server; default is the configured one. The other functions take it too.

    Raises:
        ValueError: for a value that is no JSON or is too large.
    """
    try:
        size = len(json.dumps(value, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"The value for the key {key!r} cannot be written as JSON: {error}.") from error
    if size > LARGEST_VALUE:
        raise ValueError(
            f"The value for the key {key!r} has {size:,} bytes; at most {LARGEST_VALUE:,} are kept. Keep large values "
            "in a result or a file, and its location here."
        )
    with _asking(client) as server:
        return str(server.post("kv", {"key": key, "value": value})["id"])


def get_key_value(key: str, *, client: Client | None = None) -> Any:
    """
    Return the value under *key*.

    Raises:
        ValueError: when there is none.
    """
    with _asking(client) as server:
        try:
            return server.get(f"kv/{in_path(key)}")["value"]
        except ObjectNotFoundError as error:
            raise ValueError(f"There is no key {key!r}.") from error


def delete_key(key: str, *, client: Client | None = None) -> bool:
    """
    Remove *key* and its value.

    Raises:
        ValueError: when there is none.
    """
    with _asking(client) as server:
        try:
            return bool(server.delete(f"kv/{in_path(key)}")["deleted"])
        except ObjectNotFoundError as error:
            raise ValueError(f"There is no key {key!r}.") from error


def list_keys(*, client: Client | None = None) -> list[str]:
    """Return all keys, sorted."""
    with _asking(client) as server:
        return sorted(record["key"] for record in server._items("kv"))


def _asking(client: Client | None) -> AbstractContextManager[Client]:
    return Client() if client is None else nullcontext(client)
