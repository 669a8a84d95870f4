"""Calling, binding and mapping."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, Task, flatten, mapped, task, unmapped
from dagflow.core.edge import Edge
from dagflow.utilities.configuration import set_temporary_config


@task
def add(x: Any, y: Any = 10, *, z: Any = 0) -> Any:
    return x + y + z


@task
def numbers() -> list[int]:
    return [1, 2, 3]


def test_defaults_that_are_not_given_make_no_edges() -> None:
    with Flow("f") as flow:
        called = add(numbers)

    assert flow.edges_to(called) == {Edge(numbers, called, "x")}
    assert flow.constants.get(called, {}) == {}


def test_bind_works_on_the_task_itself() -> None:
    one = add.copy()

    with Flow("f") as flow:
        assert one.bind(1, z=2) is one

    assert flow.run().result[one].result == 13


@pytest.mark.parametrize(
    "args, kwargs, words",
    [
        ((), {}, "missing a required argument: 'x'"),
        (("a", "b", "c"), {}, "too many positional arguments"),
        (("a",), {"x": "b"}, "multiple values for argument 'x'"),
        (("a",), {"zz": "b"}, "unexpected keyword argument 'zz'.*Did you mean 'z'"),
    ],
)
@pytest.mark.parametrize("verb", [Task.__call__, Task.bind, Task.map])
def test_wrong_arguments_are_refused_as_in_a_call(verb: Any, args: Any, kwargs: Any, words: str) -> None:
    flow = Flow("f")

    with pytest.raises(TypeError, match=words):
        verb(add, *args, **kwargs, flow=flow)

    assert flow.tasks == set()


def test_a_call_that_fails_leaves_no_forgotten_task() -> None:
    with Flow("f") as flow, pytest.raises(TypeError):
        add()

    assert flow.tasks == set()


def test_upstream_tasks_are_waited_for_without_their_results() -> None:
    with Flow("f") as flow:
        before = Task("before")
        called = numbers(upstream_tasks=[before])

    assert flow.edges == {Edge(before, called)}


@pytest.mark.parametrize("wrong", [Task("before"), "before", 5])
def test_upstream_tasks_are_a_list(wrong: Any) -> None:
    with pytest.raises(TypeError, match="upstream_tasks must be a list"):
        numbers(upstream_tasks=wrong, flow=Flow("f"))


def test_dependencies_can_be_set_from_either_side() -> None:
    a, b, c = Task("a"), add.copy(), Task("c")

    with Flow("f") as flow:
        assert b.set_upstream(a, key="x") is b
        assert b.set_downstream(c) is b
        assert a.set_downstream(b, key="y", mapped=True) is a
        assert c.set_dependencies(upstream_tasks=[a], keyword_tasks={}) is c

    assert flow.edges == {Edge(a, b, "x"), Edge(b, c), Edge(a, b, "y", mapped=True), Edge(a, c)}


@pytest.mark.parametrize(
    "use",
    [
        lambda one: one.set_upstream(Task("b")),
        lambda one: one.set_downstream(Task("b")),
        lambda one: one.set_dependencies(upstream_tasks=[Task("b")]),
    ],
)
def test_dependencies_need_a_flow(use: Any) -> None:
    with pytest.raises(ValueError, match="outside a flow"):
        use(Task("a"))


def test_a_map_runs_once_for_each_item() -> None:
    with Flow("f") as flow:
        sums = add.map(numbers, [10, 20, 30])
        same = add(numbers, [1, 1, 1], mapped=True)
    state = flow.run()

    assert state.result[sums].result == [11, 22, 33]
    assert state.result[same].result == [2, 3, 4]
    assert {edge.mapped for edge in flow.edges_to(sums)} == {True}


def test_the_shortest_input_decides_and_unmapped_values_are_handed_over_whole() -> None:
    with Flow("f") as flow:
        short = add.map(numbers, [10])
        whole = task(lambda x, y: (x, y), name="pair").map(numbers, y=unmapped([7, 8]))
    state = flow.run()

    assert state.result[short].result == [11]
    assert state.result[whole].result == [(1, [7, 8]), (2, [7, 8]), (3, [7, 8])]


@pytest.mark.parametrize("thing", [5, {1, 2}, None, iter([1])])
def test_what_cannot_be_indexed_cannot_be_mapped(thing: Any) -> None:
    with Flow("f") as flow:
        with pytest.raises(TypeError, match=r"cannot map over.*unmapped"):
            add.map(thing)
        with pytest.raises(TypeError, match=r"cannot map over.*unmapped"):
            add.map(numbers, y=thing)

    assert len(flow.edges) == 0


def test_upstream_tasks_of_a_map_are_mapped_unless_they_say_otherwise() -> None:
    a, b = Task("a"), Task("b")

    with Flow("f") as flow:
        called = add.map([1], upstream_tasks=[a, unmapped(b)])

    assert {(edge.upstream_task, edge.mapped) for edge in flow.edges_to(called) if edge.key is None} == {
        (a, True),
        (b, False),
    }


def test_a_map_takes_task_args() -> None:
    with Flow("f") as flow:
        called = add.map([1], task_args={"name": "other", "nout": 2})

    assert (called.name, called.nout) == ("other", 2)
    assert called in flow.tasks


def test_marks_travel_with_bound_values() -> None:
    with Flow("f") as flow:
        called = add(mapped(numbers), flatten([[1], [2, 3]]), z=5)

    assert {(edge.key, edge.mapped, edge.flattened) for edge in flow.edges_to(called)} == {
        ("x", True, False),
        ("y", False, True),
    }


def test_eager_checks_apply_to_calls() -> None:
    with set_temporary_config({"flows.eager_edge_validation": True}), Flow("f") as flow:
        called = add(numbers, 1)

    assert flow.run().result[called].is_failed()  # list + int: the build is right, the values are not


def test_a_pipe_calls_the_next_task() -> None:
    with Flow("f") as flow:
        called = numbers()[0].pipe(add, y=1)

    assert flow.run().result[called].result == 2
