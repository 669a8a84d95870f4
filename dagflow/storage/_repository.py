"""
What storages have in common whose flows are scripts in a repository.

There is nothing to upload and nothing to compare: a script on a branch is meant to change. Names of repositories,
files and refs become parts of URLs, so they are checked before they do.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from dagflow.exceptions import FlowStorageError
from dagflow.storage.base import Storage

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["RepositoryStorage", "checked_path", "checked_ref", "first_secret", "secret_text"]

_NEVER = re.compile(r"[\x00-\x20\x7f]")
"""Control characters and spaces, which no ref has and which end lines of protocols."""


class RepositoryStorage(Storage):
    """Base of the storages that name a script in a repository."""

    path: str | None

    def _put(self, flow: Flow) -> str:
        if not self.path:
            raise ValueError(
                f"Flow {flow.name!r} cannot be added: {type(self).__name__} storage needs the path of its script "
                "in the repository."
            )
        return self.path


def checked_path(path: str) -> str:
    """
    Return *path*, of a file in a repository, without slashes around it.

    Raises:
        FlowStorageError: for a path that leaves the repository, and one with control characters.

    >>> checked_path("/flows/etl.py")
    'flows/etl.py'
    """
    parts = path.strip("/").split("/")
    if not all(parts) or {".", ".."} & set(parts) or re.search(r"[\x00-\x1f\x7f]", path):
        raise FlowStorageError(
            f"The path {path!r} names no file in a repository; expected one such as 'flows/etl.py', without '.', '..' "
            "and control characters."
        )
    return "/".join(parts)


def checked_ref(ref: str) -> str:
    """
    Return *ref*, a branch, tag or commit.

    Raises:
        FlowStorageError: for what cannot be one, such as ``--option`` and ``a..b``.

    >>> checked_ref("feature/etl")
    'feature/etl'
    """
    if not ref or ref.startswith(("-", "/")) or ref.endswith("/") or ".." in ref or "//" in ref or _NEVER.search(ref):
        raise FlowStorageError(
            f"{ref!r} cannot be a branch, a tag or a commit; expected a name such as 'main' or 'v1'."
        )
    return ref


def secret_text(name: str) -> str:
    """
    Return the text of the secret called *name*, as it was written.

    A token of digits must stay the text it is, so nothing is decoded.

    Raises:
        FlowStorageError: when it is not known.
    """
    from dagflow.utilities.secrets import Secret

    try:
        return str(Secret(name)._find())
    except (ValueError, KeyError) as error:
        raise FlowStorageError(f"The storage needs a secret: {error.args[0]}") from error


def first_secret(given: str | None, usual: str) -> str | None:
    """Return the text of the secret *given*; without one that of the secret or environment variable called *usual*."""
    from dagflow.utilities.context import context

    if given:
        return secret_text(given)
    found = (context.get("secrets") or {}).get(usual) or os.environ.get(usual)
    return str(found) if found else None
