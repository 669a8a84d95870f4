"""
States as documents: type, message, times and where the result is kept; values stay behind.

A :class:`~dagflow.engine.state.Mapped` state tells how many children it has, not their states: those are records of
their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.serialization.common import VERSION, json_ready
from dagflow.serialization.result import deserialize_result, serialize_result

if TYPE_CHECKING:
    from dagflow.engine.state import State
    from dagflow.serialization.models import StateDocument

__all__ = ["deserialize_state", "serialize_state"]

_EXTRAS: dict[str, tuple[str, ...]] = {
    "Scheduled": ("start_time",),
    "Paused": ("start_time",),
    "Resume": ("start_time",),
    "Retrying": ("start_time", "run_count"),
    "ClientFailed": ("state",),
    "Submitted": ("state",),
    "Queued": ("state", "start_time"),
    "Looped": ("loop_count",),
    "Cached": ("cached_parameters", "cached_result_expiration", "hashed_inputs"),
    "Mapped": ("n_map_states",),
}
"""What a state has besides what all have."""


def serialize_state(state: State) -> dict[str, Any]:
    """
    Return *state* as JSON-ready data.

    Raises:
        ValueError: for the abstract ``State``, and for a class that is not one of dagflow's.

    >>> from dagflow.engine.state import Looped
    >>> serialize_state(Looped("again", loop_count=3))["loop_count"]
    3
    """
    kind = type(state)
    if _public_kinds().get(kind.__name__) is not kind:
        raise ValueError(
            f"A {kind.__name__} state has no wire form; expected an instance of one of {', '.join(_public_kinds())}."
        )
    document: dict[str, Any] = {
        "type": kind.__name__,
        "message": None if state.message is None else str(state.message),
        "context": json_ready(state.context),
        "cached_inputs": {name: serialize_result(_held(value)) for name, value in state.cached_inputs.items()},
        "_result": serialize_result(_kept(state)),
    }
    for name in _EXTRAS.get(kind.__name__, ()):
        document[name] = _written(getattr(state, name))
    document["__version__"] = VERSION
    return document


def _kept(state: State) -> Any:
    """Return where the value is; that of a mapped state is made of its children's, and is not looked at."""
    from dagflow.engine.result import NoResult
    from dagflow.engine.state import Mapped

    return NoResult if isinstance(state, Mapped) else state._result


def _public_kinds() -> dict[str, type[State]]:
    """Return the state classes that may be sent, by name."""
    from dagflow.engine import state

    return {name: getattr(state, name) for name in state.__all__ if name != "State"}


def _held(value: Any) -> Any:
    from dagflow.engine.result import Result

    return value if isinstance(value, Result) else Result(value)


def _written(value: Any) -> Any:
    from dagflow.engine.state import State

    return serialize_state(value) if isinstance(value, State) else json_ready(value)


def deserialize_state(data: Mapping[str, Any]) -> State:
    """
    Make a state from what :func:`serialize_state` returned; a mapped one has ``None`` for each child.

    Raises:
        ValueError: for an unknown type or a malformed document.

    >>> from dagflow.engine.state import Mapped
    >>> deserialize_state(Mapped(n_map_states=2).serialize()).map_states
    [None, None]
    """
    from dagflow.serialization.common import checked
    from dagflow.serialization.models import StateDocument

    return _read(checked(StateDocument, data, "state"))


def _read(document: StateDocument) -> State:
    kinds = _public_kinds()
    kind: Any = kinds.get(document.type)
    if kind is None:
        from dagflow.exceptions import near_match

        raise ValueError(
            f"Unknown state type {document.type!r}; expected one of {', '.join(kinds)}."
            f"{near_match(document.type, kinds)}"
        )
    extras = {name: getattr(document, name) for name in _EXTRAS.get(document.type, ())}
    if extras.get("state") is not None:
        extras["state"] = _read(extras["state"])
    if document.type == "Mapped":
        extras["map_states"] = [None] * (extras["n_map_states"] or 0)
    inputs = {name: deserialize_result(one) for name, one in (document.cached_inputs or {}).items()}
    state: State = kind(document.message, context=document.context, cached_inputs=inputs, **extras)
    # The run that reads is not the run that wrote: what its context added is taken back.
    state.context = dict(document.context or {})
    result = deserialize_result(document.result)
    if document.type != "Mapped":
        state.result = result
    return state
