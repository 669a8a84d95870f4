"""Comparing values with JSON schemas, without any code of users."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dagflow.serialization.schemas import lossless, problems

INT = {"type": "integer"}
POINT = {
    "$defs": {"Point": {"type": "object", "properties": {"x": INT, "y": {"type": "number"}}, "required": ["x"]}},
    "$ref": "#/$defs/Point",
}
TREE = {
    "$defs": {"Tree": {"properties": {"of": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}, "n": INT}}},
    "$ref": "#/$defs/Tree",
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, object()),
        (INT, 5),
        (INT, 5.0),
        ({"type": "number"}, 1),
        ({"type": ["integer", "null"]}, None),
        ({"anyOf": [INT, {"type": "null"}]}, None),
        ({"oneOf": [INT, {"type": "string"}]}, "x"),
        ({"allOf": [INT, {"minimum": 3}]}, 3),
        ({"enum": ["a", 1]}, 1),
        ({"const": {"a": 1}}, {"a": 1.0}),
        ({"type": "array", "items": INT, "minItems": 1, "uniqueItems": True}, [1, 2]),
        ({"type": "array", "prefixItems": [INT, {"type": "string"}], "minItems": 2}, [1, "a"]),
        (POINT, {"x": 1, "other": True}),
        (TREE, {"n": 1, "of": [{"n": 2, "of": []}]}),
        ({"type": "string", "format": "date"}, "2024-02-29"),
        ({"type": "string", "format": "date-time"}, "2024-02-29T06:00:00Z"),
        ({"type": "string", "format": "uuid"}, "12345678123456781234567812345678"),
        ({"type": "string", "format": "unheard-of"}, "x"),
        ({"type": "number", "multipleOf": 0.1}, 0.3),
        ({"additionalProperties": INT}, {"a": 1}),
        ({"$ref": "#/nowhere"}, 1),
        ({"$ref": "https://elsewhere/schema"}, 1),
    ],
)
def test_values_that_fit_have_no_problem(schema: Any, value: Any) -> None:
    assert problems(schema, value) == []


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        (INT, 5.7, ["expected an integer, found 5.7"]),
        (INT, True, ["expected an integer, found true"]),
        (INT, float("nan"), ["expected an integer, found NaN"]),
        ({"type": "boolean"}, 1, ["expected true or false, found 1"]),
        ({"type": ["integer", "null"]}, "x", ['expected an integer or null, found "x"']),
        ({"anyOf": [INT, {"type": "null"}]}, "x", ['expected an integer or expected null, found "x"']),
        ({"oneOf": [INT, {"type": "number"}]}, 1, ["fits more than one of the alternatives, found 1"]),
        ({"enum": [1, "a"]}, True, ['expected one of 1, "a", found true']),
        ({"type": "array", "items": INT}, [1, "x", None], ['1: expected an integer, found "x"',
                                                           "2: expected an integer, found null"]),
        ({"type": "array", "uniqueItems": True}, [1, 1.0], ["items must differ from each other"]),
        ({"type": "array", "maxItems": 1}, [1, 2], ["expected at most 1 item, found 2"]),
        ({"type": "string", "minLength": 2}, "x", ["expected at least 2 characters, found 1"]),
        (POINT, {"y": "z"}, ["x: is missing", 'y: expected a number, found "z"']),
        ({"anyOf": [POINT, {"type": "null"}], "$defs": POINT["$defs"]}, {"x": "q"},
         ['x: expected an integer, found "q"']),
        (TREE, {"of": [{"of": [{"n": "x"}]}]}, ['of.0.of.0.n: expected an integer, found "x"']),
        ({"properties": {}, "additionalProperties": False}, {"a": 1}, ["a: is unknown"]),
        ({"minimum": 3}, 2, ["expected at least 3, found 2"]),
        ({"exclusiveMaximum": 3}, 3, ["expected less than 3, found 3"]),
        ({"multipleOf": 5}, 7, ["expected a multiple of 5, found 7"]),
        ({"format": "date"}, "31.1.", ['expected a date such as 2024-01-31, found "31.1."']),
        ({"format": "date-time"}, "soon", ['expected a date and time such as 2024-01-31T06:00:00Z, found "soon"']),
        (False, 1, ["nothing is allowed here, found 1"]),
    ],
)  # fmt: skip
def test_problems_are_told_by_place(schema: Any, value: Any, said: list[str]) -> None:
    assert problems(schema, value) == said


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (INT, "5", 5),
        (INT, " 5 ", 5),
        (INT, "5.7", "5.7"),
        (INT, "five", "five"),
        ({"type": "string"}, "5", "5"),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "boolean"}, "true", True),
        ({"anyOf": [INT, {"type": "null"}]}, "null", None),
        ({"anyOf": [INT, {"type": "string"}]}, "5", "5"),
        ({"type": "array", "items": INT}, '["1", 2]', [1, 2]),
        ({"type": "array", "items": INT}, ["1", 2], [1, 2]),
        (POINT, '{"x": "3"}', {"x": 3}),
        (POINT, {"x": "3"}, {"x": 3}),
        ({"anyOf": [POINT, {"type": "null"}], "$defs": POINT["$defs"]}, {"x": "3"}, {"x": 3}),
        (INT, None, None),
    ],
)
def test_text_is_read_where_nothing_is_lost(schema: Any, text: Any, value: Any) -> None:
    found = lossless(schema, text)

    assert found == value
    assert type(found) is type(value)


def test_a_schema_without_end_and_one_that_multiplies_come_to_an_end() -> None:
    endless = {"$ref": "#"}
    multiplying = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}
    started = time.monotonic()

    assert problems(endless, 1) == ["nested too deeply"]
    problems(multiplying, 1)
    lossless(multiplying, "1")

    assert time.monotonic() - started < 20


def test_no_more_is_told_than_somebody_reads() -> None:
    assert len(problems({"type": "array", "items": INT}, ["x"] * 1000)) == 20


def test_data_that_is_nested_without_end_has_a_problem() -> None:
    value: list[Any] = []
    for _ in range(200):
        value = [value]
    schema = {"type": "array", "items": {"$ref": "#"}}

    assert problems(schema, value)[0].endswith("nested too deeply")
