"""``apply_map``: a function that builds a graph, mapped."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, Parameter, Task, apply_map, case, flatten, mapped, resource_manager, task, unmapped
from dagflow.core.edge import Edge
from dagflow.tasks.control_flow import ifelse, merge
from dagflow.tasks.core.constants import Constant


@task
def add(x: Any, y: Any) -> Any:
    return x + y


@task
def same(x: Any) -> Any:
    return x


@task
def is_even(x: Any) -> bool:
    return bool(x % 2 == 0)


@task
def negate(x: Any) -> Any:
    return -x


@task
def numbers() -> list[int]:
    return [1, 2, 3]


def result_of(flow: Flow, one: Any) -> Any:
    return flow.run().result[one].result


def marks(flow: Flow, one: Task) -> set[tuple[Any, str | None, bool]]:
    return {(edge.upstream_task, edge.key, edge.mapped) for edge in flow.edges_to(one)}


def test_whatever_the_function_returns_comes_back() -> None:
    def body(x: Any, y: Any) -> dict[str, Any]:
        return {"sum": add(x, y), "more": [same(x)]}

    with Flow("f") as flow:
        made = apply_map(body, numbers(), [10, 20, 30])

    assert result_of(flow, made["sum"]) == [11, 22, 33]
    assert result_of(flow, made["more"][0]) == [1, 2, 3]


def test_edges_inside_and_from_arguments_are_mapped() -> None:
    source = numbers.copy()

    def body(x: Any, y: Any) -> tuple[Task, Task]:
        first = same(x)
        return first, add(first, y)

    with Flow("f") as flow:
        first, second = apply_map(body, source, unmapped(Parameter("p", default=100)))

    p = next(iter(flow.parameters()))
    assert marks(flow, first) == {(source, "x", True), (p, None, False)}
    assert marks(flow, second) == {(first, "x", True), (p, "y", False)}
    assert result_of(flow, second) == [101, 102, 103]


def test_constants_of_the_body_and_unmapped_ones_are_not_mapped() -> None:
    def body(x: Any, shared: Any) -> Any:
        return add(add(x, [1]), shared)

    with Flow("f") as flow:
        made = apply_map(body, [[5], [6]], unmapped([2, 3]))

    assert result_of(flow, made) == [[5, 1, 2, 3], [6, 1, 2, 3]]
    assert [one.value for one in flow.get_tasks(task_type=Constant)] == [[[5], [6]]]  # type: ignore[attr-defined]


def test_flattened_arguments_are_flattened() -> None:
    with Flow("f") as flow:
        made = apply_map(lambda x: add(x, 1), flatten([[1], [2, 3]]))

    assert result_of(flow, made) == [2, 3, 4]


def test_flatten_inside_the_body_comes_before_the_map() -> None:
    with Flow("f") as flow:
        made = apply_map(lambda x: same(flatten(x)), [[[1], [2]], [[3]]])

    assert result_of(flow, made) == [[1], [2], [3]]


def test_roots_wait_for_every_argument_so_that_lengths_stay_aligned() -> None:
    def body(x: Any, y: Any) -> Any:
        return same(x), same("constant")

    a, b = numbers.copy(name="a"), numbers.copy(name="b")
    with Flow("f") as flow:
        used, free = apply_map(body, a, b)

    assert marks(flow, used) == {(a, "x", True), (b, None, True)}
    assert marks(flow, free) == {(a, None, True), (b, None, True)}
    assert result_of(flow, free) == ["constant"] * 3


def test_a_root_waits_for_unmapped_tasks_but_not_for_unmapped_constants() -> None:
    upstream = numbers.copy()

    with Flow("f") as flow:
        made = apply_map(lambda x, y, z: same(x), [1], unmapped(upstream), unmapped(5))

    assert (upstream, None, False) in marks(flow, made)
    assert len(flow.edges_to(made)) == 2


def test_branches_merges_and_operators_work_inside() -> None:
    def body(x: Any) -> Any:
        with case(is_even(x), True):
            a = x + 1
        with case(is_even(x), False):
            b = negate(x)
        return merge(a, b)

    with Flow("f") as flow:
        made = apply_map(body, range(4))

    assert result_of(flow, made) == [1, -1, 3, -3]


def test_ifelse_and_items_work_inside() -> None:
    def body(x: Any) -> Any:
        big, small = same("big"), same("small")
        ifelse(x["n"] > 1, big, small)
        return merge(big, small)

    with Flow("f") as flow:
        made = apply_map(body, [{"n": 1}, {"n": 2}])

    assert result_of(flow, made) == ["small", "big"]


def test_nested_branches_work_inside() -> None:
    def body(x: Any) -> Any:
        with case(is_even(x), True):
            with case(x > 2, True):
                a = same("big even")
            with case(x > 2, False):
                b = same("small even")
        with case(is_even(x), False):
            c = same("odd")
        return merge(a, b, c)

    with Flow("f") as flow:
        made = apply_map(body, [1, 2, 4])

    assert result_of(flow, made) == ["odd", "small even", "big even"]


@pytest.mark.parametrize("inner", [lambda x: same.map(x), lambda x: same(mapped(x)), lambda x: same(x, mapped=True)])
def test_no_second_map_inside(inner: Any) -> None:
    with Flow("f") as flow, pytest.raises(ValueError, match="apply_map"):
        apply_map(inner, [[1]])

    assert flow.tasks == set()


def test_nothing_is_mapped_twice_by_nesting() -> None:
    with Flow("f"), pytest.raises(ValueError, match="apply_map"):
        apply_map(lambda x: apply_map(lambda y: same(y), x), [[1]])


@pytest.mark.parametrize("wrong", [5, None, {1}, iter([1])])
def test_arguments_must_have_items(wrong: Any) -> None:
    with Flow("f"):
        with pytest.raises(TypeError, match="cannot map over"):
            apply_map(lambda x: same(x), wrong)
        with pytest.raises(TypeError, match="cannot map over"):
            apply_map(lambda x: same(x), x=wrong)


@pytest.mark.parametrize("wrong", ["same", 5])
def test_it_takes_a_function(wrong: Any) -> None:
    with Flow("f"), pytest.raises(TypeError, match="takes a function"):
        apply_map(wrong, [1])


def test_a_flow_is_needed() -> None:
    with pytest.raises(ValueError, match="needs a flow"):
        apply_map(lambda x: x, [1])


def test_an_explicit_flow_is_handed_to_the_function() -> None:
    flow = Flow("f")

    def body(x: Any, flow: Flow) -> Any:
        return same(same(x, flow=flow), flow=flow)

    made = apply_map(body, [1, 2], flow=flow)

    assert result_of(flow, made) == [1, 2]


def test_keyword_arguments_are_mapped_too() -> None:
    with Flow("f") as flow:
        made = apply_map(lambda x, y: add(x, y), x=[1], y=[2])

    assert result_of(flow, made) == [3]


def test_tasks_join_the_enclosing_case_of_the_flow() -> None:
    with Flow("f") as flow:
        with case(same(1), 2):
            made = apply_map(lambda x: same(same(x)), [1, 2])
        after = same(made)
    state = flow.run()

    assert state.result[made].is_skipped()
    assert state.result[after].is_skipped()


def test_tasks_join_the_enclosing_resource_block() -> None:
    log: list[Any] = []

    @resource_manager
    class Box:
        def setup(self) -> int:
            log.append("open")
            return 10

        def cleanup(self, resource: int) -> None:
            log.append("close")

    @task
    def use(x: int, box: int) -> int:
        log.append(x)
        return x + box

    with Flow("f") as flow, Box() as box:  # type: ignore[attr-defined]
        made = apply_map(lambda x, b: use(x, b), [1, 2], unmapped(box))

    assert result_of(flow, made) == [11, 12]
    assert log == ["open", 1, 2, "close"]


def test_an_argument_returned_as_it_is_stands_for_itself() -> None:
    source = numbers.copy()

    with Flow("f") as flow:
        made = apply_map(lambda x: x, source)
        flow.add_task(source)

    assert made is source


def test_a_task_of_the_outer_flow_used_inside_is_not_mapped() -> None:
    with Flow("f") as flow:
        outside = numbers()
        made = apply_map(lambda x: add(x, outside), [[0], [9]])

    assert (outside, "y", False) in marks(flow, made)
    assert result_of(flow, made) == [[0, 1, 2, 3], [9, 1, 2, 3]]


def test_an_empty_input_gives_an_empty_output() -> None:
    with Flow("f") as flow:
        made = apply_map(lambda x: same(same(x)), same([]))

    assert result_of(flow, made) == []


def test_edges_made_by_hand_inside_are_mapped() -> None:
    def body(x: Any) -> Any:
        first, second = same(x), same("later")
        second.set_upstream(first)
        return first, second

    with Flow("f") as flow:
        first, second = apply_map(body, [1, 2])

    assert Edge(first, second, mapped=True) in flow.edges
    assert result_of(flow, second) == ["later", "later"]


def test_a_task_may_stand_in_the_place_of_the_function() -> None:
    with Flow("f") as flow:
        made = apply_map(add, [1, 2], y=[3, 4])

    assert result_of(flow, made) == [4, 6]
