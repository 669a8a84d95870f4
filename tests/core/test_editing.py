"""Copying, replacing and merging."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import cloudpickle
import pytest

from dagflow import Flow, Parameter, Task, task
from dagflow.core.edge import Edge
from dagflow.tasks.core.constants import Constant


@task
def add(x: int, y: int = 0) -> int:
    return x + y


@task
def subtract(x: int, y: int = 0) -> int:
    return x - y


def keep(flow: Any, old: Any, new: Any) -> None:
    """Let every state pass."""


def test_a_copy_shares_tasks_and_nothing_else() -> None:
    with Flow("f", state_handlers=[keep]) as flow:
        called = add(1, 2)
    flow.set_reference_tasks([called])

    copy = flow.copy()
    copy.constants[called]["x"] = 9
    copy.state_handlers.append(keep)
    extra = copy.add_task(Task("extra"))
    copy.set_reference_tasks([extra])

    assert copy.tasks - {extra} == flow.tasks == {called}
    assert flow.constants[called] == {"x": 1, "y": 2}
    assert flow.state_handlers == [keep]
    assert extra not in flow.slugs
    assert flow.reference_tasks() == {called}
    assert (flow.run().result[called].result, copy.run().result[called].result) == (3, 11)


def test_a_replacement_takes_edges_constants_and_references() -> None:
    with Flow("f") as flow:
        p = Parameter("p", default=10)
        old = add(p, 3)
        last = add(old)
    flow.set_reference_tasks([old])
    new = subtract.copy()

    flow.replace(old, new)

    assert flow.tasks == {p, new, last}
    assert flow.edges == {Edge(p, new, "x"), Edge(new, last, "x")}
    assert flow.reference_tasks() == {new}
    assert flow.slugs[new] == "subtract-1"
    assert flow.run().result[last].result == 7


def test_a_task_can_be_replaced_by_a_value() -> None:
    with Flow("f") as flow:
        old = add(1)
        last = add(old, 1)

    flow.replace(old, 41)

    assert flow.run().result[last].result == 42
    assert len(flow.get_tasks(task_type=Constant)) == 1


def test_only_members_are_replaced() -> None:
    with pytest.raises(ValueError, match="not in flow"):
        Flow("f").replace(Task("a"), Task("b"))


def test_replacing_a_task_by_itself_changes_nothing() -> None:
    flow = Flow("f", tasks=[one := Task("one")])

    flow.replace(one, one)

    assert flow.slugs == {one: "one-1"}


@pytest.mark.parametrize("constant", [True, False])
def test_a_replacement_that_does_not_fit_leaves_the_flow_alone(constant: bool) -> None:
    with Flow("f") as flow:
        old = add(1, 2) if constant else add(Parameter("p", default=1))
    before = flow.copy()

    with pytest.raises(TypeError, match="no argument 'x'"):
        flow.replace(old, Task("takes nothing"))

    assert flow == before
    assert flow.slugs == before.slugs
    assert flow.constants == before.constants


def test_a_replacement_that_closes_a_circle_is_undone() -> None:
    flow, first, middle, last = Flow("f"), Task("first"), Task("middle"), Task("last")
    flow.chain(first, middle, last)
    edges = flow.edges

    with pytest.raises(ValueError, match="cycle"):
        flow.replace(first, last)

    assert flow.edges == edges


def test_an_update_brings_tasks_edges_and_constants() -> None:
    with Flow("one") as one:
        a = add(1)
    with Flow("two") as two:
        b = add(2)
        c = add(b, 3)

    one.update(two)

    assert one.tasks == {a, b, c}
    assert one.edges == two.edges
    assert one.run().result[c].result == 5
    assert two.tasks == {b, c}


def test_parameters_of_one_name_are_refused_or_merged() -> None:
    with Flow("one") as one:
        mine = Parameter("p", default=1)
        a = add(mine)
    with Flow("two") as two:
        theirs = Parameter("p", default=2)
        b = add(theirs)

    with pytest.raises(ValueError, match="both have a parameter 'p'"):
        one.update(two)
    assert one.tasks == {mine, a}
    one.update(two, merge_parameters=True)

    state = one.run(p=5)
    assert one.parameters() == {theirs}
    assert (state.result[a].result, state.result[b].result) == (5, 5)


def test_an_update_that_fails_halfway_leaves_the_flow_alone() -> None:
    one, two = Flow("one", tasks=[Task("a", slug="a")]), Flow("two", tasks=[Task("b"), Task("c", slug="a")])
    before = one.copy()

    with pytest.raises(ValueError, match="slug 'a'"):
        one.update(two)

    assert one == before


def test_handlers_and_schedules_stay_where_they_are() -> None:
    one, two = Flow("one"), Flow("two", state_handlers=[keep], tasks=[Task("t")])

    one.update(two)

    assert (one.state_handlers, one.schedule, one.result) == ([], None, None)


@pytest.mark.parametrize("merge", [True, False])
def test_reference_tasks_are_merged_on_demand(merge: bool) -> None:
    a, b, c = Task("a"), Task("b"), Task("c")
    one, two = Flow("one", tasks=[a], reference_tasks=[a]), Flow("two", edges=[Edge(b, c)], reference_tasks=[b])

    one.update(two, merge_reference_tasks=merge)

    assert one.reference_tasks() == ({a, b} if merge else {a})


def sound(flow: Flow) -> None:
    """Check what holds of every flow at any time."""
    order = flow.sorted_tasks()
    place = {one: index for index, one in enumerate(order)}
    assert place.keys() == flow.tasks == flow.slugs.keys()
    assert len(set(flow.slugs.values())) == len(order)
    assert all(place[edge.upstream_task] < place[edge.downstream_task] for edge in flow.edges)
    assert {one for one, values in flow.constants.items() if values} <= flow.tasks
    for one in order:
        keys = [edge.key for edge in flow.edges_to(one) if edge.key] + list(flow.constants.get(one, ()))
        assert len(keys) == len(set(keys))
    flow.validate()


@pytest.mark.parametrize("seed", range(20))
def test_random_edits_keep_a_flow_sound(seed: int) -> None:
    draw = random.Random(seed)
    flow = Flow("f")
    flow.add_task(Task("t"))

    for step in range(40):
        one, other = draw.choice(sorted(flow.slugs, key=flow.slugs.__getitem__)), draw.choice([add, subtract]).copy()
        kind = draw.randrange(6)
        if kind < 2:
            other.bind(one, draw.choice([step, one]), flow=flow)
        elif kind == 2:
            with contextlib.suppress(ValueError):  # a circle, or the task itself
                flow.add_edge(draw.choice(list(flow.slugs)), one, validate=True)
        elif kind == 3:
            with contextlib.suppress(TypeError):  # some tasks take other arguments
                flow.replace(one, other)
        elif kind == 4:
            flow.update(Flow("other", edges=[Edge(one, other)]))
        else:
            flow = draw.choice([flow.copy(), cloudpickle.loads(cloudpickle.dumps(flow))])
        sound(flow)

    assert len(flow.tasks) > 5
