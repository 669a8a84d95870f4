"""Flows on the disk of the machine that runs them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from dagflow.exceptions import FlowStorageError
from dagflow.storage._digest import digest_of
from dagflow.storage._script import (
    default_key,
    flow_from_module,
    flow_from_script,
    flow_to_bytes_pickle,
    looks_like_path,
    read_script,
)
from dagflow.storage.base import Storage
from dagflow.utilities.storage import flows_folder

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["Local"]


class Local(Storage):
    """
    Keep flows as files.

    Args:
        directory: where pickles go, default ``<home>/flows``.
        validate: make the directory absolute; ``False`` leaves it as it is, for a directory of another machine.
        path: the file itself: the pickle, or with *stored_as_script* the script or an importable module.
        stored_as_script: *path* names the code, nothing is written.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    >>> import tempfile
    >>> from dagflow.core.flow import Flow
    >>> storage = Local(directory=tempfile.mkdtemp())
    >>> location = storage.add_flow(Flow("etl"))
    >>> storage.build().get_flow("etl")
    <Flow: name="etl">
    """

    _fields = ("directory", "path", "stored_as_script")

    def __init__(
        self,
        directory: str | None = None,
        validate: bool = True,
        path: str | None = None,
        stored_as_script: bool = False,
        **kwargs: Any,
    ) -> None:
        directory = flows_folder() if directory is None else os.fspath(directory)
        self.directory = os.path.abspath(os.path.expanduser(directory)) if validate else directory
        self.path = None if path is None else os.fspath(path)
        if kwargs.get("result") is None:
            from dagflow.engine.results.local import LocalResult

            # Not validated, because that makes the folder; writing makes it too.
            kwargs["result"] = LocalResult(self.directory, validate_dir=False)
        super().__init__(stored_as_script=stored_as_script, **kwargs)

    @property
    def default_labels(self) -> list[str]:
        """The name of this machine: nobody else has the files."""
        import socket

        return [socket.gethostname()]

    def _put(self, flow: Flow) -> str:
        if self.stored_as_script:
            return self._script_location(flow)
        from dagflow.utilities.filesystems import write_bytes_atomically

        location = os.path.abspath(os.path.expanduser(self.path or os.path.join(self.directory, default_key(flow))))
        data = flow_to_bytes_pickle(flow)
        write_bytes_atomically(location, data)
        self._note_digest(flow.name, data)
        return location

    def _script_location(self, flow: Flow) -> str:
        if self.path is None:
            raise ValueError(
                f"Flow {flow.name!r} is to be stored as a script, but Local storage has no path; give "
                "Local(path='flow.py', stored_as_script=True)."
            )
        expanded = os.path.expanduser(self.path)
        if not os.path.isfile(expanded):
            return self.path
        self._note_digest(flow.name, read_script(expanded))
        return os.path.abspath(expanded)

    def _load(self, flow_name: str, location: str) -> Flow:
        expanded = os.path.expanduser(location)
        if not os.path.isfile(expanded):
            if looks_like_path(location):
                raise FlowStorageError(
                    f"Flow {flow_name!r}: file not found at {location}; storage=Local, labels={self.labels}. "
                    "The file must be on the machine that runs the flow; run it where it was built, or use a storage "
                    "that all machines reach."
                )
            return flow_from_module(location, flow_name)
        if self.stored_as_script or expanded.endswith(".py"):
            self._warn_of_change(expanded, flow_name)
            return flow_from_script(expanded, flow_name)
        with open(expanded, "rb") as file:
            return self._open(file.read(), flow_name, location)

    def _warn_of_change(self, path: str, flow_name: str) -> None:
        # A script is edited where it lies, on purpose; a pickle never is.
        if self.digests.get(flow_name) not in (None, digest_of(read_script(path))):
            self.logger.warning(
                "The script of flow %r, %s, has changed since it was registered; what it says now is run. Register "
                "the flow again when its tasks or parameters are others.",
                flow_name,
                path,
            )

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], secrets: Iterable[str] = ()) -> Self:
        """Make a storage from its serialized settings, without a look at this machine's disk."""
        known = {name: fields[name] for name in cls._fields if name in fields}
        return cls(**known, secrets=secrets, validate=False)
