"""Getting flows out of what storages keep: scripts, pickles, modules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dagflow.exceptions import FlowStorageError
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
    "flow_from_bytes",
    "flow_from_module",
    "flow_from_pickle",
    "flow_from_script",
    "flow_to_bytes_pickle",
    "looks_like_path",
    "opening",
    "read_script",
    "script_path",
    "short_slug",
]

SLUG_LETTERS = 100
"""File systems take names of 255 bytes; what is added to a slug must have room as well."""


def short_slug(name: str) -> str:
    """
    Return the slug of *name*, cut where it is too long for a file's name and then told apart by a hash.

    >>> short_slug("My Flow")
    'my-flow'
    >>> len(short_slug("x" * 10_000))
    109
    """
    slug = slugify(name)
    if len(slug) <= SLUG_LETTERS:
        return slug
    import hashlib

    return f"{slug[:SLUG_LETTERS]}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def default_key(flow: Flow) -> str:
    """Return a location that no earlier build of *flow* had: its slug and the time."""
    from datetime import UTC, datetime

    return f"{short_slug(flow.name)}/{slugify(datetime.now(UTC).isoformat())}"


# --- loading -------------------------------------------------------------------------------------------------


@contextmanager
def opening(flow_name: str, where: str) -> Iterator[None]:
    """
    Turn whatever the user's code, or a damaged file, raises while it is loaded into a ``FlowStorageError``.

    A script that calls ``sys.exit`` is meant too: it must not end the process that loads it.
    """
    try:
        yield
    except FlowStorageError as error:
        raise FlowStorageError(f"Flow {flow_name!r} from {where}: {error}") from error
    except (Exception, SystemExit) as error:
        raise FlowStorageError(
            f"Flow {flow_name!r} from {where} could not be loaded: {_told(error)}. {_hint(error)}"
        ) from error


def _told(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"its script ends the process with sys.exit({error.code!r})"
    text = str(error).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else repr(error)


def _hint(error: BaseException) -> str:
    if isinstance(error, ImportError):
        return f"Install the module {error.name or 'it names'!r} where the flow runs, or put its folder on PYTHONPATH."
    if isinstance(error, SyntaxError):
        return "Repair the script, and check that it is meant for this version of Python."
    if isinstance(error, SystemExit):
        return "Put what a script does beside building its flow below: if __name__ == '__main__':"
    if isinstance(error, (ValueError, TypeError)):
        return "Check that the flow is still built there under this name."
    return "Load it by hand with `dagflow check` to see where it fails."


def flow_from_bytes(data: bytes, flow_name: str, as_script: bool, where: str) -> Flow:
    """
    Return the flow called *flow_name* in *data*, a script or a pickle.

    Raises:
        FlowStorageError: whatever goes wrong; it names the flow and *where* the data came from.
    """
    if not as_script:
        return flow_from_pickle(data, flow_name, where)
    with opening(flow_name, where):
        return extract_flow_from_file(file_contents=data, flow_name=flow_name)


def flow_from_pickle(data: bytes, flow_name: str, where: str) -> Flow:
    """Return the flow called *flow_name* that is pickled in *data*; ``FlowStorageError`` when it is another."""
    with opening(flow_name, where):
        if not data:
            raise FlowStorageError("the stored flow is empty: 0 bytes. Store the flow again.")
        flow = flow_from_bytes_pickle(data)
        if flow.name != flow_name:
            raise FlowStorageError(f"the flow there is called {flow.name!r}. Give each flow a location of its own.")
        return flow


def flow_from_script(path: str, flow_name: str, where: str | None = None) -> Flow:
    """Run the script at *path* and return the flow called *flow_name*; ``FlowStorageError`` when that fails."""
    with opening(flow_name, where or path):
        return extract_flow_from_file(file_path=path, flow_name=flow_name)


def flow_from_module(module: str, flow_name: str) -> Flow:
    """Import *module* and return the flow called *flow_name*; ``FlowStorageError`` when that fails."""
    with opening(flow_name, f"module {module!r}"):
        return extract_flow_from_module(module, flow_name)


# --- scripts on this machine -----------------------------------------------------------------------------------


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
