"""API keys: only their digests are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

from sqlalchemy import Connection, func, select, update

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.errors import Invalid
from dagflow.server.store import records

__all__ = ["SCOPES", "allows", "create_key", "digest", "find_key", "list_keys"]

_KEY = tables.api_key
PREFIX = "dfk_"
SCOPES = ("read", "run", "write", "admin")
"""What a key may do; each may also do what stands before it."""


def digest(key: str) -> str:
    """Return what is kept of a key; it has 256 random bits, so that a plain SHA-256 tells nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


def allows(scope: str, needed: str) -> bool:
    """
    Tell whether a key of one scope may do what needs another.

    >>> allows("admin", "read"), allows("read", "write")
    (True, False)
    """
    return scope in SCOPES and SCOPES.index(scope) >= SCOPES.index(needed)


def create_key(tx: Tx, name: str, scope: str, expires: str | None) -> dict[str, Any]:
    """Make a key and return it; it cannot be shown again."""
    if scope not in SCOPES:
        raise Invalid(f"The scope of a key is one of {', '.join(SCOPES)}, found {scope!r}.")
    key = PREFIX + secrets.token_urlsafe(32)
    id = records.add(tx, _KEY, name=name, scope=scope, expires=expires, digest=digest(key))
    return {"id": id, "key": key}


def find_key(connection: Connection, key: str, now: str) -> dict[str, Any] | None:
    """Return the record of a valid key, ``None`` for any other text."""
    wanted = digest(key)
    row = connection.execute(select(_KEY).where(_KEY.c.digest == wanted)).first()
    if row is None or not hmac.compare_digest(row.digest, wanted):
        return None
    return None if row.expires is not None and row.expires <= now else dict(row._mapping)


def list_keys(connection: Connection) -> list[dict[str, Any]]:
    """Return all keys without what they are."""
    columns = [column for column in _KEY.c if column.name != "digest"]
    return [dict(row._mapping) for row in connection.execute(select(*columns).order_by(_KEY.c.created))]


def has_keys(connection: Connection) -> bool:
    """Tell whether there is any key."""
    return bool(connection.execute(select(func.count()).select_from(_KEY)).scalar_one())


def note_use(tx: Tx, ids: dict[str, str]) -> None:
    """Note when keys were used last."""
    for id, moment in ids.items():
        tx.execute(update(_KEY).where(_KEY.c.id == id).values(last_used=moment))
