"""GraphQL as data."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow.utilities.graphql import (
    EnumValue,
    GQLObject,
    compress,
    decompress,
    parse_graphql,
    parse_graphql_arguments,
    with_args,
)


class Author(GQLObject):
    """A field."""


@pytest.mark.parametrize("leaf", [True, ...])
def test_nested_data_becomes_a_query(leaf: Any) -> None:
    document = {"query": {with_args("books", {"limit": 3}): [{"title": leaf}, {Author(): ["name"]}]}}

    assert parse_graphql(document).splitlines() == [
        "query {",
        "    books(limit: 3) {",
        "        title",
        "        author {",
        "            name",
        "        }",
        "    }",
        "}",
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"where": {"id": {"_eq": 3}}}, "where: { id: { _eq: 3 } }"),
        ({"s": 'say "x"', "b": False, "n": None, "f": 1.5}, 's: "say \\"x\\"", b: false, n: null, f: 1.5'),
        ({"l": [{"a": 1}, EnumValue("asc")], "e": {}}, "l: [{ a: 1 }, asc], e: {}"),
        ("limit: 3", "limit: 3"),
    ],
)
def test_arguments(arguments: Any, text: str) -> None:
    assert parse_graphql_arguments(arguments) == text


def test_a_field_with_arguments() -> None:
    assert str(Author()({"id": 1})) == "author(id: 1)"
    assert str(Author("other")) == "other"


def test_a_class_in_a_query_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Author is a class; a query needs an instance: Author\(\)"):
        parse_graphql({"query": Author})


@pytest.mark.parametrize("data", [None, 1, "é", {"a": [1, {"b": None}]}])
def test_packing_can_be_undone_and_is_repeatable(data: Any) -> None:
    assert decompress(compress(data)) == data
    assert compress(data) == compress(data)
