"""JSON as the database keeps it: text, read and written quickly and strictly."""

from __future__ import annotations

import math
from typing import Any

from pydantic_core import from_json, to_json

from dagflow.server.errors import BadRequest

__all__ = ["dumped", "loaded", "parsed"]


def dumped(value: Any) -> str:
    """
    Return *value* as compact JSON text.

    >>> dumped({"a": [1, None]})
    '{"a":[1,null]}'
    """
    return to_json(value).decode()


def loaded(text: str | None, otherwise: Any = None) -> Any:
    """Return what *text* says, *otherwise* for none."""
    return otherwise if text is None else from_json(text)


def parsed(body: bytes) -> Any:
    """
    Return the JSON of a request.

    The NUL character, which not every database can keep, becomes the sign for what cannot be shown.

    Raises:
        BadRequest: for what is no JSON, for NaN and infinities, and for halves of surrogate pairs.
    """
    try:
        value = from_json(body, allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is no JSON: {error}.") from error
    # Numbers are huge where their text gives none away; written anew, they have a name.
    if b"Infinity" in to_json(value) and _has_infinity(value):
        raise BadRequest("The body has a number too large for JSON readers.")
    return _without_nul(value) if b"\\u0000" in body else value


def _has_infinity(value: Any) -> bool:
    if isinstance(value, float):
        return math.isinf(value)
    if isinstance(value, list):
        return any(map(_has_infinity, value))
    return isinstance(value, dict) and any(map(_has_infinity, value.values()))


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_without_nul(one) for one in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(one) for key, one in value.items()}
    return value
