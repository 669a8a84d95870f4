"""
Variables: small values under names, kept by the server for all flows; a word of Prefect 2 for the key-value store.

They are read where the line runs: in a task, when the task runs.
"""

from __future__ import annotations

from typing import Any

from dagflow.backend.kv_store import delete_key, get_key_value, list_keys, set_key_value
from dagflow.exceptions import ClientError

__all__ = ["get", "names", "set", "unset"]

_NOTHING: Any = object()


def get(name: str, default: Any = None) -> Any:
    """Return the value of a variable, *default* when there is none."""
    try:
        return get_key_value(name)
    except ClientError:
        # That the server refuses does not mean that there is no such variable.
        raise
    except ValueError:
        return default


def set(name: str, value: Any, overwrite: bool = False) -> None:
    """
    Set a variable to *value*, which must be JSON.

    Raises:
        ValueError: when it is set already and *overwrite* is not given, and for a value that cannot be kept.
    """
    if not overwrite and get(name, _NOTHING) is not _NOTHING:
        raise ValueError(f"The variable {name!r} is set already. Give overwrite=True to change it.")
    set_key_value(name, value)


def unset(name: str) -> bool:
    """Remove a variable; tell whether there was one."""
    try:
        return delete_key(name)
    except ClientError:
        raise
    except ValueError:
        return False


def names() -> list[str]:
    """Return the names of all variables, sorted."""
    return list_keys()
