"""``with case(...)``."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, Parameter, case, context, mapped, task
from dagflow.tasks.control_flow import CompareValue, merge
from dagflow.tasks.core.constants import Constant


@task
def same(x: Any) -> Any:
    return x


@task
def add(x: Any, y: Any) -> Any:
    return x + y


def kinds(state: Any, *tasks: Any) -> list[str]:
    return [type(state.result[one]).__name__ for one in tasks]


@pytest.mark.parametrize("found, value, runs", [(1, 1, True), (1, True, True), ("a", "b", False), (None, None, True)])
def test_a_block_runs_when_the_values_are_equal(found: Any, value: Any, runs: bool) -> None:
    with Flow("f") as flow:
        condition = same(found)
        with case(condition, value):
            inside = same("ran")
    state = flow.run()

    assert state.result[inside].is_skipped() is not runs
    assert [one.name for one in flow.get_tasks(task_type=CompareValue)] == [f"case({value})"]


def test_only_the_first_tasks_of_a_block_wait_for_the_comparison() -> None:
    with Flow("f") as flow:
        outside = same(1)
        with case(same("a"), "a"):
            first = add(outside, 1)
            second = same(first)

    compare = flow.get_tasks(task_type=CompareValue)[0]
    assert flow.upstream_tasks(first) == {outside, compare}
    assert flow.upstream_tasks(second) == {first}


def test_parameters_constants_and_earlier_tasks_stay_outside() -> None:
    with Flow("f") as flow:
        earlier = same(1)
        with case(same("a"), "b"):
            p = Parameter("p", default=1)()
            five = flow.add_task(Constant(5))
            inside = add(earlier, p, upstream_tasks=[five])
    state = flow.run()

    assert kinds(state, earlier, p, five, inside) == ["Success", "Success", "Success", "Skipped"]


def test_plain_values_are_conditions_too() -> None:
    with Flow("f") as flow, case(5, 5):
        inside = same(1)

    assert flow.run().result[inside].result == 1


def test_an_empty_block_adds_nothing() -> None:
    with Flow("f") as flow:
        condition = same(1)
        with case(condition, 1):
            pass

    assert flow.tasks == {condition}


@pytest.mark.parametrize("value", [same, mapped(1)])
def test_a_task_is_no_value_to_compare_with(value: Any) -> None:
    with pytest.raises(TypeError, match="plain value"):
        case(1, value)


def test_a_block_holds_tasks_of_one_flow() -> None:
    one, other = Flow("one"), Flow("other")

    with pytest.raises(ValueError, match=r"tasks of one flow.*'one' and 'other'"), case(1, 1):
        same(1, flow=one)
        same(1, flow=other)


def test_blocks_nest_and_the_inner_condition_belongs_to_the_outer_block() -> None:
    with Flow("f") as flow:
        colour, size = same("red"), same("big")
        with case(colour, "red"):
            with case(size, "big"):
                a = same("big red")
            with case(size, "small"):
                b = same("small red")
        with case(colour, "blue"):
            with case(size, "big"):
                c = same("big blue")
            d = same("blue")
        out = merge(a, b, c, d)
    state = flow.run()

    assert kinds(state, a, b, c, d) == ["Success", "Skipped", "Skipped", "Skipped"]
    assert state.result[out].result == "big red"
    for compare in flow.get_tasks(task_type=CompareValue):
        assert len(flow.upstream_tasks(compare)) == (1 if flow.upstream_tasks(compare) == {colour} else 2)


def test_a_condition_made_inside_another_block_is_skipped_with_it() -> None:
    with Flow("f") as flow, case(same(1), 2):
        inner = same(1)
        with case(inner, 1):
            a = same("a")
    state = flow.run()

    assert kinds(state, inner, a) == ["Skipped", "Skipped"]


def test_the_context_is_restored_also_on_error() -> None:
    with Flow("f") as flow:
        with pytest.raises(KeyError), case(1, 1):
            same(1)
            raise KeyError
        assert context.get("case") is None
        with case(1, 1) as outer, case(2, 2):
            pass
        assert outer.value == 1

    assert flow.get_tasks(task_type=CompareValue) == []


def test_one_block_may_be_opened_again() -> None:
    with Flow("f") as flow:
        block = case(same(1), 1)
        with block:
            a = same("a")
        with block:
            b = same("b")
    state = flow.run()

    assert kinds(state, a, b) == ["Success", "Success"]
    assert len(flow.get_tasks(task_type=CompareValue)) == 2


def test_a_failed_condition_fails_the_block_by_its_trigger() -> None:
    @task
    def fail() -> None:
        raise ValueError

    with Flow("f") as flow, case(fail(), 1):
        inside = same(1)

    assert kinds(flow.run(), inside) == ["TriggerFailed"]


def test_maps_and_collections_inside_a_block_are_skipped() -> None:
    with Flow("f") as flow, case(same(1), 2):
        many = same.map([1, 2])
        listed = same([same(1), 2])
    state = flow.run()

    assert state.result[many].is_skipped()
    assert state.result[listed].is_skipped()
