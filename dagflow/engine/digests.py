"""
Digests of values and of code: equal in every process, and on every machine with the same minor version of Python.

What a plain pickle would not keep equal is taken apart: sets and dicts are put in order, classes and functions stand
for themselves by name, and nothing depends on which of two equal objects is the same one.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

__all__ = ["code_digest", "digest"]

_PLAIN = frozenset({bool, bytes, complex, float, int, str, type(None)})


def digest(value: Any) -> str:
    """
    Return a digest of *value*.

    Raises:
        TypeError: for values that cannot be told apart reliably, such as open files and locks.

    >>> digest({"a": 1, "b": {2, 3}}) == digest({"b": {3, 2}, "a": 1})
    True
    >>> digest([1]) == digest((1,))
    False
    """
    kind = type(value)
    if kind in _PLAIN:
        return _sha(f"{kind.__name__}:{value!r}".encode(errors="surrogatepass"))
    buffer = io.BytesIO()
    try:
        pickler = _Digester(buffer, protocol=5)
        pickler.fast = True  # without memory of objects: two equal strings may be one or two of them
        pickler.dump(value)
    except RecursionError:
        raise TypeError(f"A {kind.__name__} that holds itself has no digest.") from None
    except Exception as error:
        raise TypeError(f"A {kind.__name__} has no digest: {error}") from error
    return _sha(buffer.getvalue())


class _Digester(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        """Return what stands for *value*, ``None`` for its pickle."""
        kind = type(value)
        if kind is dict:
            return ("dict", sorted((digest(key), digest(one)) for key, one in value.items()))
        if kind is set or kind is frozenset:
            return (kind.__name__, sorted(map(digest, value)))
        if isinstance(value, type):
            return ("class", value.__module__, value.__qualname__)
        if isinstance(value, types.FunctionType):
            return ("function", value.__module__, value.__qualname__, code_digest(value))
        if isinstance(value, types.ModuleType):
            return ("module", value.__name__)
        return None


def code_digest(function: Callable[..., Any]) -> str:
    """
    Return a digest of what *function* does: its instructions, constants and defaults, not its comments and lines.

    The source is not asked, because a worker need not have the file.
    """
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        kind = type(function)
        return _sha(f"{kind.__module__}.{kind.__qualname__}".encode())
    defaults = (getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None))
    try:
        said = digest(defaults)
    except TypeError:
        said = ""
    return _sha("\n".join([f"{sys.version_info[:2]}", said, *_facts(code)]).encode(errors="surrogatepass"))


def _facts(code: types.CodeType) -> list[str]:
    facts = [code.co_code.hex(), repr(code.co_names), repr(code.co_varnames), repr(code.co_freevars)]
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            facts += _facts(one)
        else:
            facts.append(digest(one))
    return facts


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
