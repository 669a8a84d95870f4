"""Edges, constants and dependencies."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, Parameter, Task, mapped, task, unmapped
from dagflow.core.annotations import flatten
from dagflow.core.edge import Edge
from dagflow.tasks.core.constants import Constant


@task
def three(x: Any, y: Any = 0, z: Any = 0) -> Any:
    return x


@task
def append(items: list[int]) -> list[int]:
    items.append(len(items))
    return items


def test_an_edge_adds_both_its_ends() -> None:
    flow, a, b = Flow("f"), Task("a"), Task("b")

    edge = flow.add_edge(a, b)

    assert (flow.tasks, flow.edges, edge.tasks) == ({a, b}, {edge}, {a, b})


def test_ends_are_converted_to_tasks() -> None:
    flow = Flow("f")

    edge = flow.add_edge(1, "two")

    assert {one.value for one in flow.tasks} == {1, "two"}  # type: ignore[attr-defined]
    assert edge.key is None


def test_a_parameter_takes_no_upstream_task() -> None:
    with pytest.raises(ValueError, match="Parameter 'p'"):
        Flow("f").add_edge(Task("a"), Parameter("p"))


def test_plain_constants_stay_out_of_the_graph() -> None:
    with Flow("f") as flow:
        called = three(1, y=[2, {"k": 3}])

    assert flow.tasks == {called}
    assert flow.edges == set()
    assert flow.constants[called] == {"x": 1, "y": [2, {"k": 3}]}


def test_the_edge_of_a_constant_is_only_a_description() -> None:
    flow, called = Flow("f"), three.copy()

    edge = flow.add_edge(7, called, key="x")

    assert (edge.upstream_task.value, edge.key) == (7, "x")  # type: ignore[attr-defined]
    assert flow.edges == set()


@pytest.mark.parametrize(
    "build",
    [
        lambda: three.map([1, 2]),
        lambda: three(flatten([[1], [2]])),
        lambda: three(Parameter("p"), upstream_tasks=["note"]),
    ],
)
def test_mapped_flattened_and_keyless_constants_become_tasks(build: Any) -> None:
    with Flow("f") as flow:
        build()

    assert len([one for one in flow.tasks if isinstance(one, Constant)]) == 1


def test_a_constant_that_was_added_by_hand_stays_a_task() -> None:
    flow, five = Flow("f"), Constant(5)
    flow.add_task(five)
    with flow:
        called = three(five)

    assert flow.upstream_tasks(called) == {five}
    assert flow.run().result[called].result == 5


def test_dependencies_are_set_in_one_call() -> None:
    flow, before, after, called = Flow("f"), Task("before"), Task("after"), three.copy()

    flow.set_dependencies(called, [before], [after], {"x": before, "y": 1})

    assert flow.upstream_tasks(called) == {before}
    assert flow.downstream_tasks(called) == {after}
    assert {edge.key for edge in flow.edges_to(called)} == {None, "x"}
    assert flow.constants[called] == {"y": 1}


def test_a_task_without_dependencies_is_added_all_the_same() -> None:
    flow = Flow("f")

    flow.set_dependencies(Task("alone"))

    assert [one.name for one in flow.tasks] == ["alone"]


def test_mapped_dependencies_are_those_upstream() -> None:
    flow, before, after, called = Flow("f"), Task("before"), Task("after"), three.copy()

    flow.set_dependencies(called, [before], [after], {"x": before}, mapped=True)

    assert {edge.mapped for edge in flow.edges_to(called)} == {True}
    assert {edge.mapped for edge in flow.edges_from(called)} == {False}


def test_a_chain_joins_neighbours() -> None:
    flow, a, b, c = Flow("f"), Task("a"), Task("b"), Task("c")

    edges = flow.chain(a, b, c)

    assert edges == [Edge(a, b), Edge(b, c)]


@pytest.mark.parametrize("tasks", [(), (Task("alone"),)])
def test_a_chain_of_less_than_two_adds_nothing(tasks: tuple[Task, ...]) -> None:
    flow = Flow("f")

    assert flow.chain(*tasks) == []
    assert flow.tasks == set()


@pytest.mark.parametrize("first, second", [(1, 2), (1, Task("t")), (Task("t"), 1), (Task("t"), Task("u"))])
def test_an_argument_takes_one_value(first: Any, second: Any) -> None:
    flow, called = Flow("f"), three.copy()
    flow.add_edge(first, called, key="x")

    with pytest.raises(ValueError, match="'x' of task 'three' is bound already"):
        flow.add_edge(second, called, key="x")


def test_a_constant_changed_by_a_task_is_whole_again_in_the_next_run() -> None:
    with Flow("f") as flow:
        folded, kept = append([1]), append(flatten([[1]]))

    states = [flow.run() for _ in range(2)]

    assert [state.result[folded].result for state in states] == [[1, 1], [1, 1]]
    assert [state.result[kept].result for state in states] == [[1, 1], [1, 1]]


def test_an_edge_compares_by_all_its_parts() -> None:
    a, b = Task("a"), Task("b")

    assert Edge(a, b, "x") == Edge(a, b, "x", False, False)
    assert hash(Edge(a, b, "x")) == hash(Edge(a, b, "x"))
    assert len({Edge(a, b), Edge(a, b, "x"), Edge(a, b, "x", mapped=True), Edge(a, b, "x", flattened=True)}) == 4
    assert Edge(a, b) != (a, b)


def test_annotations_on_either_end_win_over_the_flags() -> None:
    a, b = Task("a"), Task("b")

    assert Edge(mapped(a), b).mapped
    assert not Edge(unmapped(a), b, mapped=True).mapped
    assert Edge(a, flatten(b)).flattened
    assert Edge(mapped(flatten(a)), b).tasks == {a, b}


@pytest.mark.parametrize("key", ["", "two words", "class", "1st", 5])
def test_a_key_must_name_an_argument(key: Any) -> None:
    with pytest.raises(ValueError, match="identifier"):
        Edge(Task("a"), Task("b"), key)
    with pytest.raises(ValueError, match="identifier"):
        Flow("f").add_edge(Task("a"), Task("b"), key)


def test_an_edge_shows_how_its_value_travels() -> None:
    first, last = Task("first"), Task("last")

    assert repr(Edge(first, last)) == "<Edge: first to last>"
    assert repr(Edge(first, last, key="x", mapped=True, flattened=True)) == (
        "<Edge (key=x, mapped, flattened): first to last>"
    )
