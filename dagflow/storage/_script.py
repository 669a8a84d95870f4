"""Getting flows out of what storages keep: scripts, pickles, modules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dagflow.utilities.storage import (
    extract_flow_from_file,
    extract_flow_from_module,
    flow_from_bytes_pickle,
    flow_to_bytes_pickle,
    slugify,
)

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = [
    "default_key",
    "extract_flow_from_file",
    "extract_flow_from_module",
    "flow_from_bytes",
    "flow_from_bytes_pickle",
    "flow_to_bytes_pickle",
    "looks_like_path",
    "read_script",
    "script_path",
]


def default_key(flow: Flow) -> str:
    """Return a location that no earlier build of *flow* had: its slug and the time."""
    from datetime import UTC, datetime

    return f"{slugify(flow.name)}/{slugify(datetime.now(UTC).isoformat())}"


def flow_from_bytes(data: bytes, flow_name: str, as_script: bool) -> Flow:
    """Return the flow called *flow_name* in *data*, a script or a pickle."""
    if as_script:
        return extract_flow_from_file(file_contents=data, flow_name=flow_name)
    return flow_from_bytes_pickle(data)


def script_path(given: str | None) -> str | None:
    """Return the script to upload: the one given, else the one a command is loading flows from."""
    from dagflow.utilities.context import context

    return given or context.get("local_script_path")


def read_script(path: str) -> bytes:
    """Return the text of a script on this machine."""
    with open(os.path.expanduser(path), "rb") as file:
        return file.read()


def looks_like_path(location: str) -> bool:
    """
    Tell a path from the dotted name of a module.

    >>> [looks_like_path(one) for one in ("flows/etl", "etl.py", "company.flows.etl")]
    [True, True, False]
    """
    return os.sep in location or "/" in location or location.endswith((".py", ".dagflow")) or location.startswith("~")
