"""Reading a file wherever it is."""

from __future__ import annotations

import sys
from typing import NamedTuple

__all__ = ["ParsedPath", "parse_path", "read_bytes_from_path"]

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
