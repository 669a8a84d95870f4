"""
Writing GraphQL queries as Python data, and packing JSON into text.

The server of this package speaks REST; these pure functions are for talking to GraphQL services of others.

>>> print(parse_graphql({"query": {with_args("books", {"limit": 3}): {"title", }}}))
query {
    books(limit: 3) {
        title
    }
}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["EnumValue", "GQLObject", "compress", "decompress", "parse_graphql", "parse_graphql_arguments", "with_args"]

INDENT = "    "


class EnumValue:
    """
    A name that must stand in a query without quotes.

    >>> parse_graphql_arguments({"order_by": EnumValue("desc")})
    'order_by: desc'
    """

    def __init__(self, value: str) -> None:
        self.value = value

    def __str__(self) -> str:
        return self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EnumValue) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


class GQLObject:
    """
    A field with a class of its own; calling it gives the same field with arguments.

    >>> class Books(GQLObject):
    ...     pass
    >>> str(Books()), str(Books()({"limit": 3}))
    ('books', 'books(limit: 3)')
    """

    def __init__(self, name: str | None = None, _arguments: Any = None) -> None:
        self._name = name or type(self).__name__.lower()
        self._arguments = _arguments

    def __call__(self, arguments: Any) -> GQLObject:
        return type(self)(self._name, arguments)

    def __str__(self) -> str:
        return with_args(self._name, self._arguments) if self._arguments else self._name

    def __repr__(self) -> str:
        return f"<GQLObject: {self}>"


def parse_graphql(document: Any) -> str:
    """
    Return the query that nested data stands for; ``True`` or ``...`` marks a field without inner fields.

    >>> print(parse_graphql({"books": {"title": True, "author": ["name", "born"]}}))
    books {
        title
        author {
            name
            born
        }
    }
    """
    return "\n".join(_lines(document))


def _lines(document: Any) -> list[str]:
    if isinstance(document, type) and issubclass(document, GQLObject):
        raise TypeError(f"{document.__name__} is a class; a query needs an instance: {document.__name__}().")
    if isinstance(document, (list, tuple, set, frozenset)):
        return [line for item in document for line in _lines(item)]
    if not isinstance(document, Mapping):
        return str(document).split("\n")
    lines = []
    for field, inner in document.items():
        if inner is True or inner is ...:
            lines.append(str(field))
        else:
            lines += [f"{field} {{", *(INDENT + line for line in _lines(inner)), "}"]
    return lines


def with_args(field: Any, arguments: Any) -> str:
    """
    Return *field* with *arguments*, a mapping or finished text.

    >>> with_args("task", {"where": {"id": {"_eq": 3}}})
    'task(where: { id: { _eq: 3 } })'
    """
    return f"{field}({parse_graphql_arguments(arguments)})"


def parse_graphql_arguments(arguments: Any) -> str:
    """
    Return *arguments* as they stand between the brackets of a field.

    >>> parse_graphql_arguments({"name": "a b", "tags": ["x"], "all": True, "limit": None})
    'name: "a b", tags: ["x"], all: true, limit: null'
    """
    if isinstance(arguments, Mapping):
        return ", ".join(f"{key}: {_argument(value)}" for key, value in arguments.items())
    return str(arguments)


def _argument(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {parse_graphql_arguments(value)} }}" if value else "{}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"[{', '.join(_argument(item) for item in value)}]"
    if isinstance(value, (EnumValue, GQLObject)):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return json.dumps(value)
    return json.dumps(str(value))


def compress(input: Any) -> str:
    """
    Return JSON data as short text.

    >>> decompress(compress({"a": [1, 2]}))
    {'a': [1, 2]}
    """
    import base64
    import gzip

    # No time stamp, so that the same data gives the same text.
    return base64.b64encode(gzip.compress(json.dumps(input).encode(), mtime=0)).decode()


def decompress(string: str) -> Any:
    """Undo :func:`compress`."""
    import base64
    import gzip

    return json.loads(gzip.decompress(base64.b64decode(string)).decode())
