"""
Comparing values with JSON schemas, and reading text as they say, without any code of users.

What is understood is what the types of Python make: types, constants, alternatives, lists, objects, limits, references
within the schema, and the formats of dates. Unknown words pass, and so do patterns: matching one can take for ever.

>>> problems({"type": "array", "items": {"type": "integer"}}, [1, "x"])
['1: expected an integer, found "x"']
>>> lossless({"type": "integer"}, "5"), lossless({"type": "integer"}, "5.7")
(5, '5.7')
"""

from __future__ import annotations

import datetime
import json
import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["lossless", "problems"]

Schema = Mapping[str, Any]

_DEEPEST = 60
"""Levels of nesting to follow: more would be a schema that refers to itself, or data meant to do harm."""

_PATIENCE = 100_000
"""Comparisons to make for one value, some tenths of a second: alternatives within alternatives multiply."""

_MOST = 20
"""Problems worth telling at once."""


def problems(schema: Schema, value: Any) -> list[str]:
    """Return what is wrong with *value*, one line for each part; an empty list when it fits."""
    found: list[str] = []
    for path, said in _Check(schema).walk(schema, value, 0):
        found.append(f"{path}: {said}" if path else said)
        if len(found) == _MOST:
            break
    return found


def lossless(schema: Schema, value: Any) -> Any:
    """
    Return *value*, a text read as *schema* says where nothing is lost; anything else, and text that fits, as it is.

    Lists and objects are read from JSON, and their items the same way.
    """
    return _Check(schema).read(schema, value, 0)


Problem = tuple[str, str]


class _Check:
    """One schema, in which references are looked up."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._steps = 0

    def walk(self, schema: Any, value: Any, depth: int) -> Iterator[Problem]:
        if schema is True or not isinstance(schema, Mapping):
            if schema is False:
                yield "", f"nothing is allowed here, found {_shown(value)}"
            return
        if depth > _DEEPEST:
            yield "", "nested too deeply"
            return
        self._steps += 1
        if self._steps > _PATIENCE:
            return  # whoever runs the flow compares again
        if "$ref" in schema:
            yield from self.walk(self._referred(schema["$ref"]), value, depth + 1)
        yield from self._alternatives(schema, value, depth)
        if "const" in schema and not _same(schema["const"], value):
            yield "", f"expected {_shown(schema['const'])}, found {_shown(value)}"
        elif "enum" in schema and not any(_same(one, value) for one in schema["enum"]):
            yield "", f"expected one of {', '.join(map(_shown, schema['enum']))}, found {_shown(value)}"
        elif not _has_type(schema.get("type"), value):
            yield "", f"expected {_type_in_words(schema['type'])}, found {_shown(value)}"
        elif isinstance(value, str):
            yield from _text(schema, value)
        elif isinstance(value, bool) or value is None:
            return
        elif isinstance(value, int | float):
            yield from _number(schema, value)
        elif isinstance(value, list):
            yield from self._list(schema, value, depth)
        elif isinstance(value, Mapping):
            yield from self._object(schema, value, depth)

    def _referred(self, reference: Any) -> Any:
        """Return the part of the schema that a reference means; an unknown one means anything."""
        found: Any = self._root
        if not isinstance(reference, str) or not reference.startswith("#"):
            return True
        for step in reference[1:].split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or step not in found:
                return True
            found = found[step]
        return found

    def _alternatives(self, schema: Schema, value: Any, depth: int) -> Iterator[Problem]:
        for one in schema.get("allOf", ()):
            yield from self.walk(one, value, depth + 1)
        for word in ("anyOf", "oneOf"):
            options = schema.get(word)
            if not isinstance(options, list):
                continue
            tried = [list(self.walk(option, value, depth + 1)) for option in options]
            fitting = sum(not one for one in tried)
            if not fitting and tried:
                # The alternative that got furthest says most: its problems lie deepest, or are not about the type.
                nearest = max(tried, key=lambda one: (max(path.count(".") + bool(path) for path, _ in one), -len(one)))
                if any(path for path, _ in nearest):
                    yield from nearest
                else:
                    said = dict.fromkeys(said.partition(", found")[0] for one in tried for _, said in one)
                    yield "", f"{' or '.join(said)}, found {_shown(value)}"
            elif word == "oneOf" and fitting > 1:
                yield "", f"fits more than one of the alternatives, found {_shown(value)}"

    def _list(self, schema: Schema, value: list[Any], depth: int) -> Iterator[Problem]:
        first = schema.get("prefixItems") or []
        for number, one in enumerate(value):
            inner = first[number] if number < len(first) else schema.get("items", True)
            yield from _below(str(number), self.walk(inner, one, depth + 1))
        yield from _limits(schema, "Items", len(value), "item")
        if schema.get("uniqueItems") and len({_key(one) for one in value}) < len(value):
            yield "", "items must differ from each other"

    def _object(self, schema: Schema, value: Mapping[str, Any], depth: int) -> Iterator[Problem]:
        known = schema.get("properties") or {}
        for name in schema.get("required", ()):
            if name not in value:
                yield str(name), "is missing"
        others = schema.get("additionalProperties", True)
        for name, one in value.items():
            if name in known:
                yield from _below(str(name), self.walk(known[name], one, depth + 1))
            elif others is False:
                yield str(name), "is unknown"
            else:
                yield from _below(str(name), self.walk(others, one, depth + 1))
        yield from _limits(schema, "Properties", len(value), "entry")

    # --- reading text ----------------------------------------------------------------------------------------

    def read(self, schema: Any, value: Any, depth: int) -> Any:
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return value
        if isinstance(value, str):
            if not any(self.walk(schema, value, depth)):
                return value
            found = _from_text(value)
            if found is _NOTHING:
                return value
            found = found if isinstance(found, str) else self.read(schema, found, depth + 1)
            return value if any(self.walk(schema, found, depth)) else found
        if isinstance(value, list | dict):
            for option in self._shapes(schema, depth):
                found = self._inside(option, value, depth)
                if not any(self.walk(schema, found, depth)):
                    return found
        return value

    def _shapes(self, schema: Any, depth: int) -> Iterator[Schema]:
        """Yield the schema and its alternatives, references followed."""
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return
        yield schema
        if "$ref" in schema:
            yield from self._shapes(self._referred(schema["$ref"]), depth + 1)
        for word in ("allOf", "anyOf", "oneOf"):
            for one in schema.get(word, ()):
                yield from self._shapes(one, depth + 1)

    def _inside(self, schema: Schema, value: Any, depth: int) -> Any:
        if isinstance(value, list):
            first = schema.get("prefixItems") or []
            return [
                self.read(first[number] if number < len(first) else schema.get("items"), one, depth + 1)
                for number, one in enumerate(value)
            ]
        known, others = schema.get("properties") or {}, schema.get("additionalProperties")
        return {name: self.read(known.get(name, others), one, depth + 1) for name, one in value.items()}


_NOTHING: Any = object()


def _from_text(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return _NOTHING


def _no_number(word: str) -> Any:
    raise ValueError(word)


def _below(name: str, found: Iterator[Problem]) -> Iterator[Problem]:
    for path, said in found:
        yield f"{name}.{path}" if path else name, said


# --- single values -------------------------------------------------------------------------------------------

_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "array": ("a list", lambda value: isinstance(value, list)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("an integer", lambda value: _is_number(value) and value == math.floor(value)),
    "null": ("null", lambda value: value is None),
    "number": ("a number", lambda value: _is_number(value)),
    "object": ("an object", lambda value: isinstance(value, Mapping)),
    "string": ("text", lambda value: isinstance(value, str)),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _has_type(wanted: Any, value: Any) -> bool:
    if wanted is None:
        return True
    return any(name not in _TYPES or _TYPES[name][1](value) for name in _listed(wanted))


def _listed(wanted: Any) -> list[str]:
    return wanted if isinstance(wanted, list) else [wanted]


def _type_in_words(wanted: Any) -> str:
    return " or ".join(_TYPES[name][0] for name in _listed(wanted) if name in _TYPES)


def _text(schema: Schema, value: str) -> Iterator[Problem]:
    yield from _limits(schema, "Length", len(value), "character")
    name = schema.get("format")
    known = _FORMATS.get(name) if isinstance(name, str) else None
    if known is not None:
        said, read = known
        try:
            read(value)
        except ValueError:
            yield "", f"expected {said}, found {_shown(value)}"


def _moment(text: str) -> None:
    if "T" not in text.upper() and " " not in text.strip():
        datetime.date.fromisoformat(text)
    else:
        datetime.datetime.fromisoformat(text)


_FORMATS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "date": ("a date such as 2024-01-31", datetime.date.fromisoformat),
    "date-time": ("a date and time such as 2024-01-31T06:00:00Z", _moment),
    "time": ("a time such as 06:00:00", datetime.time.fromisoformat),
    "uuid": ("a UUID", uuid.UUID),
}


def _number(schema: Schema, value: float) -> Iterator[Problem]:
    limits: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
        ("minimum", "at least", lambda limit: value >= limit),
        ("exclusiveMinimum", "more than", lambda limit: value > limit),
        ("maximum", "at most", lambda limit: value <= limit),
        ("exclusiveMaximum", "less than", lambda limit: value < limit),
    )
    for word, said, holds in limits:
        if _is_number(schema.get(word)) and not holds(schema[word]):
            yield "", f"expected {said} {schema[word]}, found {_shown(value)}"
    step = schema.get("multipleOf")
    if _is_number(step) and step and not math.isclose(math.remainder(value, step), 0, abs_tol=1e-9):
        yield "", f"expected a multiple of {step}, found {_shown(value)}"


def _limits(schema: Schema, what: str, count: int, unit: str) -> Iterator[Problem]:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if isinstance(least, int) and count < least:
        yield "", f"expected at least {least} {unit}{'s' * (least != 1)}, found {count}"
    if isinstance(most, int) and count > most:
        yield "", f"expected at most {most} {unit}{'s' * (most != 1)}, found {count}"


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are one in JSON, where ``true`` is not ``1``."""
    return _key(one) == _key(other)


def _key(value: Any) -> str:
    try:
        return json.dumps(_whole(value), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def _whole(value: Any) -> Any:
    """Return *value* with 1.0 written as 1, at any depth."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return {name: _whole(one) for name, one in value.items()} if isinstance(value, dict) else value


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
