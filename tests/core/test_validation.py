"""What a flow refuses, at once or when asked."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, Task, task
from dagflow.core.edge import Edge
from dagflow.exceptions import CycleError
from dagflow.utilities.configuration import set_temporary_config


@task
def double(x: int) -> int:
    return 2 * x


def loop() -> Flow:
    flow, a, b = Flow("loop"), Task("a"), Task("b")
    flow.chain(a, b)
    flow.add_edge(b, a)
    return flow


def test_no_task_waits_for_itself() -> None:
    one = Task("one")

    with pytest.raises(ValueError, match="cannot wait for itself"):
        Flow("f").add_edge(one, one)


def test_binding_a_task_to_itself_is_refused_too() -> None:
    one = double.copy()

    with Flow("f"), pytest.raises(ValueError, match="cannot wait for itself"):
        one.bind(one)


@pytest.mark.parametrize("ask", [Flow.validate, Flow.sorted_tasks, Flow.serialize])
def test_a_cycle_is_named_by_its_path_when_somebody_asks(ask: Any) -> None:
    with pytest.raises(CycleError, match="a → b → a") as caught:
        ask(loop())

    assert isinstance(caught.value, ValueError)


def test_running_a_cycle_fails_with_the_error_as_result() -> None:
    state = loop().run()

    assert state.is_failed()
    assert isinstance(state.result, ValueError)


def test_edges_given_to_a_flow_are_checked_on_demand() -> None:
    edges = loop().edges

    assert Flow("accepted", edges=edges).edges == edges
    with pytest.raises(ValueError, match="cycle"):
        Flow("refused", edges=edges, validate=True)


def test_a_refused_edge_leaves_the_flow_as_it_was() -> None:
    flow, a, b = Flow("f"), Task("a"), Task("b")
    edges = flow.chain(a, b)

    with pytest.raises(ValueError, match="a → b → a"):
        flow.add_edge(b, a, validate=True)

    assert flow.edges == set(edges)
    assert flow.sorted_tasks() == (a, b)


@pytest.mark.parametrize("value", [1, Task("source")])
def test_checking_finds_keys_that_run_does_not_take(value: Any) -> None:
    flow, called = Flow("f"), double.copy()

    with pytest.raises(TypeError, match="no argument 'y'"):
        flow.add_edge(value, called, key="y", validate=True)

    assert flow.edges == set()
    assert flow.constants.get(called, {}) == {}


def test_checking_is_off_unless_configured() -> None:
    flow, called = Flow("f"), double.copy()
    flow.add_edge(Task("source"), called, key="y")

    with set_temporary_config({"flows.eager_edge_validation": True}), pytest.raises(TypeError, match="no argument 'z'"):
        flow.add_edge(Task("source"), called, key="z")


def test_an_explicit_choice_beats_the_configured_one() -> None:
    flow = Flow("f")

    with set_temporary_config({"flows.eager_edge_validation": True}):
        flow.add_edge(Task("source"), double.copy(), key="y", validate=False)

    assert len(flow.edges) == 1


def test_any_keyword_is_accepted_by_a_run_that_takes_all() -> None:
    flow, open_minded = Flow("f"), task(lambda **kwargs: kwargs, name="open")

    flow.add_edge(Task("source"), open_minded, key="anything", validate=True)

    assert len(flow.edges) == 1


def test_validate_accepts_what_is_right() -> None:
    a, b = Task("a"), Task("b")

    flow = Flow("f", edges=[Edge(a, b)], reference_tasks=[a])

    assert flow.validate() is None  # type: ignore[func-returns-value]


def test_a_reference_task_outside_is_found() -> None:
    flow = Flow("f", tasks=[Task("a")])
    flow._reference_tasks = {Task("stranger")}

    with pytest.raises(ValueError, match="stranger"):
        flow.validate()


def test_an_edge_to_a_task_outside_is_found() -> None:
    flow = Flow("f", tasks=[Task("a")])
    flow._graph.add_edge(Task("stranger"), Task("other"), edge=None)

    with pytest.raises(ValueError, match="not in the flow"):
        flow.validate()
