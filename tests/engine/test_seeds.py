"""States that are given to a run."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dagflow.core.flow import Flow
from dagflow.engine.carried import Gone
from dagflow.engine.plan import compile_plan
from dagflow.engine.seeds import usable_states
from dagflow.engine.state import Failed, Mapped, State, Success
from dagflow.utilities.tasks import task

logger = logging.getLogger("dagflow.test")


def gone() -> State:
    """Return a success whose value is no more."""
    state = Success()
    state._value = Gone("It stayed on a cluster.")
    return state


@pytest.fixture
def flow() -> Any:
    with Flow("chain") as flow:
        one = task(lambda: 1, name="one")()
        two = task(lambda x: x, name="two")(one)
        task(lambda x: x, name="three")(two)
    return flow


def named(flow: Flow, states: dict[str, State]) -> dict[str, State]:
    """Return which of *states*, given by task name, are usable."""
    given = {flow.get_tasks(name=name)[0]: state for name, state in states.items()}
    return {one.name: state for one, state in usable_states(compile_plan(flow), given, logger).items()}


def test_states_with_values_are_used_as_they_are(flow: Flow) -> None:
    states = {"one": Success(result=1), "two": Failed("no")}

    assert named(flow, states) == states


def test_a_task_whose_value_is_gone_and_needed_runs_again(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    assert named(flow, {"one": gone(), "two": Failed("no")}).keys() == {"one", "two"}, "who took it has ended"
    assert named(flow, {"one": gone()}) == {}
    assert "The value of task 'one' stayed on a cluster, so the task runs again." in caplog.text


def test_a_value_that_is_needed_to_make_another_again_is_needed(flow: Flow) -> None:
    assert named(flow, {"one": gone(), "two": gone()}) == {}
    assert named(flow, {"one": gone(), "two": gone(), "three": Success()}).keys() == {"one", "two", "three"}


def test_children_whose_values_are_gone_are_not_known() -> None:
    with Flow("map") as flow:
        mapped = task(lambda x: x, name="one").map([1, 2, 3])
        task(lambda xs: xs, name="two")(mapped)
    children = [Success(result=1), gone(), Success(result=3)]
    parent = Mapped(map_states=list(children))

    found = named(flow, {"one": parent})["one"]

    assert isinstance(found, Mapped) and found.map_states == [children[0], None, children[2]]
    assert parent.map_states[1] is children[1], "what was given is left alone"
