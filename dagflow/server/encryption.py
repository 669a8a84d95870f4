"""Secrets at rest: encrypted with a key that only the server's configuration holds."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from dagflow.server.errors import Conflict
from dagflow.server.text import dumped, loaded

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

__all__ = ["decrypted", "encrypted"]


def encrypted(value: Any, key: str) -> str:
    """
    Return *value* so that it can be kept.

    Raises:
        Conflict: when the server has no key.
    """
    return _cipher(key).encrypt(dumped(value).encode()).decode()


def decrypted(text: str, key: str) -> Any:
    """
    Return the value that was encrypted.

    Raises:
        Conflict: when the server has no key, or another one than the value was encrypted with.
    """
    from cryptography.fernet import InvalidToken

    try:
        return loaded(_cipher(key).decrypt(text.encode()).decode())
    except InvalidToken as error:
        raise Conflict(
            "The secret was encrypted with another key than server.secrets_key is now. Set the old key, or the "
            "secret anew.",
            code="SECRETS_UNREADABLE",
        ) from error


def _cipher(key: str) -> Fernet:
    from cryptography.fernet import Fernet

    if not key:
        raise Conflict(
            "Secrets are disabled: the server has no key to encrypt them with. Set server.secrets_key (any long random "
            "text, such as the output of `openssl rand -base64 32`) and start the server again.",
            code="SECRETS_DISABLED",
        )
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))
