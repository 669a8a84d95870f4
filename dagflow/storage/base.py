"""What all storages have: a table of flows, labels, secrets, and checks before they are built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dagflow.configuration import config
from dagflow.exceptions import FlowStorageError, near_match
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    import logging

    from dagflow.core.flow import Flow
    from dagflow.engine.result import Result

__all__ = ["Storage"]


class Storage:
    """
    A place for the code of flows; one flow each is the usual way.

    A kind of storage guarantees, in the order in which it is used:

    1. its constructor checks its arguments, and reaches neither network nor extras;
    2. :meth:`add_flow` returns the location and refuses a name it has already;
    3. :meth:`build` returns only when the flows can be loaded elsewhere;
    4. :meth:`get_flow` returns the flow asked for and no other, and whatever goes wrong while it is fetched, checked
       and opened is a ``FlowStorageError``;
    5. where it writes the bytes itself, it keeps their digest, and opens nothing that has another one;
    6. what it serializes holds no credentials, and reading that touches neither disk nor network.

    Args:
        result: the result that flows kept here write to when they have none.
        secrets: names of secrets to put into ``context.secrets`` before a flow is loaded.
        labels: labels that a flow kept here gets.
        add_default_labels: add the labels that the kind has; default ``config.flows.defaults.storage``.
        stored_as_script: keep the script that makes the flow rather than a pickle of it.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    """The settings that are serialized; all of them are keyword arguments of the constructor."""

    def __init__(
        self,
        result: Result | None = None,
        secrets: Iterable[str] | None = None,
        labels: Iterable[str] | None = None,
        add_default_labels: bool | None = None,
        stored_as_script: bool = False,
    ) -> None:
        for name, given in (("secrets", secrets), ("labels", labels)):
            if isinstance(given, str):
                raise TypeError(f"{name} must be a list of strings, found the string {given!r}; use [{given!r}].")
        self.result = result
        self.secrets: list[str] = list(secrets or ())
        self.stored_as_script = stored_as_script
        if add_default_labels is None:
            add_default_labels = bool(config.flows.defaults.storage.add_default_labels)
        self.add_default_labels = add_default_labels
        self._labels: list[str] = list(labels or ())
        self.flows: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        """By the names of flows, the sha256 of what was stored, where that is known."""
        self._flows: dict[str, Flow] = {}

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return type(self).__name__

    @property
    def logger(self) -> logging.Logger:
        """The logger named after the class."""
        return get_logger(type(self).__name__)

    @property
    def default_labels(self) -> list[str]:
        """Labels that the kind itself brings."""
        return []

    @property
    def labels(self) -> list[str]:
        """Its own labels and, if wanted, the default ones; none twice."""
        return list(dict.fromkeys([*self._labels, *(self.default_labels if self.add_default_labels else ())]))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self.flows

    def __repr__(self) -> str:
        return f"<Storage: {type(self).__name__}>"

    def __getstate__(self) -> dict[str, Any]:
        # A flow knows its storage: pickling one flow must not bring all others along.
        return {**self.__dict__, "_flows": {}}

    # --- putting ---------------------------------------------------------------------------------------------

    def add_flow(self, flow: Flow) -> str:
        """
        Record *flow* and return its location.

        Raises:
            ValueError: when a flow of its name is here already.
        """
        self._check_name_is_free(flow)
        location = self._put(flow)
        self.flows[flow.name] = location
        self._flows[flow.name] = flow
        return location

    def _check_name_is_free(self, flow: Flow) -> None:
        if flow.name in self:
            raise ValueError(
                f"Name conflict: a flow named {flow.name!r} is already in this {type(self).__name__} storage. "
                "Use one storage object for each flow, or another name."
            )

    def _put(self, flow: Flow) -> str:
        """Return the location for *flow*, having done what must be done before :meth:`build`."""
        raise NotImplementedError

    def build(self) -> Storage:
        """Check the flows, bring them where they belong, and return this storage."""
        from dagflow.storage._health import warn_about_results

        warn_about_results(self._flows.values())
        self._build()
        return self

    def _build(self) -> None:
        """Bring what was added to its place; nothing to do where :meth:`_put` did it."""

    # --- taking ----------------------------------------------------------------------------------------------

    def get_flow(self, flow_name: str) -> Flow:
        """
        Load and return the flow called *flow_name*.

        Raises:
            ValueError: when it is not here.
            FlowStorageError: when it cannot be loaded, or is not what was registered.
            ImportError: when the extra that the storage needs is not installed.
        """
        location = self.flows.get(flow_name) if isinstance(flow_name, str) else None
        if location is None:
            here = ", ".join(map(repr, self.flows)) or "nothing"
            raise ValueError(
                f"Flow {flow_name!r} is not contained in this Storage, a {type(self).__name__}, which has {here}."
                f"{near_match(str(flow_name), self.flows)}"
            )
        try:
            return self._load(flow_name, location)
        except (FlowStorageError, ImportError):
            # What user code lacks is a storage error by now; what is left is an extra that is not installed.
            raise
        except Exception as error:
            raise FlowStorageError(
                f"Flow {flow_name!r} could not be fetched from {location!r} of {type(self).__name__} storage: "
                f"{type(error).__name__}: {str(error).rstrip('.')}. Check that the place can be reached from this "
                "machine and that the settings and secrets of the storage fit."
            ) from error

    def _open(self, data: bytes, flow_name: str, where: str) -> Flow:
        """Return the flow in *data*, a script or a pickle, if that is what was registered."""
        from dagflow.storage._digest import refuse_changed
        from dagflow.storage._script import flow_from_bytes

        refuse_changed(data, self.digests.get(flow_name), flow_name, where)
        return flow_from_bytes(data, flow_name, self.stored_as_script, where)

    def _note_digest(self, flow_name: str, data: bytes) -> None:
        """Keep the digest of what is stored for a flow."""
        from dagflow.storage._digest import digest_of

        self.digests[flow_name] = digest_of(data)

    def _load(self, flow_name: str, location: str) -> Flow:
        """Return the flow called *flow_name*, which is at *location*."""
        raise NotImplementedError

    # --- wire ------------------------------------------------------------------------------------------------

    def serialize(self) -> dict[str, Any]:
        """Return kind, settings, locations and names of secrets as JSON-ready data."""
        from dagflow.serialization.storage import serialize_storage

        return serialize_storage(self)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], secrets: Iterable[str] = ()) -> Self:
        """Make a storage from its serialized settings; what later versions may add is passed over."""
        return cls(**{name: fields[name] for name in cls._fields if name in fields}, secrets=secrets)
