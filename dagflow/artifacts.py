"""
The old names of :mod:`dagflow.backend.artifacts`; each call warns and does what the new name does.

>>> import warnings
>>> with warnings.catch_warnings(record=True) as said:
...     warnings.simplefilter("always")
...     create_link("https://example.com")
>>> str(said[0].message)
'dagflow.artifacts.create_link is now dagflow.backend.artifacts.create_link_artifact.'
"""

from __future__ import annotations

import warnings
from typing import Any

from dagflow.backend import artifacts

__all__ = ["create_link", "create_markdown", "delete_artifact", "update_link", "update_markdown"]


def create_link(link: str) -> str | None:
    """Put a link on the page of the running task; use ``create_link_artifact``."""
    return _renamed("create_link", "create_link_artifact")(link)  # type: ignore[no-any-return]


def update_link(task_run_artifact_id: str | None, link: str) -> None:
    """Replace a link; use ``update_link_artifact``."""
    _renamed("update_link", "update_link_artifact")(task_run_artifact_id, link)


def create_markdown(markdown: str) -> str | None:
    """Put a text on the page of the running task; use ``create_markdown_artifact``."""
    return _renamed("create_markdown", "create_markdown_artifact")(markdown)  # type: ignore[no-any-return]


def update_markdown(task_run_artifact_id: str | None, markdown: str) -> None:
    """Replace a text; use ``update_markdown_artifact``."""
    _renamed("update_markdown", "update_markdown_artifact")(task_run_artifact_id, markdown)


def delete_artifact(task_run_artifact_id: str | None) -> None:
    """Remove an artifact; use ``dagflow.backend.artifacts.delete_artifact``."""
    _renamed("delete_artifact", "delete_artifact")(task_run_artifact_id)


def _renamed(old: str, new: str) -> Any:
    warnings.warn(f"dagflow.artifacts.{old} is now dagflow.backend.artifacts.{new}.", stacklevel=3)
    return getattr(artifacts, new)
