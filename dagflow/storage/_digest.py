"""
Telling whether what is loaded is what was stored.

Reading a pickle runs code, so whoever can write to a bucket could run code wherever the flow runs. The sha256 of what
was stored is registered with the flow, goes another way than the stored bytes, and is compared before they are opened.
"""

from __future__ import annotations

import hashlib

from dagflow.exceptions import FlowStorageError

__all__ = ["SHOWN_LETTERS", "digest_of", "refuse_changed"]

SHOWN_LETTERS = 12
"""Enough of a digest to compare two by eye."""


def digest_of(data: bytes) -> str:
    """
    Return the sha256 of *data* in hex.

    >>> digest_of(b"")[:12]
    'e3b0c44298fc'
    """
    return hashlib.sha256(data).hexdigest()


def refuse_changed(data: bytes, expected: str | None, flow_name: str, where: str) -> None:
    """
    Raise ``FlowStorageError`` when *data* is not what *expected* is the digest of; ``None`` expects nothing.

    >>> refuse_changed(b"", digest_of(b""), "etl", "here")
    """
    if expected is None:
        return
    found = digest_of(data)
    if found != expected:
        raise FlowStorageError(
            f"Flow {flow_name!r} at {where} is not what was registered: expected sha256 {expected[:SHOWN_LETTERS]}..., "
            f"found {found[:SHOWN_LETTERS]}... in {len(data)} bytes. It was not loaded. Register the flow again if the "
            "change was meant, else restore the file."
        )
