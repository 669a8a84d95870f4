"""Mappings with attribute access and functions over nested data."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from dagflow.utilities.collections import (
    CompoundKey,
    DotDict,
    as_nested_dict,
    dict_to_flatdict,
    flatdict_to_dict,
    flatten_seq,
    merge_dicts,
)


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: object


@pytest.mark.parametrize(
    ("nested", "leaves"),
    [
        ([1, ("ab", [2, [3]])], [1, "ab", 2, 3]),
        ([b"ab", "cd"], [b"ab", "cd"]),
        ([{"a": 1}, {"b": [2]}], ["a", "b"]),
        ([[], [[]]], []),
        ((range(2), None), [0, 1, None]),
    ],
)
def test_nested_sequences_are_flattened(nested: Any, leaves: list[Any]) -> None:
    assert list(flatten_seq(nested)) == leaves


def test_flattening_is_lazy() -> None:
    def endless() -> Iterator[list[int]]:
        for number in itertools.count():
            yield [number]

    assert list(itertools.islice(flatten_seq(endless()), 3)) == [0, 1, 2]


def test_flattening_something_else_fails_when_it_is_iterated() -> None:
    flat = flatten_seq(3)  # type: ignore[arg-type]

    with pytest.raises(TypeError):
        list(flat)


def test_flattening_is_not_limited_by_recursion() -> None:
    deep: list[Any] = [1]
    for _ in range(5_000):
        deep = [deep]

    assert list(flatten_seq(deep)) == [1]


def test_a_dotdict_has_items_as_attributes() -> None:
    d = DotDict({"a": 1}, b=2)
    d.c = 3
    d["d"] = 4
    del d.a

    assert d == {"b": 2, "c": 3, "d": 4}
    assert d.d == 4
    assert "b" in d
    assert (d.get("b"), d.get("x", 9)) == (2, 9)
    with pytest.raises(AttributeError):
        _ = d.a
    with pytest.raises(AttributeError):
        del d.a
    with pytest.raises(KeyError):
        d["a"]


def test_nested_dicts_of_a_dotdict_stay_plain() -> None:
    assert type(DotDict(a={"b": 1}).a) is dict


@pytest.mark.parametrize("key", ["keys", "update", "to_dict", "__init__"])
def test_a_dotdict_refuses_keys_that_hide_its_methods(key: str) -> None:
    with pytest.raises(ValueError, match="is a method of DotDict"):
        DotDict({key: 1})


def test_a_dotdict_copies_pickles_and_is_not_json() -> None:
    d = DotDict(a=[1])

    twin = d.copy()
    twin.b = 2

    assert d == {"a": [1]}
    assert type(twin) is DotDict
    assert pickle.loads(pickle.dumps(d)) == d
    assert {**d} == {"a": [1]}
    with pytest.raises(TypeError):
        json.dumps(d)


def test_nested_data_is_rebuilt_with_a_chosen_class() -> None:
    nested = as_nested_dict({"a": [{"b": (1, {"c": 2})}], "p": Point(1, {"d": 3})})

    assert nested.a[0].b[1].c == 2
    assert nested.p.y == {"d": 3}
    assert type(nested.p) is Point
    assert nested.to_dict() == {"a": [{"b": (1, {"c": 2})}], "p": Point(1, {"d": 3})}
    assert type(nested.to_dict()["a"][0]) is dict


def test_merging_is_recursive_and_leaves_both_alone() -> None:
    first, second = {"a": {"x": 1, "y": {"z": 1}}, "b": 1, "c": {"k": 1}}, {"a": {"y": {"w": 2}}, "b": {"n": 2}, "c": 3}

    merged = merge_dicts(first, second)

    assert merged == {"a": {"x": 1, "y": {"z": 1, "w": 2}}, "b": {"n": 2}, "c": 3}
    assert first == {"a": {"x": 1, "y": {"z": 1}}, "b": 1, "c": {"k": 1}}
    merged["a"]["x"] = 9
    assert first["a"] == {"x": 1, "y": {"z": 1}}


def test_merging_keeps_the_class_of_the_first() -> None:
    merged = merge_dicts(as_nested_dict({"a": {"x": 1}}), {"a": {"y": 2}})

    assert type(merged) is DotDict
    assert (merged.a.x, merged.a.y) == (1, 2)


@pytest.mark.parametrize("nested", [{}, {"a": 1}, {"a": {"b": {"c": 1}, "d": 2}, "e": {}}])
def test_flattening_a_dict_can_be_undone(nested: dict[str, Any]) -> None:
    assert flatdict_to_dict(dict_to_flatdict(nested)) == nested


def test_flat_keys_are_compound_and_the_class_of_the_nested_form_is_chosen() -> None:
    flat = dict_to_flatdict({"a": {"b": 1}})

    assert [type(key) for key in flat] == [CompoundKey]
    assert flatdict_to_dict(flat, DotDict).a.b == 1
