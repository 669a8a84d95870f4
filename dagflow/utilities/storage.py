"""
Flows in files: as pickles that tell the versions they were made with, and as the scripts and modules that build them.

A pickle is JSON text, ``{"flow": base64 of cloudpickle, "versions": {"cloudpickle", "dagflow", "python"}}``. Reading
one runs code: load only files you trust.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pickle import PicklingError
from typing import TYPE_CHECKING, Any

from dagflow._version import __version__
from dagflow.configuration import config
from dagflow.exceptions import FlowStorageError, near_match
from dagflow.utilities.pickling import dumps

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = [
    "extract_flow_from_file",
    "extract_flow_from_module",
    "flow_from_bytes_pickle",
    "flow_to_bytes_pickle",
    "load_flow",
    "save_flow",
    "slugify",
]

SUFFIX = ".dagflow"


def slugify(text: str) -> str:
    """
    Return *text* in small letters, digits and dashes, fit for a file name or key.

    >>> slugify("My Flow: über 2024")
    'my-flow-uber-2024'
    """
    import re
    import unicodedata

    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if slug:
        return slug
    # Nothing of the name can be kept, as with one in Chinese; something of it must, or all such names were one.
    import hashlib

    return f"flow-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


# --- pickles -------------------------------------------------------------------------------------------------


def _versions() -> dict[str, str]:
    import cloudpickle

    return {"cloudpickle": cloudpickle.__version__, "dagflow": __version__, "python": platform.python_version()}


def flow_to_bytes_pickle(flow: Flow) -> bytes:
    """
    Return *flow* as the text of a pickle, its code included.

    Raises:
        TypeError: while the flow's block is open, or when a task holds something that cannot be pickled.
    """
    import json
    from base64 import b64encode

    try:
        pickled = dumps(flow)
    except (TypeError, AttributeError, PicklingError) as error:
        raise _explained(flow, error) from error
    data = {"flow": b64encode(pickled).decode("ascii"), "versions": _versions()}
    return json.dumps(data).encode()


def _explained(flow: Flow, error: Exception) -> Exception:
    """Return an error that names the task and the variable which keep *flow* from being pickled, if a task does."""
    from dagflow.engine.pickling import culprit

    for task in flow.get_tasks() if not flow._open else ():
        try:
            dumps(task)
        except Exception as reason:
            return TypeError(
                f"Flow {flow.name!r} cannot be pickled because of task {task.name!r}: {culprit(task.run, reason)}. "
                "Make such objects inside the task, or in a resource manager."
            )
    return error


def flow_from_bytes_pickle(data: bytes) -> Flow:
    """
    Return the flow in *data*, which :func:`flow_to_bytes_pickle` made, or which is a bare cloudpickle.

    Warns when another version of dagflow made it.

    Raises:
        FlowStorageError: when it cannot be unpickled, with the versions that differ.
    """
    pickled, versions = _unwrapped(data)
    try:
        import cloudpickle

        flow = cloudpickle.loads(pickled)
    except Exception as error:
        raise FlowStorageError(_load_failure(error, versions)) from error
    from dagflow.core.flow import Flow

    if not isinstance(flow, Flow):
        raise FlowStorageError(f"The stored object is no flow but a {type(flow).__name__}; store it again.")
    made_with = versions.get("dagflow", __version__)
    if made_with != __version__:
        import warnings

        warnings.warn(
            f"Flow {flow.name!r} was stored by dagflow {made_with} and is read by {__version__}. It may behave "
            "differently; store it again with this version.",
            stacklevel=2,
        )
    return flow


def _unwrapped(data: bytes) -> tuple[bytes, Mapping[str, str]]:
    """Return the pickle and the versions told with it, none for a bare pickle."""
    if data.lstrip()[:1] != b"{":
        return data, {}
    import json
    from base64 import b64decode

    try:
        document = json.loads(data)
        return b64decode(document["flow"], validate=True), dict(document.get("versions") or {})
    except (ValueError, KeyError, TypeError) as error:
        raise FlowStorageError(
            f"The stored flow is damaged: {error!r}. Expected JSON with the key 'flow' and base64 text in it; "
            "store the flow again."
        ) from error


def _load_failure(error: Exception, versions: Mapping[str, str]) -> str:
    lines = [f"The stored flow could not be loaded: {error!r}."]
    running = _versions()
    lines += [
        f"It was stored with {name} {versions[name]} and is read with {running[name]}; use the same."
        for name in sorted(running)
        if name in versions and versions[name] != running[name]
    ]
    if isinstance(error, ImportError):
        lines.append(
            f"The module {error.name or 'it names'!r} is missing here: install it where the flow runs, or put its "
            "folder on PYTHONPATH."
        )
    return " ".join(lines)


def save_flow(flow: Flow, fpath: str | None = None) -> str:
    """
    Write *flow* to a file, all or nothing, and return its path.

    Args:
        flow: the flow.
        fpath: where; default ``<home_dir>/flows/<slugified name>.dagflow``.
    """
    from dagflow.utilities.filesystems import write_bytes_atomically

    path = _default_path(flow.name) if fpath is None else os.path.abspath(os.path.expanduser(os.fspath(fpath)))
    write_bytes_atomically(path, flow_to_bytes_pickle(flow))
    return path


def load_flow(fpath: str) -> Flow:
    """
    Read a flow that :func:`save_flow` wrote.

    Args:
        fpath: a path; what is no path to an existing file is a flow's name under ``<home_dir>/flows``.

    Raises:
        FileNotFoundError: when there is no such file.
        FlowStorageError: when it cannot be unpickled.
    """
    given = os.path.expanduser(os.fspath(fpath))
    path = given if os.path.isabs(given) or os.path.isfile(given) else _default_path(given.removesuffix(SUFFIX))
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise FileNotFoundError(_not_saved(given, path)) from None
    return flow_from_bytes_pickle(data)


def _default_path(name: str) -> str:
    return os.path.join(flows_folder(), f"{slugify(name)}{SUFFIX}")


def flows_folder() -> str:
    """Return the folder below the home where flows are kept."""
    return os.path.join(os.path.abspath(os.path.expanduser(str(config.home_dir))), "flows")


def _not_saved(given: str, path: str) -> str:
    folder = os.path.dirname(path)
    saved = sorted(one.removesuffix(SUFFIX) for one in _names_in(folder) if one.endswith(SUFFIX))
    also = f" (nor is {given!r} a file)" if path != given else ""
    listed = f" Saved there: {', '.join(saved)}." if saved else ""
    return f"No flow is saved at {path!r}{also}.{near_match(slugify(given), saved)}{listed}"


def _names_in(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


# --- scripts and modules -------------------------------------------------------------------------------------


def extract_flow_from_file(
    file_path: str | None = None, file_contents: str | bytes | None = None, flow_name: str | None = None
) -> Flow:
    """
    Run a script and return a flow of it.

    Args:
        file_path: where the script is; not together with *file_contents*.
        file_contents: its text.
        flow_name: which flow; default the first one.

    Raises:
        ValueError: without a script, with two, and when there is no such flow in it.
    """
    if (file_path is None) == (file_contents is None):
        found = "neither" if file_path is None else "both"
        raise ValueError(f"Give either file_path or file_contents; found {found}.")
    from dagflow.utilities.scripts import flows_in, load_script

    module = load_script(file_path, file_contents)
    return chosen_flow(flows_in(module), flow_name, repr(file_path) if file_path else "the script")


def chosen_flow(flows: Mapping[str, Flow], name: str | None, where: str) -> Flow:
    """
    Return the flow called *name*, the first one when there is no name.

    Raises:
        ValueError: when there is none.
    """
    if not flows:
        raise ValueError(
            f"There is no flow in {where}. A flow must be a global variable of it, as with "
            "`with Flow('name') as flow:`."
        )
    if name is None:
        return next(iter(flows.values()))
    if name not in flows:
        raise ValueError(
            f"There is no flow {name!r} in {where}; found {', '.join(map(repr, flows))}.{near_match(name, flows)}"
        )
    return flows[name]


def extract_flow_from_module(module_str: str, flow_name: str | None = None) -> Flow:
    """
    Import a module and return a flow of it.

    Args:
        module_str: ``package.module``, or ``package.module:attribute.path`` for a flow or a function that returns one.
        flow_name: which flow; may be left out when there is one only.

    Raises:
        ValueError: when there is no such flow, or several and no name.
        TypeError: when the attribute is no flow.
    """
    from dagflow.utilities.scripts import flows_in, import_flow_module

    module_name, _, attributes = module_str.partition(":")
    module = import_flow_module(module_name)
    if attributes:
        return _flow_at(module_str, flow_name)
    flows = flows_in(module)
    if flow_name is None and len(flows) > 1:
        raise ValueError(
            f"Module {module_str!r} has several flows: {', '.join(map(repr, flows))}. Choose one by flow_name, "
            f"or write {module_str + ':variable'!r}."
        )
    return chosen_flow(flows, flow_name, f"module {module_str!r}")


def _flow_at(path: str, name: str | None) -> Flow:
    from dagflow.core.flow import Flow
    from dagflow.utilities.context import context
    from dagflow.utilities.importtools import import_object

    with context(loading_flow=True):
        found: Any = import_object(path)
        if callable(found) and not isinstance(found, Flow):
            found = found()
    if not isinstance(found, Flow):
        raise TypeError(
            f"{path!r} is no flow but a {type(found).__name__}; expected a flow or a function returning one."
        )
    if name is not None and found.name != name:
        raise ValueError(f"{path!r} is the flow {found.name!r}, not {name!r}.")
    return found
