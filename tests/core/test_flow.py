"""How a flow is made and compared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dagflow import Flow, Parameter, Task, task
from dagflow.core.edge import Edge
from dagflow.engine.results import LocalResult
from dagflow.engine.state import Failed, State, Success
from dagflow.environments import Environment
from dagflow.executors import LocalExecutor
from dagflow.run_configs import LocalRun
from dagflow.schedules import IntervalSchedule
from dagflow.storage import Local


def keep(flow: Flow, old: State, new: State) -> None:
    """Let every state pass."""


@pytest.mark.parametrize("name", [None, "", False])
def test_a_flow_needs_a_name(name: Any) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        Flow(name)


def test_leaving_the_name_out_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="name"):
        Flow()  # type: ignore[call-arg]


def test_every_option_may_be_positional_in_the_known_order() -> None:
    a, b = Task("a"), Task("b")
    edge = Edge(a, b)
    schedule, executor, run_config = IntervalSchedule(interval=timedelta(hours=1)), LocalExecutor(), LocalRun()
    storage, result = Local(), LocalResult()
    with pytest.warns(UserWarning):
        environment = Environment()

    flow = Flow(
        "all", schedule, executor, environment, run_config, storage, [a], [edge], [a], [keep], None, True, result, keep
    )

    assert (flow.schedule, flow.executor, flow.environment) == (schedule, executor, environment)
    assert (flow.run_config, flow.storage, flow.result) == (run_config, storage, result)
    assert (flow.tasks, flow.edges, flow.reference_tasks()) == ({a, b}, {edge}, {a})
    assert flow.state_handlers == [keep]
    assert flow.terminal_state_handler is keep


@pytest.mark.parametrize("handlers", [keep, {keep}, "keep", iter([keep])])
def test_state_handlers_must_be_a_list_or_tuple(handlers: Any) -> None:
    with pytest.raises(TypeError, match="state_handlers"):
        Flow("f", state_handlers=handlers)


@pytest.mark.parametrize("kind", [list, tuple])
def test_on_failure_joins_a_list_of_its_own(kind: Any) -> None:
    heard: list[Any] = []
    given = kind([keep])

    flow = Flow("f", state_handlers=given, on_failure=lambda flow, state: heard.append((flow.name, type(state))))
    for handler in flow.state_handlers:
        handler(flow, Success(), Failed())
        handler(flow, Failed(), Success())

    assert len(given) == 1
    assert heard == [("f", Failed)]


def test_a_reference_task_may_come_from_the_edges_alone() -> None:
    a, b = Task("a"), Task("b")

    flow = Flow("f", edges=[Edge(a, b)], reference_tasks=[a])

    assert flow.reference_tasks() == {a}


def test_a_flow_shows_its_name_and_iterates_in_order() -> None:
    a, b, c = Task("a"), Task("b"), Task("c")
    flow = Flow("tale")

    flow.chain(c, b, a)

    assert repr(flow) == '<Flow: name="tale">'
    assert list(flow) == [c, b, a]
    assert flow.logger.name == "dagflow.tale"


def test_flows_are_equal_when_name_tasks_edges_and_references_are() -> None:
    a, b = Task("a"), Task("b")
    edges = [Edge(a, b, key=None)]
    one = Flow("f", edges=edges)

    assert one == Flow("f", edges=edges)
    assert one != Flow("g", edges=edges)
    assert one != Flow("f", tasks=[a, b])
    assert one != Flow("f", edges=edges, reference_tasks=[a])
    assert one != type("Other", (Flow,), {})("f", edges=edges)
    assert one != "f"


def test_a_flow_cannot_be_hashed() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Flow("f"))


def test_constants_of_a_task_nobody_knows_are_empty() -> None:
    assert Flow("f").constants[Task("a")] == {}


def test_a_flow_of_a_subclass_keeps_its_extra_keywords() -> None:
    class Owned(Flow):
        def __init__(self, name: str, owner: str, **kwargs: Any) -> None:
            self.owner = owner
            super().__init__(name, **kwargs)

    with Owned("f", owner="ops", tasks=[Task("a")]) as flow:
        Parameter("p")()

    assert flow.owner == vars(flow.copy())["owner"] == "ops"
    assert type(flow.copy()) is Owned
    assert flow.copy() == flow


def test_the_name_is_looked_for_in_storage() -> None:
    storage = Local()
    with Flow("kept") as flow:
        task(lambda: 1, name="one")()

    assert flow.name not in storage
    storage.add_flow(flow)

    assert flow.name in storage
