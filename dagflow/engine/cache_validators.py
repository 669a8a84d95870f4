"""
Validators: may a cached result be used again?

A validator takes the cached state, the inputs of the new run by name and the flow's parameters, and says yes or no.
All but `never_use` first require that the state has not expired; an expiration of None means never. Inputs are
remembered as tokens (`hash_input`), not as values, so a cache does not keep them alive.

>>> from dagflow.engine.state import Cached
>>> state = Cached(hashed_inputs=hash_inputs({"x": 1}))
>>> all_inputs(state, {"x": 1}, {}), all_inputs(state, {"x": 2}, {}), duration_only(state, {"x": 2}, {})
(True, False, True)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagflow.engine.state import Cached

__all__ = [
    "all_inputs",
    "all_parameters",
    "duration_only",
    "hash_input",
    "hash_inputs",
    "never_use",
    "partial_inputs_only",
    "partial_parameters_only",
]

Validator = Callable[["Cached", dict[str, Any], dict[str, Any]], bool]

_MISSING: Any = object()
# Their `repr` says all there is to say, so the most frequent inputs need no dask.
_PLAIN = frozenset({bool, bytes, float, int, str, type(None)})


def hash_input(value: Any) -> str:
    """
    Return a token that is the same for equal values of one type, also in another process.

    Values that dask cannot tell apart reliably get a new token each time, so that they are never taken for equal.

    >>> hash_input({"a": 1, "b": 2}) == hash_input({"b": 2, "a": 1})
    True
    >>> hash_input(1) == hash_input("1")
    False
    """
    kind = type(value)
    if kind in _PLAIN:
        from hashlib import sha256

        return sha256(f"{kind.__name__}:{value!r}".encode(errors="surrogatepass")).hexdigest()
    from dask.base import tokenize

    return str(tokenize(value))


def hash_inputs(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the token of each input, by name."""
    return {name: hash_input(value) for name, value in inputs.items()}


def never_use(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Never."""
    return False


def duration_only(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Until it expires."""
    return _is_fresh(state)


def all_inputs(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Until it expires, for the same inputs, no more and no fewer."""
    return _is_fresh(state) and _same_inputs(state, inputs, names=None)


def all_parameters(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Until it expires, for the same parameters of the flow."""
    return _is_fresh(state) and _same(state.cached_parameters or {}, parameters or {}, names=None)


def partial_inputs_only(validate_on: Iterable[str] | None = None, *misused: Any) -> Validator:
    """
    Return a validator: until it expires, for the same values of the inputs that *validate_on* names.

    >>> from dagflow.engine.state import Cached
    >>> state = Cached(hashed_inputs=hash_inputs({"x": 1, "y": 1}))
    >>> partial_inputs_only(["x"])(state, {"x": 1, "y": 2}, {})
    True
    """
    return partial(_named_inputs, _names(validate_on, misused, "partial_inputs_only"))


def partial_parameters_only(validate_on: Iterable[str] | None = None, *misused: Any) -> Validator:
    """Return a validator: until it expires, for the same values of the parameters that *validate_on* names."""
    return partial(_named_parameters, _names(validate_on, misused, "partial_parameters_only"))


def _names(validate_on: Iterable[str] | None, misused: tuple[Any, ...], factory: str) -> tuple[str, ...]:
    if misused:
        raise TypeError(f"{factory} makes a validator: call it first, as in cache_validator={factory}(['x']).")
    if validate_on is None:
        return ()
    return (validate_on,) if isinstance(validate_on, str) else tuple(validate_on)


def _named_inputs(names: tuple[str, ...], state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:
    return _is_fresh(state) and _same_inputs(state, inputs, names)


def _named_parameters(
    names: tuple[str, ...], state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]
) -> bool:
    return _is_fresh(state) and _same(state.cached_parameters or {}, parameters or {}, names)


def _is_fresh(state: Cached) -> bool:
    from datetime import UTC, datetime

    expiration = state.cached_result_expiration
    return expiration is None or expiration > datetime.now(UTC)


def _same_inputs(state: Cached, inputs: dict[str, Any], names: tuple[str, ...] | None) -> bool:
    if state.hashed_inputs is not None:
        new = inputs if names is None else {name: inputs[name] for name in names if name in inputs}
        return _same(state.hashed_inputs, hash_inputs(new), names)
    return _same({name: _plain(value) for name, value in (state.cached_inputs or {}).items()}, inputs, names)


def _same(old: Mapping[str, Any], new: Mapping[str, Any], names: tuple[str, ...] | None) -> bool:
    if names is None:
        if old.keys() != new.keys():
            return False
        names = tuple(old)
    return all(same_values(old.get(name, _MISSING), new.get(name, _MISSING)) for name in names)


def same_values(old: Any, new: Any) -> bool:
    """Tell whether two values are equal, also when they are arrays or data frames."""
    try:
        return bool(old is new or old == new)
    except (TypeError, ValueError):
        # Arrays and data frames do not say in one word whether they are equal.
        return hash_input(old) == hash_input(new)


def _plain(value: Any) -> Any:
    from dagflow.engine.result import Result

    return value.value if isinstance(value, Result) else value
