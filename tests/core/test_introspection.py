"""What a flow tells about itself."""

from __future__ import annotations

from typing import Any

import cloudpickle
import pytest

from dagflow import Flow, Parameter, Task, resource_manager, task
from dagflow.core.edge import Edge


@pytest.fixture
def diamond() -> Flow:
    """Return a flow a → b, c → d with a lone e."""
    with Flow("diamond") as flow:
        for name in "abcde":
            flow.add_task(Task(name, slug=name))
    at = tasks_of(flow)
    for first, last in ("ab", "ac", "bd", "cd"):
        flow.add_edge(at[first], at[last])
    return flow


def tasks_of(flow: Flow) -> dict[str, Task]:
    return {one.name: one for one in flow.tasks}


def names(tasks: Any) -> str:
    return "".join(sorted(one.name for one in tasks))


def test_roots_and_ends(diamond: Flow) -> None:
    assert names(diamond.root_tasks()) == "ae"
    assert names(diamond.terminal_tasks()) == "de"
    assert names(diamond.reference_tasks()) == "de"


def test_neighbours(diamond: Flow) -> None:
    at = tasks_of(diamond)

    assert names(diamond.upstream_tasks(at["d"])) == "bc"
    assert names(diamond.downstream_tasks(at["a"])) == "bc"
    assert diamond.edges_to(at["d"]) == {Edge(at["b"], at["d"]), Edge(at["c"], at["d"])}
    assert diamond.edges_from(at["a"]) == {Edge(at["a"], at["b"]), Edge(at["a"], at["c"])}
    assert diamond.all_upstream_edges()[at["d"]] == diamond.edges_to(at["d"])
    assert diamond.all_downstream_edges()[at["a"]] == diamond.edges_from(at["a"])
    assert diamond.all_upstream_edges()[at["e"]] == set()


@pytest.mark.parametrize("ask", ["edges_to", "edges_from", "upstream_tasks", "downstream_tasks"])
def test_only_members_have_neighbours(diamond: Flow, ask: str) -> None:
    with pytest.raises(ValueError, match="'stranger' is not in flow 'diamond'"):
        getattr(diamond, ask)(Task("stranger"))


def test_parameters_are_found() -> None:
    with Flow("f") as flow:
        p = Parameter("p")()
        flow.add_task(Task("other"))

    assert flow.parameters() == {p}


def test_ties_keep_the_order_in_which_tasks_were_added() -> None:
    flow = Flow("f")
    made = [flow.add_task(Task(f"t{number}")) for number in range(50)]

    flow.add_edge(made[40], made[3])

    order = flow.sorted_tasks()
    assert [one for one in order if one is not made[3]] == [one for one in made if one is not made[3]]
    assert order.index(made[40]) < order.index(made[3])


def test_the_order_can_start_from_some_tasks(diamond: Flow) -> None:
    at = tasks_of(diamond)

    assert [one.name for one in diamond.sorted_tasks([at["b"]])] == ["b", "d"]
    assert [one.name for one in diamond.sorted_tasks([at["e"], at["c"]])] == ["c", "d", "e"]
    with pytest.raises(ValueError, match="'stranger'"):
        diamond.sorted_tasks([Task("stranger")])


def test_a_long_chain_is_sorted_without_recursion() -> None:
    flow, made = Flow("f"), [Task("t") for _ in range(3000)]
    flow.chain(*reversed(made))

    assert flow.sorted_tasks() == tuple(reversed(made))


def test_reference_tasks_can_be_chosen_and_given_up(diamond: Flow) -> None:
    at = tasks_of(diamond)

    diamond.set_reference_tasks([at["b"]])
    assert diamond.reference_tasks() == {at["b"]}
    diamond.set_reference_tasks([])
    assert names(diamond.reference_tasks()) == "de"


def test_reference_tasks_must_be_members(diamond: Flow) -> None:
    with pytest.raises(ValueError, match="stranger"):
        diamond.set_reference_tasks([Task("stranger")])


@pytest.mark.parametrize("wrong", [Task("a"), 5, "a"])
def test_reference_tasks_are_a_list(diamond: Flow, wrong: Any) -> None:
    with pytest.raises(TypeError, match="must be a list"):
        diamond.set_reference_tasks(wrong)


def test_the_tasks_of_a_resource_manager_are_no_reference_tasks() -> None:
    @resource_manager
    class Box:
        def setup(self) -> int:
            return 1

        def cleanup(self, resource: int) -> None:
            pass

    with Flow("f") as flow, Box() as box:  # type: ignore[attr-defined]
        used = task(lambda x: x, name="use")(box)

    assert flow.reference_tasks() == {used}
    assert {one.name for one in flow.terminal_tasks()} == {"Box.cleanup"}


def test_tasks_are_found_by_all_criteria_together() -> None:
    with Flow("f") as flow:
        p = Parameter("p", tags=["x"])()
        a = flow.add_task(Task("a", tags=["x", "y"]))
        b = flow.add_task(Task("a"))

    assert flow.get_tasks() == [p, a, b]
    assert flow.get_tasks(name="a") == [a, b]
    assert flow.get_tasks(name="a", tags=["x"]) == [a]
    assert flow.get_tasks(tags={"x"}) == [p, a]
    assert flow.get_tasks(task_type=Parameter) == [p]
    assert flow.get_tasks(slug=flow.slugs[b]) == [b]
    assert flow.get_tasks(name="p", task_type=Parameter, tags=["z"]) == []


def test_what_is_derived_follows_every_change() -> None:
    flow, a, b, c = Flow("f"), Task("a"), Task("b"), Task("c")
    flow.add_edge(a, b)
    seen = (flow.tasks, flow.edges, flow.sorted_tasks(), flow.parameters(), flow.all_upstream_edges())
    assert len(seen[0]) == 2

    flow.add_edge(c, a)
    with flow:
        p = Parameter("p")()

    assert flow.tasks == {a, b, c, p}
    assert len(flow.edges) == 2
    assert flow.sorted_tasks() == (c, a, b, p)
    assert flow.parameters() == {p}
    assert flow.all_upstream_edges()[a] == {Edge(c, a)}


def test_a_run_after_a_change_runs_what_is_new() -> None:
    number = task(lambda x=1: x, name="number")
    with Flow("f") as flow:
        first = number()
    flow.run()

    with flow:
        second = number(first, task_args={"name": "second"})
    flow.set_reference_tasks([first])

    state = flow.run()
    assert set(state.result) == {first, second}


def test_what_is_derived_survives_pickling(diamond: Flow) -> None:
    diamond.sorted_tasks()

    copy = cloudpickle.loads(cloudpickle.dumps(diamond))

    assert [one.name for one in copy.sorted_tasks()] == [one.name for one in diamond.sorted_tasks()]
    assert copy.slugs.keys() == copy.tasks
    assert names(copy.reference_tasks()) == "de"
