"""How values become tasks."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, Task, context, mapped, task, unmapped
from dagflow.tasks.core.collections import Dict, List, Set, Tuple
from dagflow.tasks.core.constants import Constant
from dagflow.utilities.tasks import as_task


@task
def one() -> int:
    return 1


@task
def same(x: Any) -> Any:
    return x


def test_tasks_pass_and_marks_come_off() -> None:
    assert as_task(one) is one
    assert as_task(unmapped(mapped(one))) is one
    assert not one.auto_generated


@pytest.mark.parametrize("value", [5, None, "text", [1, [2]], (1,), {1}, {"a": 1}, [], len])
def test_plain_values_become_one_constant(value: Any) -> None:
    made = as_task(value)

    assert isinstance(made, Constant)
    assert made.value == value
    assert made.auto_generated


@pytest.mark.parametrize(
    "collection, kind, expected",
    [
        ([one, 2], List, [1, 2]),
        ((one, 2), Tuple, (1, 2)),
        ({one, 2}, Set, {1, 2}),
        ({"a": one}, Dict, {"a": 1}),
        ({one: "b", 3: "c"}, Dict, {1: "b", 3: "c"}),
        ([[{"deep": (one,)}], 5], List, [[{"deep": (1,)}], 5]),
    ],
)
def test_collections_that_hold_tasks_are_gathered(collection: Any, kind: type, expected: Any) -> None:
    with Flow("f") as flow:
        made = as_task(collection)
        taken = same(collection)
    state = flow.run()

    assert type(made) is kind
    assert made.auto_generated
    assert state.result[made].result == expected
    assert state.result[taken].result == expected


def test_a_collection_with_tasks_needs_a_flow() -> None:
    with pytest.raises(ValueError, match="needs a flow"):
        as_task([one])

    assert isinstance(as_task([one], flow=Flow("f")), List)


def test_order_is_kept_beyond_nine_items() -> None:
    with Flow("f") as flow:
        made = List().bind(*[same(number) for number in range(25)])
        kept = Tuple().bind(*range(25))
    state = flow.run()

    assert state.result[made].result == list(range(25))
    assert state.result[kept].result == tuple(range(25))
    assert {edge.key for edge in flow.edges_to(made)} == {f"arg_{number}" for number in range(1, 26)}


def test_a_dict_needs_as_many_values_as_keys() -> None:
    with Flow("f") as flow:
        good = Dict().bind(keys=[1, "b"], values=[same(1), 2])
        bad = Dict().bind(keys=["a", "b"], values=[one()])
    state = flow.run()

    assert state.result[good].result == {1: 1, "b": 2}
    assert isinstance(state.result[bad].result, ValueError)


@pytest.mark.parametrize(
    "value, name",
    [
        (3, "3"), ("abc", "'abc'"), ("abcdef", "'abcdef'"), ("abcdefg", "Constant[str]"), ([1, 2], "[1, 2]"),
        ([1, 2, 3], "Constant[list]"), (list(range(1000)), "Constant[list]"), (None, "None"),
        ("x" * 9, "Constant[str]"),
    ],
)  # fmt: skip
def test_a_constant_is_named_after_its_value_when_short(value: Any, name: str) -> None:
    assert Constant(value).name == name
    assert Constant(value, name="mine").name == "mine"


def test_constants_are_never_run() -> None:
    heard: list[Any] = []

    class Loud(Constant):
        def run(self) -> Any:
            raise AssertionError("a constant was run")

    with Flow("f") as flow:
        value = Loud([1], state_handlers=[lambda *given: heard.append(given)])
        flow.add_task(value)
        taken = same.map(value)
    state = flow.run()

    assert type(state.result[value]).__name__ == "Success"
    assert state.result[value].result == [1]
    assert state.result[taken].result == [1]
    assert heard == []


def test_tasks_made_for_collections_join_open_blocks() -> None:
    from dagflow import case

    with Flow("f") as flow, case(one, 2):
        made = as_task([same(1), 2])
    state = flow.run()

    assert state.result[made].is_skipped()
    assert "case" not in context


def test_a_named_tuple_subclass_of_tuple_counts_as_a_tuple() -> None:
    from typing import NamedTuple

    class Point(NamedTuple):
        x: Any
        y: Any

    with Flow("f") as flow:
        taken = same(Point(one(), 2))

    assert flow.run().result[taken].result == (1, 2)


def test_an_item_task_is_not_a_value() -> None:
    assert isinstance(as_task(Task("t")), Task)
