"""
The keys for servers, one for each, in ``<home>/auth.toml``.

Only the user may read the file: it is made with that mode, so there is no moment at which others could.
"""

from __future__ import annotations

import os
import re
import tomllib
from typing import Any

from dagflow.configuration import config

__all__ = ["auth_path", "forget_key", "load_key", "save_key", "slug_of"]


def auth_path() -> str:
    """Return where the keys are."""
    return os.path.join(os.path.expanduser(config.home_dir), "auth.toml")


def slug_of(server: str) -> str:
    """
    Return the name that a server has in the file: host and port.

    >>> slug_of("https://Flows.example.com:4200/api")
    'flows-example-com-4200'
    """
    host = server.partition("://")[2].partition("/")[0] or server
    return re.sub(r"[^a-z0-9]+", "-", host.rpartition("@")[2].lower()).strip("-")


def load_key(server: str) -> str | None:
    """Return the key kept for *server*; ``None`` when there is none."""
    entry = _read().get(slug_of(server))
    key = entry.get("api_key") if isinstance(entry, dict) else None
    return key if isinstance(key, str) and key else None


def save_key(server: str, key: str) -> None:
    """Keep *key* for *server*."""
    _write({**_read(), slug_of(server): {"api_key": key}})


def forget_key(server: str) -> bool:
    """Remove the key for *server*; tell whether there was one."""
    entries = _read()
    if entries.pop(slug_of(server), None) is None:
        return False
    _write(entries)
    return True


def _read() -> dict[str, Any]:
    try:
        with open(auth_path(), "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        from dagflow.exceptions import ConfigurationError

        raise ConfigurationError(f"{auth_path()} is not valid TOML: {error}. Correct or remove the file.") from error


def _write(entries: dict[str, Any]) -> None:
    from dagflow.utilities.toml import write_private_toml

    write_private_toml(auth_path(), entries)
