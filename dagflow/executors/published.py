"""
Objects that a driver published to its workers, by key.

They arrive as bytes and are opened when first asked for. On a worker this table changes whenever something is
published or withdrawn; nowhere else. Several workers may share a process: what all of them received stays until all
have withdrawn it.
"""

from __future__ import annotations

import os
import pickle
import uuid
from typing import Any

__all__ = ["fetch", "is_there", "process_name", "receive", "withdraw"]

_token = uuid.uuid4().hex

_sent: dict[str, bytes] = {}
_opened: dict[str, Any] = {}
_receivers: dict[str, int] = {}


def receive(key: str, data: bytes) -> None:
    """Keep *data* under *key*."""
    _receivers[key] = _receivers.get(key, 0) + 1
    _sent[key] = data
    _opened.pop(key, None)


def withdraw(key: str) -> None:
    """Forget what is under *key*, when nobody else in this process has it."""
    _receivers[key] = _receivers.get(key, 1) - 1
    if _receivers[key] > 0:
        return
    del _receivers[key]
    _sent.pop(key, None)
    _opened.pop(key, None)


def process_name() -> str:
    """Return a name for this process that no other has, on whatever machine."""
    return f"{_token}-{os.getpid()}"  # a forked process has the same token


def is_there(key: str) -> bool:
    """Tell whether something is published under *key*; when it is no longer, the run it belongs to has ended."""
    return key in _sent


def fetch(key: str) -> Any:
    """
    Return the object published under *key*.

    Raises:
        KeyError: when nothing was published under it.
    """
    if key not in _opened:
        _opened[key] = pickle.loads(_sent[key])
    return _opened[key]
