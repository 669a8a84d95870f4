"""
The identity of an agent, which stays the same when it is started again under its name on the same machine.

Two agents of one name on one machine are two: each holds a lock on its identity while it lives, and the second one
finds that of the first one taken.
"""

from __future__ import annotations

import fcntl
import os
import socket
import uuid
import weakref
from collections.abc import Callable

from dagflow.configuration import config

__all__ = ["Identity"]

_NAMESPACE = uuid.UUID("6f1d4a3e-55d1-4f3c-9a62-9d8f0f6c2b11")
MOST_TWINS = 1000
"""Agents of one name on one machine that keep their identities; further ones get new ones each time."""


class Identity:
    """The id of an agent, held until it is given back."""

    def __init__(self, kind: str, name: str, server: str) -> None:
        self._close: Callable[[], object] = lambda: None
        self.id = self._free_one(f"{socket.gethostname()}:{server}:{kind}:{name}") or str(uuid.uuid4())

    def _free_one(self, what: str) -> str | None:
        folder = os.path.join(os.path.expanduser(str(config.home_dir)), "agents")
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            for number in range(MOST_TWINS):
                id = str(uuid.uuid5(_NAMESPACE, f"{what}:{number}"))
                if self._lock(os.path.join(folder, f"{id}.lock")):
                    return id
        except OSError:
            # A home that cannot be written to costs only that the agent is a new one each time.
            return None
        return None

    def _lock(self, path: str) -> bool:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        # Also when the agent is forgotten without having ended its work.
        self._close = weakref.finalize(self, os.close, descriptor)
        return True

    def give_back(self) -> None:
        """Let another agent have it."""
        self._close()
