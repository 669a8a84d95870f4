"""
Values on their way from a run to those who need them: packed to travel with the state, or kept on the worker.

Small values travel, unless those of a report together are many; large ones stay, under keys that Dask or whoever else
holds them knows. What does not pickle fails the run that made it.
"""

from __future__ import annotations

import contextlib
import copy
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.engine.base_state import NOTHING
from dagflow.engine.carried import Packed, Parcel, Stub
from dagflow.engine.mapping import is_nested
from dagflow.engine.notify import announce
from dagflow.engine.run_context import TaskRun
from dagflow.engine.settle import retry_state
from dagflow.engine.state import Failed, State
from dagflow.utilities.context import pop_layer, push_layer
from dagflow.utilities.pickling import dumps

if TYPE_CHECKING:
    from dagflow.engine.posted import Kit

__all__ = ["Luggage", "failed", "packed"]

_SMALL = (int, float, bool, type(None))
"""Types that are cheaper to send than to pack."""

_LARGE = 1 << 18
"""Bytes from which a value is kept on the worker, under a name of its own."""

_CHECKED = 1 << 18
"""Bytes of a large value that are pickled to see whether it can be; the rest is taken to be like them."""

_POOLED = 1 << 16
"""Bytes of all values of a report together from which those of at least a thousandth of it are kept, as one."""


class Luggage:
    """
    The values of a batch that are not reported yet.

    What changes: those of the run that goes on come first into the fresh ones, which only its thread touches;
    ``item_done`` and ``taken`` are called under the lock of the batch.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._small: list[tuple[int, State, Any]] = []
        self._large: dict[str, Parcel] = {}
        self._fresh_small: list[tuple[int, State, Any]] = []
        self._fresh_large: dict[str, Parcel] = {}

    def item_done(self) -> None:
        """The run, with those that followed it, is ready to be reported."""
        self._small += self._fresh_small
        self._large.update(self._fresh_large)
        self._fresh_small, self._fresh_large = [], {}

    def taken(self) -> Luggage:
        """Return what is ready, and be without it."""
        bag = Luggage(self._kit)
        bag._small, self._small = self._small, []
        bag._large, self._large = self._large, {}
        return bag

    def to_keep(self) -> dict[str, Parcel]:
        """Return what is to be kept here; small values that are many are kept together, those of one step."""
        found = dict(self._large)
        if sum(len(_value_of(state).data) for _, state, _ in self._small) > _POOLED:
            for step in {index for index, _, _ in self._small}:  # they are wanted together, or not at all
                alike = [(state, value) for index, state, value in self._small if index == step]
                found.update(_pooled(alike, flattened=step in self._kit.flattened))
        return found

    def carry(self, state: State, index: int, run: TaskRun) -> State:
        """Make *state* fit to travel: its value packed, or kept here."""
        outpost = self._kit.outpost
        assert outpost is not None
        value = _value_of(state)
        if value is NOTHING or type(value) in _SMALL or isinstance(value, BaseException):
            return state
        home = index in self._kit.home
        try:
            size = outpost.size_of(value)
            if size < _LARGE:
                data = dumps(value)
                size = len(data)
                if size < _LARGE:
                    _put(state, Packed(data))
                    if not home:
                        self._fresh_small.append((index, state, value))
                    return state
            self._keep(state, value, size, index)
        except Exception as error:
            return _undeliverable(state, value, run, error)
        return state

    def _keep(self, state: State, value: Any, size: int, index: int) -> None:
        """Keep a large value here under a key of its own."""
        data = dumps(value) if index in self._kit.home else None
        kind = index, type(value)
        if data is None and kind not in self._kit.checked:  # alike ones are taken on trust
            _check_picklable(value)
            self._kit.checked.add(kind)
        key = _new_key()
        self._fresh_large[key] = Parcel(value, size)
        inner = _inner_lengths(value) if index in self._kit.flattened else None
        _put(state, Stub(key, None, *_kind_of(value), size, data, inner))

    def drop(self, state: State) -> None:
        """Let go of a large value whose only follower has made good use of it."""
        stub = _value_of(state)
        if type(stub) is Stub and stub.data is None and stub.key in self._fresh_large:
            del self._fresh_large[stub.key]
            stub.key = ""


def packed(state: State, run: TaskRun) -> State:
    """Return *state* with its value in bytes; ``Failed`` when the value cannot be pickled."""
    value = _value_of(state)
    if value is NOTHING or type(value) in _SMALL or isinstance(value, BaseException):
        return state
    try:
        _put(state, Packed(dumps(value)))
    except Exception as error:
        return _undeliverable(state, value, run, error)
    return state


def _value_of(state: State) -> Any:
    return state._value if state._holder is None else state._holder.value


def _put(state: State, value: Any) -> None:
    """Put *value* in the place of the one *state* has, in a copy of what holds it."""
    if state._holder is None:
        state._value = value
    else:
        state._holder = copy.copy(state._holder)
        state._holder.value = value


def _undeliverable(state: State, value: Any, run: TaskRun, error: Exception) -> State:
    words = (
        f"Task {run.full_name!r} returned a {type(value).__name__}, which cannot be sent back from its process: "
        f"{error!r}. Return something that pickles, or use threads."
    )
    return failed(run, state, Failed(words, result=TypeError(str(error))))


def failed(run: TaskRun, old: State, state: State) -> State:
    """Let a run fail after all, as it would have by an exception: its handlers hear of it, and its retries apply."""
    scope = run.scope
    scope.logger.error("%s", state.message)
    token = push_layer(run)
    try:
        state = announce(run, old, state)
        if not run.ended:
            state = announce(run, state, retry_state(run.task, state, run.run_count, scope.now()))
    finally:
        pop_layer(token)
    state.run_started, state.run_ended = run.started or scope.now(), scope.now()
    return state


def _pooled(live: list[tuple[State, Any]], *, flattened: bool) -> dict[str, Parcel]:
    """Keep values together that are small one by one, and not in all."""
    key = _new_key()
    pool: list[Any] = []
    whole = 0
    for state, value in live:
        size = len(_value_of(state).data)
        if size >= _POOLED // 1000:
            inner = _inner_lengths(value) if flattened else None
            _put(state, Stub(key, len(pool), *_kind_of(value), size, None, inner))
            pool.append(value)
            whole += size
    return {key: Parcel(pool, whole)} if pool else {}


def _new_key() -> str:
    return f"dagflow-value-{uuid.uuid4().hex}"


def _kind_of(value: Any) -> tuple[str, int]:
    """Return how *value* can be mapped over, and how many items it has."""
    if isinstance(value, Mapping):
        return "mapping", 0
    if not (hasattr(value, "__getitem__") and hasattr(value, "__len__")):
        return "other", 0
    try:
        return "sequence" if is_nested(value) else "whole", len(value)
    except Exception:  # it has a length and does not tell, such as an array without dimensions
        return "other", 0


def _inner_lengths(value: Any) -> list[int] | None:
    """
    Return how many items each item of a list has; ``None`` where only the value itself can tell.

    Of a list of which flattening makes nothing else there are none: ``[]`` for a list with items.
    """
    if type(value) not in (list, tuple):
        return None
    if not all(is_nested(item) for item in value):
        return []
    if any(type(item) not in (list, tuple) for item in value):
        return None
    return [len(item) for item in value]


class _EnoughError(Exception):
    """Raised to end a check."""


class _Sink:
    """Takes bytes and keeps none, until it has seen enough."""

    seen = 0

    def write(self, data: Any) -> int:
        self.seen += len(data)
        if self.seen > _CHECKED:
            raise _EnoughError
        return len(data)


def _check_picklable(value: Any) -> None:
    """Raise what pickling the beginning of *value* raises; arrays and the like are not copied for that."""
    import cloudpickle

    with contextlib.suppress(_EnoughError):
        cloudpickle.CloudPickler(_Sink(), protocol=5, buffer_callback=lambda _: None).dump(value)
