"""Reading a file wherever it is, and writing one so that nobody ever sees a part of it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NamedTuple

__all__ = ["ParsedPath", "parse_path", "read_bytes_from_path", "write_bytes_atomically"]

EXTRAS = {"s3": "s3", "gcs": "gcs"}
"""Scheme → the extra that brings the library for it."""
DOWNLOAD_TIMEOUT_SECONDS = 60


class ParsedPath(NamedTuple):
    """A path in three parts."""

    scheme: str
    netloc: str
    path: str


def parse_path(path: str) -> ParsedPath:
    """
    Split *path*; one without a scheme is a ``file``.

    >>> parse_path("s3://bucket/a/b.txt")
    ParsedPath(scheme='s3', netloc='bucket', path='/a/b.txt')
    >>> parse_path("a/b.txt").scheme
    'file'
    """
    scheme, separator, rest = path.partition("://")
    if not separator or not scheme.replace("+", "").replace("-", "").replace(".", "").isalnum():
        return ParsedPath("file", "", path)
    netloc, slash, tail = rest.partition("/")
    return ParsedPath(scheme.lower(), netloc, slash + tail)


def read_bytes_from_path(path: str) -> bytes:
    """
    Return the content at *path*: a local file (no scheme, ``file`` or ``agent``), ``http(s)``, ``s3`` or ``gcs``.

    Another scheme is a ``ValueError``; a missing file raises what the place raises.
    """
    parsed = parse_path(path)
    if parsed.scheme in ("file", "agent"):
        with open(_local_path(parsed), "rb") as stream:
            return stream.read()
    if parsed.scheme in ("http", "https"):
        return _download(path)
    if parsed.scheme in EXTRAS:
        return _read_object(path, parsed)
    raise ValueError(
        f"{path!r} has the scheme {parsed.scheme!r}; expected no scheme, file, agent, http, https, s3 or gcs."
    )


def _local_path(parsed: ParsedPath) -> str:
    path = parsed.netloc + parsed.path
    if sys.platform == "win32" and path[2:3] == ":":
        return path.lstrip("/")  # file:///C:/x
    return path


def _download(url: str) -> bytes:
    import httpx2

    response = httpx2.get(url, follow_redirects=True, timeout=DOWNLOAD_TIMEOUT_SECONDS)
    response.raise_for_status()
    content: bytes = response.content
    return content


def _read_object(path: str, parsed: ParsedPath) -> bytes:
    import fsspec

    try:
        filesystem = fsspec.filesystem(parsed.scheme)
    except ImportError as error:
        raise ImportError(f"Reading {path!r} needs the extra {EXTRAS[parsed.scheme]!r} of dagflow: {error}") from error
    content: bytes = filesystem.cat_file(f"{parsed.netloc}{parsed.path}")
    return content


def write_bytes_atomically(path: str, data: bytes) -> None:
    """
    Put *data* into the file at *path*, all or nothing, and return once it is safe; missing folders are made.

    Readers see the old file or the new one, also after a power cut.
    """
    from uuid import uuid4

    directory = os.path.dirname(path) or "."
    os.makedirs(directory, exist_ok=True)
    # In the same directory, because a rename is atomic only within one file system.
    temporary = os.path.join(directory, f".dagflow-{uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(directory)


def _sync_directory(directory: str) -> None:
    """Make the rename itself durable, where the system lets a directory be opened."""
    if os.name == "nt":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
