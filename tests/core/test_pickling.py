"""Flows and tasks across processes."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta
from typing import Any

import cloudpickle
import pytest

from dagflow import Flow, Parameter, Task, case, resource_manager, task, unmapped
from dagflow.core.task import NoDefault
from dagflow.tasks.control_flow import merge
from dagflow.tasks.core.operators import GetItem
from dagflow.triggers import all_finished


class Scaled(Task):
    """A task with an argument of its own."""

    def __init__(self, factor: int, **kwargs: Any) -> None:
        self.factor = factor
        super().__init__(**kwargs)

    def run(self, x: int) -> int:
        return self.factor * x


class Owned(Flow):
    """A flow with an argument of its own."""

    def __init__(self, name: str, owner: str, **kwargs: Any) -> None:
        self.owner = owner
        super().__init__(name, **kwargs)


def travelled(thing: Any) -> Any:
    return cloudpickle.loads(cloudpickle.dumps(thing))


@task(tags=["t"], max_retries=1, retry_delay=timedelta(0))
def double(x: int) -> int:
    return 2 * x


def rich_flow() -> Flow:
    @resource_manager
    class Box:
        def setup(self) -> int:
            return 1

        def cleanup(self, resource: int) -> None: ...

    with Owned("rich", owner="ops") as flow:
        p = Parameter("p", default=3)
        scaled = Scaled(5, name="scaled", trigger=all_finished)(p)
        doubles = double.map([1, 2], upstream_tasks=[unmapped(scaled)])
        with case(p, 3):
            a = double(scaled)
        last = merge(a, double(0))
        with Box() as box:  # type: ignore[attr-defined]
            double(box)
    flow.set_reference_tasks([last, doubles])
    return flow


def test_a_flow_runs_the_same_after_its_travels() -> None:
    flow = rich_flow()

    other = travelled(flow)

    by_slug = [
        {one.slugs[t]: state.result for t, state in one.run(p=3).result.items() if not t.is_constant}
        for one in (flow, other)
    ]
    assert {name: value for name, value in by_slug[0].items() if name != "Box-1"} == {
        name: value for name, value in by_slug[1].items() if name != "Box-1"
    }
    assert {other.slugs[t] for t in other.reference_tasks()} == {flow.slugs[t] for t in flow.reference_tasks()}
    assert (type(other), other.owner) == (Owned, "ops")


def test_a_travelled_flow_is_never_equal() -> None:
    flow = rich_flow()

    assert travelled(flow) != flow
    assert flow.copy() == flow


def test_a_travelled_flow_can_be_edited_as_before() -> None:
    flow = travelled(rich_flow())
    scaled = flow.get_tasks(name="scaled")[0]

    with pytest.raises(ValueError, match="bound already"):
        flow.add_edge(1, scaled, key="x")
    edges = len(flow.edges)
    flow.add_edge(next(iter(flow.parameters())), flow.get_tasks(name="double")[0])

    assert len(flow.edges) == edges + 1


def test_a_flow_is_saved_and_loaded(tmp_path: Any) -> None:
    path = rich_flow().save(str(tmp_path / "rich.dagflow"))

    loaded = Flow.load(path)

    assert loaded.owner == "ops"  # type: ignore[attr-defined]
    assert loaded.run().is_successful()


@pytest.mark.parametrize("way", [travelled, copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_task_keeps_its_options(way: Any) -> None:
    one = Scaled(5, name="s", tags=["a"], max_retries=2, retry_delay=timedelta(1), nout=2, checkpoint=False)

    other = way(one)

    assert type(other) is Scaled
    assert vars(other).keys() == vars(one).keys()
    assert (other.factor, other.name, other.tags, other.max_retries) == (5, "s", {"a"}, 2)
    assert (other.retry_delay, other.nout, other.checkpoint, other.timeout) == (timedelta(1), 2, False, None)
    assert other.run(2) == 10


def test_containers_are_not_shared_after_travelling() -> None:
    one, other = travelled(Task("a")), travelled(Task("b"))

    one.tags.add("x")
    one.state_handlers.append(print)

    assert (other.tags, other.state_handlers) == (set(), [])


def test_a_function_task_travels_with_its_function() -> None:
    offset = 10
    made = task(lambda x: x + offset, name="shift", tags=["t"])

    other = travelled(made)

    assert (other.run(1), other.name, other.tags) == (11, "shift", {"t"})


def test_parameters_travel() -> None:
    other = travelled(Parameter("p", default=None))

    assert (other.name, other.slug, other.required, other.default) == ("p", "p", False, None)


def test_not_given_is_still_not_given_elsewhere() -> None:
    assert travelled(NoDefault) is NoDefault
    assert travelled(GetItem()).default is NoDefault
