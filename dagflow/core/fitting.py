"""
Whether a value of one annotated type can be what another annotation asks for.

A wrong alarm is worse than a miss, so the answer ``False`` is given only where no value could do, leaving aside empty
collections. Conversions of numbers that Python makes silently (``int`` for ``float``) fit; whatever is unclear
(protocols, type variables, unresolved names, classes that answer ``isinstance`` their own way) gives ``None``.
"""

from __future__ import annotations

import collections.abc as abc
import numbers
import types
import typing
from abc import ABCMeta
from collections.abc import Iterable
from enum import Enum, EnumMeta
from typing import Any, ForwardRef, Literal, NewType, TypeVar, Union, get_args, get_origin

__all__ = ["element_of", "fits", "flattened", "is_known", "item_of", "union_of", "value_fits"]

Opinion = bool | None

_SOLID = frozenset(
    {int, float, complex, bool, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, type(None)}
)
"""Builtins of which no other class in common use is a disguise; two of them have no common subclass."""

_WIDENS = {float: (int,), complex: (int, float), bytes: (bytearray, memoryview)}
"""What Python takes silently where the key is asked for; ``bool`` is an ``int`` anyway."""

_NUMBERS = (bool, int, float, complex)
_ROWS = (list, tuple, range)

_ITERABLES = (abc.Iterable, abc.Set, abc.Collection, abc.Container, abc.Reversible, abc.Iterator)


def fits(producer: Any, consumer: Any) -> Opinion:
    """
    Tell whether a value described by *producer* can be used where *consumer* is asked for.

    Returns:
        ``True`` when it can, ``False`` when it cannot, ``None`` when that cannot be told.

    >>> fits(int, float), fits(list[int], list[str]), fits(int, "SomeName")
    (True, False, None)
    """
    producer, consumer = _plain(producer), _plain(consumer)
    if consumer is object or consumer is Any:
        return True
    if not is_known(producer) or not is_known(consumer):
        return None
    if _members(producer) is not None:
        return _some_member_fits(producer, consumer)
    wanted = _members(consumer)
    if wanted is not None:
        return _any_of(fits(producer, one) for one in wanted)
    if get_origin(producer) is Literal:
        return _any_of(_literal_fits(value, consumer) for value in get_args(producer))
    if get_origin(consumer) is Literal:
        return False if _any_of(fits(producer, type(v)) for v in get_args(consumer)) is False else None
    return _classes_fit(producer, consumer)


def is_known(annotation: Any) -> bool:
    """Tell whether *annotation* says something: not ``Any``, a type variable or a name that was not resolved."""
    if annotation is Any or annotation is object or annotation is None:
        return False
    return not isinstance(annotation, str | ForwardRef | TypeVar) and annotation not in _SILENT


_SILENT = (typing.NoReturn, typing.Never, typing.Self)


def _plain(annotation: Any) -> Any:
    """Return *annotation* without what does not change the values: ``Annotated``, ``NewType``, aliases, ``Final``."""
    if annotation is None:
        return type(None)
    for _ in range(20):
        if get_origin(annotation) in (typing.Annotated, typing.Final, typing.ClassVar):
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif annotation is typing.LiteralString:
            annotation = str
        else:
            break
    return annotation


def _members(annotation: Any) -> tuple[Any, ...] | None:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else None


def union_of(members: Iterable[Any]) -> Any:
    """
    Return the union of *members*, ``Any`` as soon as one of them is not known.

    >>> union_of([int, str]) == int | str, union_of([int, Any])
    (True, typing.Any)
    """
    found = [_plain(member) for member in members]
    if not found or not all(is_known(member) for member in found):
        return Any
    return Union[tuple(found)]  # noqa: UP007 - the number of members is not known before


def _any_of(opinions: Iterable[Opinion]) -> Opinion:
    found = list(opinions)
    return True if True in found else None if None in found else False


def _some_member_fits(producer: Any, consumer: Any) -> Opinion:
    # `str | None` for `int | None` would fit only when there is nothing to hand over: the others count.
    members = _members(producer) or ()
    telling = [member for member in members if _plain(member) is not type(None)] or list(members)
    return _any_of(fits(member, consumer) for member in telling)


def _literal_fits(value: Any, consumer: Any) -> Opinion:
    if get_origin(consumer) is Literal:
        return any(value == one and type(value) is type(one) for one in get_args(consumer))
    return fits(type(value), consumer)


def _classes_fit(producer: Any, consumer: Any) -> Opinion:
    made, wanted = get_origin(producer) or producer, get_origin(consumer) or consumer
    if not isinstance(made, type) or not isinstance(wanted, type):
        return None
    if any(made is narrow for narrow in _WIDENS.get(wanted, ())):
        return True
    if made is not wanted and made in _ROWS and wanted in (list, tuple):
        return _rows_fit(producer, consumer)
    related = _related(made, wanted)
    return _arguments_fit(producer, consumer) if related else related


def _rows_fit(producer: Any, consumer: Any) -> Opinion:
    """Compare items only: most code that says ``list`` is as happy with a tuple."""
    return None if fits(element_of(producer), element_of(consumer)) is not False else False


def _related(made: type, wanted: type) -> Opinion:
    """Compare two classes, arguments left aside."""
    if made is wanted:
        return True
    if _answers_itself(made) or _answers_itself(wanted):
        return None
    try:
        if issubclass(made, wanted):
            return True
        downwards = issubclass(wanted, made)
    except TypeError:
        return None
    if downwards or _is_foreign_number(made) and wanted in _NUMBERS or _is_foreign_number(wanted) and made in _NUMBERS:
        return None
    abstract = isinstance(made, ABCMeta) or isinstance(wanted, ABCMeta)
    # What a class pretends to be an abstract one is known only for builtins; numpy arrays serve as sequences.
    return None if abstract and not _is_solid_pair(made, wanted) else False


def _is_foreign_number(cls: type) -> bool:
    """Tell whether *cls* is a number that is not a builtin, numpy's scalars included."""
    if cls in _SOLID:
        return False
    return issubclass(cls, numbers.Number) or any(
        c.__name__ == "generic" and c.__module__ == "numpy" for c in cls.__mro__
    )


def _is_solid_pair(made: type, wanted: type) -> bool:
    return made in _SOLID or wanted in _SOLID and not issubclass(made, wanted) and not _is_collection_like(made)


def _is_collection_like(cls: type) -> bool:
    return cls.__module__ in ("collections.abc", "typing", "abc", "numbers") or isinstance(cls, ABCMeta)


def _answers_itself(cls: type) -> bool:
    """Tell whether only *cls* knows what its instances are: protocols, typed dicts and the like."""
    if getattr(cls, "_is_protocol", False) or typing.is_typeddict(cls) or cls.__module__ == "typing":
        return True
    check = type(cls).__instancecheck__
    return check not in (type.__instancecheck__, ABCMeta.__instancecheck__, EnumMeta.__instancecheck__)


# --- arguments of generics ---------------------------------------------------------------------------------------


def _arguments_fit(producer: Any, consumer: Any) -> Opinion:
    made, wanted = get_args(producer), get_args(consumer)
    cls, asked = get_origin(producer) or producer, get_origin(consumer) or consumer
    if asked is type or asked is abc.Callable or not wanted:
        return True
    if cls is tuple and asked is tuple:
        return _tuples_fit(made, wanted)
    if _is_mapping(cls) and _is_mapping(asked) and len(made) == len(wanted) == 2:
        return _all_of(fits(one, other) for one, other in zip(made, wanted, strict=True))
    if len(wanted) == 1 and (asked in (list, set, frozenset, tuple) or asked in _ITERABLES or _is_sequence(asked)):
        return _all_of([fits(element_of(producer, iterated=True), wanted[0])])
    return None


def _all_of(opinions: Iterable[Opinion]) -> Opinion:
    found = list(opinions)
    return False if False in found else None if None in found else True


def _is_mapping(cls: Any) -> bool:
    return isinstance(cls, type) and cls is not abc.Collection and issubclass(cls, abc.Mapping)


def _is_sequence(cls: Any) -> bool:
    return (
        isinstance(cls, type)
        and cls.__module__ in ("builtins", "collections", "collections.abc")
        and (
            cls is abc.Sequence or cls is abc.MutableSequence or cls is abc.MutableSet or issubclass(cls, abc.Sequence)
        )
    )


def _tuples_fit(made: tuple[Any, ...], wanted: tuple[Any, ...]) -> Opinion:
    if not made:
        return True
    if wanted[-1] is Ellipsis:
        return _all_of(fits(one, wanted[0]) for one in made if one is not Ellipsis)
    if made[-1] is Ellipsis:
        return _all_of(fits(made[0], one) for one in wanted)
    if any(get_origin(one) is typing.Unpack for one in (*made, *wanted)):
        return None
    return len(made) == len(wanted) and _all_of(fits(one, other) for one, other in zip(made, wanted, strict=True))


# --- what is inside ----------------------------------------------------------------------------------------------


def element_of(annotation: Any, *, iterated: bool = False) -> Any:
    """
    Return the type of the items that a map over such a value hands out, ``Any`` when that is not known.

    Args:
        annotation: the type of the whole.
        iterated: what iteration gives; for a mapping that is a key.

    >>> element_of(list[int]), element_of(tuple[int, str]) == int | str
    (<class 'int'>, True)
    """
    annotation = _plain(annotation)
    members = _members(annotation)
    if members is not None:
        present = [one for one in members if _plain(one) is not type(None)]
        return union_of(element_of(one, iterated=iterated) for one in present)
    cls, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if cls is str:
        return str
    if cls is tuple and arguments:
        return arguments[0] if arguments[-1] is Ellipsis else union_of(arguments)
    plain_iterable = cls in (list, set, frozenset) or cls in _ITERABLES or _is_sequence(cls) or cls is abc.Generator
    if arguments and (plain_iterable or iterated and _is_mapping(cls)):
        return arguments[0]
    return Any


def flattened(annotation: Any) -> Any:
    """
    Return the type of such a value without one level of nesting; items that are not collections stay.

    >>> flattened(list[list[int]]), flattened(list[str])
    (list[int], list[str])
    """
    element = _plain(element_of(annotation))
    members = _members(element)
    inner = union_of(_spread(one) for one in members) if members is not None else _spread(element)
    return list[inner] if is_known(inner) else list  # type: ignore[valid-type]


def _spread(element: Any) -> Any:
    cls = get_origin(_plain(element)) or _plain(element)
    if cls in (str, bytes, int, float, bool, complex):
        return element
    return element_of(element) if is_known(element) else Any


def item_of(annotation: Any, key: Any) -> Any:
    """
    Return the type of ``value[key]``, ``Any`` when that is not known.

    Raises:
        IndexError: when a tuple of fixed length has no such item.

    >>> item_of(tuple[int, str], 1), item_of(dict[str, float], "k")
    (<class 'str'>, <class 'float'>)
    """
    annotation = _plain(annotation)
    members = _members(annotation)
    if members is not None:
        return Any
    cls, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if not arguments:
        return str if cls is str and isinstance(key, int) else Any
    if cls is tuple and isinstance(key, int) and Ellipsis not in arguments and arguments != ((),):
        if any(get_origin(one) is typing.Unpack for one in arguments):
            return Any
        return arguments[key]
    if _is_mapping(cls) and len(arguments) == 2 and cls.__module__ in ("builtins", "collections", "collections.abc"):
        return arguments[1]
    if isinstance(key, int) and (cls in (list, tuple) or _is_sequence(cls)):
        return arguments[0]
    return Any


def value_fits(value: Any, consumer: Any) -> Opinion:
    """
    Tell whether the plain *value* can be used where *consumer* is asked for; judges scalars only.

    >>> value_fits("three", int), value_fits(3, float), value_fits(None, int)
    (False, True, None)
    """
    if type(value) in (str, bytes, int, float, bool, complex) and not isinstance(value, Enum):
        return _literal_value_fits(value, _plain(consumer))
    return None


def _literal_value_fits(value: Any, consumer: Any) -> Opinion:
    members = _members(consumer)
    if members is not None:
        return _any_of(_literal_value_fits(value, _plain(one)) for one in members)
    return _literal_fits(value, consumer) if is_known(consumer) else None
