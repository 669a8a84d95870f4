"""
The context: what a piece of code may know about the run it is part of.

``context`` is a stack of layers on a :class:`~contextvars.ContextVar`. Entering a block pushes one layer that holds
only the new keys, so it costs one small dict however much the context holds; leaving pops it, which restores
everything, keys added inside included. A layer may name keys that are computed on first use, which lets the engine
offer two dozen keys to every task run and pay only for those that somebody reads.

New threads start with no layers: they see the configuration and nothing else, as in Prefect 0.15.

>>> with context(colour="red"):
...     context.colour
'red'
>>> "colour" in context
False
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

from dagflow.configuration import config

__all__ = ["MISSING", "Context", "Layer", "context", "current_layer", "find", "pop_layer", "push_layer", "visible"]

MISSING: Any = object()
"""What a lookup answers when no layer knows the key; a computed key may answer it too."""


class Layer:
    """
    One block's worth of context.

    ``values`` are the keys set in this block, ``computed`` the keys made from ``owner`` on first use, ``hidden`` the
    keys of lower layers that this block must not see.
    """

    computed: Mapping[str, Callable[[Any], Any]] | None = None
    hidden: frozenset[str] | None = None
    building: Any = None
    """Kept here by :mod:`dagflow.core.scope`; forgotten when the layer is written to."""

    def __init__(
        self,
        parent: Layer | None,
        values: dict[str, Any],
        computed: Mapping[str, Callable[[Any], Any]] | None = None,
        owner: Any = None,
        hidden: frozenset[str] | None = None,
    ) -> None:
        self.parent = parent
        self.values = values
        if computed is not None:
            self.computed = computed
            self.owner = owner
        if hidden is not None:
            self.hidden = hidden


_HIDDEN: Any = object()
_layers: ContextVar[Layer | None] = ContextVar("dagflow_context", default=None)


def current_layer() -> Layer | None:
    """Return the innermost layer of this thread, ``None`` when it has none."""
    return _layers.get()


def push_layer(layer: Layer) -> Token[Layer | None]:
    """Make *layer* the innermost one; hand the token to :func:`pop_layer`."""
    return _layers.set(layer)


def pop_layer(token: Token[Layer | None]) -> None:
    """Restore what was in force before the matching :func:`push_layer`."""
    _layers.reset(token)


def find(layer: Layer | None, key: str) -> Any:
    """Return what *layer* and those below it know under *key*, :data:`MISSING` when they know nothing."""
    while layer is not None:
        value = layer.values.get(key, MISSING)
        if value is MISSING and layer.computed is not None and key in layer.computed:
            value = layer.computed[key](layer.owner)
            if value is not MISSING:
                layer.values[key] = value
        if value is _HIDDEN:
            return MISSING
        if value is not MISSING:
            return value
        if layer.hidden is not None and key in layer.hidden:
            return MISSING
        layer = layer.parent
    return config if key == "config" else _configured().get(key, MISSING)


def _configured() -> Mapping[str, Any]:
    """Return the ``[context]`` section of the configuration."""
    section: Mapping[str, Any] = config.get("context", {})
    return section


def visible(layer: Layer | None) -> dict[str, Any]:
    """Return every key that code below *layer* can see, with its value; computes what is computed."""
    names: dict[str, None] = dict.fromkeys(_configured())
    names["config"] = None
    chain = []
    walker = layer
    while walker is not None:
        chain.append(walker)
        walker = walker.parent
    for level in reversed(chain):
        names.update(dict.fromkeys(level.values))
        names.update(dict.fromkeys(level.computed or ()))
    found = ((name, find(layer, name)) for name in names)
    return {name: value for name, value in found if value is not MISSING}


class _Block:
    """A ``with context(...)`` block; may be entered once at a time."""

    __slots__ = ("_token", "_values")

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __enter__(self) -> Context:
        values = dict(self._values)
        if "config" in values:
            values["config"] = _merged_config(values["config"])
        self._token = push_layer(Layer(_layers.get(), values))
        return context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pop_layer(self._token)


def _merged_config(changes: Mapping[str, Any]) -> Any:
    from dagflow.utilities.collections import merge_dicts

    return merge_dicts(context.config, changes)


class Context(MutableMapping[str, Any]):
    """
    Attribute and item access to the layers of the current thread.

    A missing attribute raises ``AttributeError``, a missing item ``KeyError``. Writing sets the key in the innermost
    block. Calling the context gives a block to enter; a ``config`` value given to it is merged over the one in force.
    """

    def __call__(self, *args: Mapping[str, Any], **kwargs: Any) -> _Block:
        return _Block(dict(*args, **kwargs))

    def __getitem__(self, key: str) -> Any:
        value = find(_layers.get(), key)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __getattr__(self, key: str) -> Any:
        value = find(_layers.get(), key)
        if value is MISSING:
            raise AttributeError(f"'Context' object has no attribute {key!r}; it has {', '.join(sorted(self))}.")
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*, or *default*."""
        value = find(_layers.get(), key)
        return default if value is MISSING else value

    def __setitem__(self, key: str, value: Any) -> None:
        layer = self._top()
        layer.values[key] = value
        layer.building = None

    __setattr__ = __setitem__

    def __delitem__(self, key: str) -> None:
        layer = self._top()
        if find(layer, key) is MISSING:
            raise KeyError(key)
        layer.values.pop(key, None)
        layer.building = None
        if find(layer, key) is not MISSING:
            layer.values[key] = _HIDDEN

    def __delattr__(self, key: str) -> None:
        try:
            del self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and find(_layers.get(), key) is not MISSING

    def __iter__(self) -> Iterator[str]:
        return iter(visible(_layers.get()))

    def __len__(self) -> int:
        return len(visible(_layers.get()))

    def copy(self) -> dict[str, Any]:
        """Return the visible keys as a plain dict."""
        return self.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return the visible keys as a plain dict."""
        return visible(_layers.get())

    def __repr__(self) -> str:
        return f"<Context: {', '.join(sorted(self))}>"

    def __reduce__(self) -> Any:
        raise TypeError("The context cannot be pickled: take the values you need from it and pass those on.")

    @staticmethod
    def _top() -> Layer:
        layer = _layers.get()
        if layer is None:
            layer = Layer(None, {})
            _layers.set(layer)
        return layer


context = Context()
