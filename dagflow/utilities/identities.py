"""
Identities that client and server make alike, so that a repeated request is recognized and none is needed to learn one.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid

__all__ = ["new_id", "task_run_id"]


def new_id() -> str:
    """
    Return a new identity; later ones sort behind earlier ones, which keeps a database's indexes short (UUID version 7).

    >>> len(new_id())
    36
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def task_run_id(flow_run_id: str, task_id: str, map_index: int = -1) -> str:
    """
    Return the identity of the run of a task, or of one of its mapped children, in a flow run.

    It follows from what it names, so an engine knows it without asking. It begins like that of the flow run: what
    belongs to one flow run stands together in a database's indexes, and reports of many tasks change few pages.

    >>> run, task = "c0ffee00-0000-4000-8000-000000000001", "c0ffee00-0000-4000-8000-000000000002"
    >>> task_run_id(run, task) == task_run_id(run, task, -1) != task_run_id(run, task, 0)
    True
    """
    hashed = hashlib.blake2b(f"{flow_run_id.lower()}:{task_id.lower()}:{map_index}".encode(), digest_size=8).digest()
    # Version 8 of UUIDs, which leaves the other bits to those who make them.
    low = int.from_bytes(hashed) & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=uuid.UUID(flow_run_id).int >> 64 << 64 & ~(0xF << 76) | 8 << 76 | low))
