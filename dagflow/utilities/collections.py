"""
Mappings with attribute access, and functions over nested data.

>>> settings = as_nested_dict({"a": {"b": 1}})
>>> settings.a.b
1
>>> list(flatten_seq([1, ("ab", [2, [3]])]))
[1, 'ab', 2, 3]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

__all__ = [
    "CompoundKey",
    "DotDict",
    "as_nested_dict",
    "dict_to_flatdict",
    "flatdict_to_dict",
    "flatten_seq",
    "merge_dicts",
]


def flatten_seq(seq: Iterable[Any]) -> Iterator[Any]:
    """
    Yield the leaves of nested iterables, lazily; text and bytes are leaves, a mapping gives its keys.

    >>> list(flatten_seq([[1, "two"], {"three": 3}]))
    [1, 'two', 'three']
    """
    # A stack instead of recursion: nesting deeper than the recursion limit is only unusual, not wrong.
    stack = [iter(seq)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, Iterable) and not isinstance(item, (str, bytes)):
                stack.append(iter(item))
                break
            yield item
        else:
            stack.pop()


class DotDict(MutableMapping[str, Any]):
    """
    A mapping whose keys are attributes too.

    It equals a dict with the same items and leaves nested dicts as they are; :func:`as_nested_dict` converts those.
    A key that is the name of a method, such as ``keys`` or ``update``, is a ``ValueError``, because it would hide it.

    >>> point = DotDict(x=1)
    >>> point.y = 2
    >>> point == {"x": 1, "y": 2}
    True
    """

    # The items are the instance's ``__dict__``, so reading an attribute is a native lookup and copies nothing.

    def __init__(self, mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None, **kwargs: Any) -> None:
        if mapping is not None:
            self.update(mapping)
        if kwargs:
            self.update(kwargs)

    if TYPE_CHECKING:

        def __getattr__(self, key: str) -> Any: ...

    def __getitem__(self, key: str) -> Any:
        return self.__dict__[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(key, str) and hasattr(type(self), key):
            raise ValueError(f"{key!r} cannot be a key: it is a method of {type(self).__name__}. Rename the key.")
        self.__dict__[key] = value

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __delitem__(self, key: str) -> None:
        del self.__dict__[key]

    def __delattr__(self, key: str) -> None:
        try:
            del self.__dict__[key]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {key!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def __contains__(self, key: object) -> bool:
        return key in self.__dict__

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*, or *default*."""
        return self.__dict__.get(key, default)

    def __repr__(self) -> str:
        # Values stay out of the text: these objects hold secrets and end up in logs.
        return f"<{type(self).__name__}: {', '.join(map(repr, self.__dict__))}>"

    def copy(self) -> DotDict:
        """Return a shallow copy of the same class."""
        duplicate = type(self).__new__(type(self))
        duplicate.__dict__.update(self.__dict__)
        return duplicate

    def to_dict(self) -> dict[str, Any]:
        """
        Return plain dicts, all the way down.

        >>> as_nested_dict({"a": {"b": 1}}).to_dict()
        {'a': {'b': 1}}
        """
        plain: dict[str, Any] = as_nested_dict(self, dict)
        return plain


def as_nested_dict(obj: Any, dct_class: Callable[[dict[Any, Any]], Any] = DotDict) -> Any:
    """
    Rebuild *obj* with every mapping in it, at any depth of mappings, lists, tuples and sets, made a *dct_class*.

    >>> as_nested_dict({"rows": [{"id": 7}]}).rows[0].id
    7
    """
    if isinstance(obj, Mapping):
        return dct_class({key: as_nested_dict(value, dct_class) for key, value in obj.items()})
    if isinstance(obj, tuple) and hasattr(obj, "_fields"):
        return type(obj)(*(as_nested_dict(item, dct_class) for item in obj))
    if isinstance(obj, (list, tuple, set)):
        return type(obj)(as_nested_dict(item, dct_class) for item in obj)
    return obj


def merge_dicts(d1: Mapping[Any, Any], d2: Mapping[Any, Any]) -> Any:
    """
    Return a new mapping of *d1*'s class with *d2* laid over it, level by level; neither argument changes.

    >>> merge_dicts({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}}
    """
    merged = _empty_like(d1)
    for key, value in d1.items():
        if key in d2:
            over = d2[key]
            both = isinstance(value, Mapping) and isinstance(over, Mapping)
            merged[key] = merge_dicts(value, over) if both else over
        else:
            # Nested mappings are copied too, so that changing the result never reaches into d1.
            merged[key] = merge_dicts(value, {}) if isinstance(value, Mapping) else value
    for key, value in d2.items():
        if key not in d1:
            merged[key] = value
    return merged


def _empty_like(mapping: Mapping[Any, Any]) -> Any:
    return type(mapping)() if isinstance(mapping, (dict, DotDict)) else {}


class CompoundKey(tuple[Any, ...]):
    """The path to a value in nested mappings, as a key of the flat form."""

    __slots__ = ()


def dict_to_flatdict(dct: Mapping[Any, Any], parent: CompoundKey | None = None) -> dict[CompoundKey, Any]:
    """
    Flatten nested mappings to one dict keyed by paths; an empty mapping is a value, so nothing is lost.

    >>> dict_to_flatdict({"a": {"b": 1}, "c": 2})
    {('a', 'b'): 1, ('c',): 2}
    """
    above = parent or CompoundKey()
    flat: dict[CompoundKey, Any] = {}
    for key, value in dct.items():
        path = CompoundKey((*above, key))
        if isinstance(value, Mapping) and value:
            flat.update(dict_to_flatdict(value, path))
        else:
            flat[path] = value
    return flat


def flatdict_to_dict(dct: Mapping[CompoundKey, Any], dct_class: Callable[[], Any] = dict) -> Any:
    """
    Undo :func:`dict_to_flatdict`, building mappings of *dct_class*.

    >>> flatdict_to_dict({CompoundKey(["a", "b"]): 1})
    {'a': {'b': 1}}
    """
    nested = dct_class()
    for path, value in dct.items():
        inner = nested
        for key in path[:-1]:
            if key not in inner:
                inner[key] = dct_class()
            inner = inner[key]
        inner[path[-1]] = value
    return nested
